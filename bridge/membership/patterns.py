"""The rooms of a policy before anybody is in them. Pure.

What a rule says of its room is the same whoever works here, so it is worked out once for each policy, while `desired`
asks who is in it for every change in HR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bridge.directory.people_set import PeopleSet
from bridge.directory.selector import Selector
from bridge.ids import RoomKey
from bridge.membership.listing import NOWHERE, Listings, listings_of
from bridge.membership.values import DesiredRoom
from bridge.policy.same import Same
from bridge.policy.schema import Policy, Room, RoomKind, RuleId, Space
from bridge.policy.settings import LEVELS, Join, Rank

Ranks = Sequence[tuple[Rank, Selector | None, int]]
"""Who has power: by a selector, or so many levels above somebody; the highest first."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rule's room, and whom to ask for."""

    room: DesiredRoom
    """Nobody is in it; for a `for_each` rule it is the like of which its rooms are."""
    members: Selector
    ranks: Ranks


@dataclass(frozen=True, slots=True)
class Patterns:
    """What a policy has, by rule."""

    spaces: Mapping[RuleId, Pattern]
    rooms: Mapping[RuleId, Pattern]


def patterns_of(policy: Policy) -> Patterns:
    """Return the patterns of the policy's spaces and rooms, in its order; the same again for the same policy."""
    return _patterns_of(Same(policy))


@lru_cache(maxsize=4)
def _patterns_of(same: Same) -> Patterns:
    policy = same.policy
    listings = listings_of(policy.spaces.values())
    return Patterns(
        {id: _of_space(space, listings, policy) for id, space in policy.spaces.items()},
        {id: _of_room(rule, listings, policy) for id, rule in policy.rooms.items()},
    )


def _of_space(space: Space, listings: Listings, policy: Policy) -> Pattern:
    room = DesiredRoom(
        key=RoomKey(space.id),
        rule=space.id,
        kind=RoomKind.SPACE,
        name=space.name,
        topic="",
        parents=listings.get(space.id, NOWHERE).parents,
        order=listings.get(space.id, NOWHERE).order,
        open_to=_open_to(space, listings, policy),
        exclusive=False,
        members=PeopleSet.none,
        power={},
        because={0: space.members.text},
    )
    return Pattern(room, space.members, ())


def _of_room(rule: Room, listings: Listings, policy: Policy) -> Pattern:
    ranks = tuple(_ranks_of(rule))
    because = {0: rule.members.text}
    for rank, selector, above in ranks:
        because[LEVELS[rank]] = selector.text if selector is not None else _above(above)
    room = DesiredRoom(
        key=RoomKey(rule.id),
        rule=rule.id,
        kind=rule.kind,
        name=rule.name,
        topic=rule.topic,
        parents=listings.get(rule.id, NOWHERE).parents,
        order=listings.get(rule.id, NOWHERE).order,
        open_to=_open_to(rule, listings, policy),
        exclusive=rule.exclusive,
        members=PeopleSet.none,
        power={},
        because=because,
        settings=rule.settings,
        shadow=rule.shadow,
    )
    return Pattern(room, rule.members, ranks)


def _open_to(rule: Room | Space, listings: Listings, policy: Policy) -> RoomKey | None:
    """Return the space that the policy lets in, or else, where it says nothing of it, the first parent whose members
    are chosen by the very same question, so that whoever is there may enter.

    Never for an exclusive room: somebody invited into the space by hand would get in, if only for a moment.
    """
    if isinstance(rule, Room):
        if rule.join is Join.SPACE:
            return next(iter(listings.get(rule.id, NOWHERE).parents), None)
        if rule.join is not None or rule.for_each is not None or rule.exclusive:
            return None
    asked = rule.members.normal
    for key in listings.get(rule.id, NOWHERE).parents:
        if policy.spaces[key].members.normal == asked:
            return key
    return None


def _ranks_of(rule: Room) -> Iterator[tuple[Rank, Selector | None, int]]:
    asked = {Rank.ADMINS: rule.admins, Rank.MODERATORS: rule.moderators, Rank.POSTERS: rule.posters}
    if rule.kind is not RoomKind.ANNOUNCEMENT:
        del asked[Rank.POSTERS]
    for rank, selector in asked.items():
        levels = rule.managers.get(rank, 0)
        if selector is not None or levels:
            yield rank, selector, levels


def _above(levels: int) -> str:
    """Say who stands so many levels above somebody."""
    return "manages somebody here" if levels == 1 else f"stands {levels} levels above somebody here"
