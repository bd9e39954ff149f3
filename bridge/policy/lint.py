"""What in a good policy is probably not meant: rules that say the same, exceptions that are over, unused classes. Pure.

What only the directory can tell is not asked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from bridge.errors import Problem
from bridge.policy.schema import Exemption, Policy, Room


def warnings(policy: Policy, file: str, today: date) -> tuple[Problem, ...]:
    """Return what is to be looked at, in the order of the file; `file` is the name to report it under."""
    found = [*_twins(policy, file), *_expired(policy, file, today), *_unused_classes(policy, file)]
    return tuple(sorted(found))


def _twins(policy: Policy, file: str) -> Iterator[Problem]:
    """Yield each rule that makes the same rooms for the same people as one before it."""
    seen: dict[object, Room] = {}
    for room in policy.rooms.values():
        first = seen.setdefault((room.kind, room.for_each, room.members.normal), room)
        if first is not room:
            told = f"`{room.id}` is a room of the same kind for the same people as `{first.id}`; is it meant?"
            yield _warning(file, room.place, told)


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
