"""What in a good policy is probably not meant: rules that say the same, exceptions that are over, unused classes. Pure.

What only the directory can tell is not asked here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from bridge.directory.implication import conjuncts, implies
from bridge.directory.selector import Selector
from bridge.errors import Problem
from bridge.policy.schema import Exemption, Policy, Room


def warnings(policy: Policy, file: str, today: date) -> tuple[Problem, ...]:
    """Return what is to be looked at, in the order of the file; `file` is the name to report it under."""
    found = [
        *_twins(policy, file),
        *_swallowed(policy, file),
        *_idle_ranks(policy, file),
        *_idle_selectors(policy, file),
        *_expired(policy, file, today),
        *_unused_classes(policy, file),
    ]
    return tuple(sorted(found))


def _twins(policy: Policy, file: str) -> Iterator[Problem]:
    """Yield each rule that makes the same rooms for the same people as one before it."""
    seen: dict[object, Room] = {}
    for room in policy.rooms.values():
        first = seen.setdefault((room.kind, room.for_each, room.members.normal), room)
        if first is not room:
            told = f"`{room.id}` is a room of the same kind for the same people as `{first.id}`; is it meant?"
            yield _warning(file, room.place, told)


def _swallowed(policy: Policy, file: str) -> Iterator[Problem]:
    for room, other in swallowed(policy):
        told = f"whoever is in `{room.id}` is in `{other.id}` too, a room of the same kind"
        yield Problem(file, *room.place, f"{told}: `{room.id}` asks the same and more", "note")


def swallowed(policy: Policy) -> Iterator[tuple[Room, Room]]:
    """Yield each rule with the first of the same kind whose people its own surely are among: it asks the same and more.

    That they are among everybody is not worth a word.
    """
    asked = {room.id: conjuncts(room.members) for room in policy.rooms.values()}
    by_term: defaultdict[object, list[Room]] = defaultdict(list)
    for room in policy.rooms.values():
        if asked[room.id]:
            by_term[room.kind, room.for_each, min(asked[room.id])].append(room)
    for room in policy.rooms.values():
        others = (other for term in sorted(asked[room.id]) for other in by_term[room.kind, room.for_each, term])
        found = next((other for other in others if asked[other.id] < asked[room.id]), None)
        if found is not None:
            yield room, found


def _idle_ranks(policy: Policy, file: str) -> Iterator[Problem]:
    """Yield each role that only people have who surely have a higher one."""
    for room in policy.rooms.values():
        ranks: Mapping[str, Selector | None] = {
            "admins": room.admins,
            "moderators": room.moderators,
            "posters": room.posters,
        }
        higher: list[tuple[str, Selector]] = []
        for name, asked in ranks.items():
            over = next((rank for rank, above in higher if asked is not None and implies(asked, above)), None)
            if over is not None:
                told = f"`{name}` of `{room.id}` gives nobody anything: all of them are among its `{over}`"
                yield _warning(file, room.place, told)
            if asked is not None:
                higher.append((name, asked))


def _idle_selectors(policy: Policy, file: str) -> Iterator[Problem]:
    """Yield each selector of a list of the brake's that another of the same list surely covers."""
    lists: Mapping[str, Sequence[Selector]] = {
        "protected": policy.brake.protected,
        "approvers": policy.brake.approvers,
    }
    for name, listed in lists.items():
        for at, asked in enumerate(listed):
            for place, other in enumerate(listed):
                covers = place != at and implies(asked, other)
                if covers and (place < at or not implies(other, asked)):
                    told = f"a selector of `{name}` adds nobody: {asked.text} is covered by {other.text}"
                    yield _warning(file, policy.brake.place, told)
                    break


def _expired(policy: Policy, file: str, today: date) -> Iterator[Problem]:
    for each in policy.exceptions:
        if each.until < today:
            yield _warning(file, each.place, _over(each))


def _unused_classes(policy: Policy, file: str) -> Iterator[Problem]:
    for name, place in policy.retention.unused.items():
        yield _warning(file, place, f"no room names the retention class `{name}` by `retain`; is it meant?")


def _over(exemption: Exemption) -> str:
    return (
        f"the exception for {exemption.person} was over after {exemption.until}; take it out, or ask {exemption.owner}"
    )


def _warning(file: str, place: tuple[int, int], message: str) -> Problem:
    return Problem(file, *place, message, "warning")
