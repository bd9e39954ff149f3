"""Who is asked to come when help is needed, and who is next (pure).

A line is groups of people, the first to be asked first. A whole group is asked at once; while too few have accepted,
the next group is asked after a while, and each refusal of somebody asked since the last group brings the next person of
the line at once. Asking, and taking the answers, is left to the caller, who gives what is recorded and may ask again at
any moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.ids import UserId


@dataclass(frozen=True, slots=True)
class Terms:
    """How many must come, and how long a group has to answer."""

    needed: int = 1
    escalate: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who was asked."""

    user_id: UserId
    at: datetime
    instead: bool = False
    """In place of one who refused; else with the group."""
    accepts: bool | None = None
    """The newest answer; None before there is one."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is due now."""

    ask: tuple[UserId, ...] = ()
    """To be asked as a group."""
    instead: tuple[UserId, ...] = ()
    """To be asked in place of those who refused."""
    next_at: datetime | None = None
    """When to decide again although nobody has answered; None: never."""


def decide(line: Sequence[Sequence[UserId]], asked: Iterable[Asked], terms: Terms, now: datetime) -> Call:
    """Return who is to be asked now, and when to look again.

    Nobody is asked twice, however often the line names them; who is in no group any more stays asked. When enough have
    accepted nobody more is asked.
    """
    known = {each.user_id: each for each in asked}
    groups = [group for group in _distinct(line) if group]
    if len(accepted(known.values())) >= terms.needed:
        return Call()
    called_at = max((each.at for each in known.values() if not each.instead), default=None)
    due = called_at is None or now >= called_at + terms.escalate
    group = next((left for left in _unasked(groups, known)), ()) if due else ()
    waiting = [user for left in _unasked(groups, known) for user in left if user not in group]
    since = [each for each in known.values() if called_at is None or each.at >= called_at]
    refused = sum(each.accepts is False for each in since)
    replaced = sum(each.instead for each in since)
    instead = tuple(waiting[: max(0, refused - replaced)]) if not group else ()
    exhausted = len(waiting) == len(instead)
    if exhausted or (called_at is None and not group):
        return Call(group, instead)
    return Call(group, instead, (now if group or called_at is None else called_at) + terms.escalate)


def accepted(asked: Iterable[Asked]) -> tuple[UserId, ...]:
    """Return who comes, in the order of asking."""
    return tuple(each.user_id for each in asked if each.accepts)


def reachable(asked: Iterable[Asked]) -> tuple[UserId, ...]:
    """Return who is to be told more: everybody asked who has not refused."""
    return tuple(each.user_id for each in asked if each.accepts is not False)


def _unasked(groups: Sequence[Sequence[UserId]], known: Mapping[UserId, Asked]) -> Iterable[tuple[UserId, ...]]:
    for group in groups:
        left = tuple(user for user in group if user not in known)
        if left:
            yield left


def _distinct(line: Sequence[Sequence[UserId]]) -> list[tuple[UserId, ...]]:
    """Return the groups without those whom an earlier one names."""
    seen: set[UserId] = set()
    groups = []
    for group in line:
        groups.append(tuple(user for user in dict.fromkeys(group) if user not in seen))
        seen.update(group)
    return groups
