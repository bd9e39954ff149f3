"""Guests: people whom HR does not know, and for whom somebody here answers.

Pure. A guest is an account of another homeserver, or one of ours outside the directory. It is in those rooms of its
sponsor's that were named for it, or else in all of them that are not exclusive, until a last day, and for as long as
the sponsor works here and may have guests. In information barriers it is on the sides of the sponsor. Putting guests in
and taking them out is left to `plan`, keeping them to `guest_store`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from bridge.directory.census import Census
from bridge.directory.notice import Notice
from bridge.directory.people_set import PeopleSet
from bridge.ids import PersonId, RoomKey, UserId, server_of
from bridge.membership.barriers import Seat, Wall
from bridge.membership.values import DesiredRoom
from bridge.policy.schema import Guests, RoomKind

GUESTS: Final = "guests"
"""The rule of everything that follows from being a guest, or from being none."""
OUTSIDE: Final = "is of another homeserver, and no guest here"
ELSEWHERE: Final = "is no guest of this room"
ENDED: Final = "is a guest no more"
NO_SECTION: Final = "the policy has no guests"
SPONSOR_LEFT: Final = "the sponsor does not work here"
NO_SPONSOR: Final = "the sponsor may not have guests"

AHEAD: Final = timedelta(days=7)
"""So long before the last day the administrators are told."""
_KINDS = (RoomKind.CHAT, RoomKind.ANNOUNCEMENT)


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody for whom a person answers."""

    user_id: UserId
    sponsor: PersonId
    rooms: tuple[RoomKey, ...]
    """Empty: every room of the sponsor's that is not exclusive."""
    reason: str
    added_at: datetime
    review_by: date
    """The last day, where the sponsor works."""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Guesthood:
    """What the policy makes of the guests of one moment."""

    living: Mapping[int, tuple[Guest, ...]] = field(default_factory=dict)
    """Row of the sponsor → the guests who may be where the sponsor is."""
    over: Mapping[UserId, str] = field(default_factory=dict)
    """Those who may be nowhere (any more) → why."""
    ruled: bool = False
    """Nobody of another homeserver may be in a managed room without being a guest there."""
    sponsors: PeopleSet = PeopleSet.none
    """Of the living."""

    def why_not(self, user_id: UserId) -> str:
        """Return why somebody who is or was a guest is not one of a room that is not theirs; empty for all others."""
        known = any(guest.user_id == user_id for some in self.living.values() for guest in some)
        return ELSEWHERE if known else self.over.get(user_id, "")


NO_GUESTS = Guesthood()


def is_outside(user_id: UserId, server_name: str) -> bool:
    """Tell whether the account is one of another homeserver."""
    return server_of(user_id) != server_name


def guesthood(rules: Guests | None, guests: Iterable[Guest], census: Census, server_name: str) -> Guesthood:
    """Return who of the guests may be in rooms, by the policy and the people of the census."""
    living: defaultdict[int, list[Guest]] = defaultdict(list)
    over: dict[UserId, str] = {}
    able = census.select(rules.sponsors) if rules is not None else PeopleSet.none
    for guest in guests:
        row = census.row(guest.sponsor)
        reason = _obstacle(rules, guest, row, able, census, server_name)
        if reason or row is None:
            over[guest.user_id] = reason
        else:
            living[row].append(guest)
    found = {row: tuple(sorted(some, key=lambda guest: guest.user_id)) for row, some in living.items()}
    return Guesthood(found, over, rules is not None, PeopleSet.of(found))


def _obstacle(
    rules: Guests | None, guest: Guest, row: int | None, able: PeopleSet, census: Census, server_name: str
) -> str:
    """Return why somebody is no guest (any more); empty for guests."""
    if guest.ended_at is not None:
        return ENDED
    if rules is None:
        return NO_SECTION
    domain = server_of(guest.user_id)
    if domain != server_name and domain not in rules.domains:
        return f"the policy admits no guests of {domain}"
    if row is None or row not in census.active:
        return SPONSOR_LEFT
    if row not in able:
        return NO_SPONSOR
    if census.day_of(census.person(row)) > guest.review_by:
        return f"was a guest until {guest.review_by}, and nobody renewed that"
    return ""


def with_guests(room: DesiredRoom, found: Guesthood, census: Census) -> DesiredRoom:
    """Return the room with the guests who ought to be in it: each is where the sponsor is entitled to be."""
    if room.kind not in _KINDS:
        return room
    sponsored = {
        guest.user_id: f"guest of {census.person(row).user_name} until {guest.review_by}: {guest.reason}"
        for row in found.sponsors & room.members
        for guest in found.living[row]
        if (room.key in guest.rooms if guest.rooms else not room.exclusive)
    }
    return replace(room, sponsored=sponsored) if sponsored else room


def guest_seats(found: Guesthood, walls: Sequence[Wall]) -> dict[UserId, frozenset[Seat]]:
    """Return the sides of barriers on which guests are: those of whoever answers for them."""
    seats: dict[UserId, frozenset[Seat]] = {}
    for row, guests in found.living.items():
        taken = frozenset(
            Seat(wall.barrier.id, side)
            for wall in walls
            for side, people in enumerate((wall.one, wall.other))
            if row in people
        )
        if taken:
            seats.update({guest.user_id: taken for guest in guests})
    return seats


def notices(guests: Iterable[Guest], found: Guesthood, census: Census) -> Iterator[Notice]:
    """Yield what the administrators are told of these guests: a week before the last day, on it, and when it is over
    for one whom nobody has ended."""
    for guest in guests:
        if guest.ended_at is not None:
            continue
        row = census.row(guest.sponsor)
        sponsor = census.person(row).display_name if row is not None else "somebody who is not in the directory"
        topic = f"guest:{guest.user_id}:{guest.review_by}"
        who = f"{guest.user_id}, guest of {sponsor} ({guest.reason}),"
        if (why := found.over.get(guest.user_id)) is not None:
            yield Notice(f"{topic}:over:{why}", f"{who} is taken out of the rooms: {why}.\n{_settle(guest, over=True)}")
        elif row is not None:
            left = guest.review_by - census.day_of(census.person(row))
            if not left:
                yield Notice(f"{topic}:day", f"{who} may be here until the end of today.\n{_settle(guest)}")
            elif left <= AHEAD:
                yield Notice(f"{topic}:soon", f"{who} may be here until {guest.review_by}.\n{_settle(guest)}")


def _settle(guest: Guest, *, over: bool = False) -> str:
    again = "To have them back" if over else "Still wanted"
    return f"{again}: muster guests renew {guest.user_id}\nNot wanted: muster guests remove {guest.user_id}"
