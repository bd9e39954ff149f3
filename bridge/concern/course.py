"""What is due with a report that is open (pure): who is asked now, when to look again, and whether all was in vain.

The order of asking is `announcements.on_call`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.announcements.on_call import Asked, Call, Terms, accepted, decide
from bridge.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class Report:
    """A report, as it is kept."""

    number: int
    kind: str
    anonymous: bool
    alias: str
    line: tuple[tuple[UserId, ...], ...]
    terms: Terms
    opened_at: datetime
    room_id: RoomId | None = None
    closed_at: datetime | None = None
    closed_by: UserId | None = None
    words: str = ""
    """What the reporter said so far; empty when it is closed."""
    touched: int = 0
    boards: int = 0
    """How often the pinned message was put."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody who was asked to take a report."""

    user_id: UserId
    at: datetime
    instead: bool
    takes: bool | None
    joined: bool


@dataclass(frozen=True, slots=True)
class Due:
    """What is due now."""

    call: Call
    next_at: datetime | None
    """When to look again."""
    in_vain: bool
    """Everybody was asked, had the time to answer, and too few take it."""


def due(report: Report, asks: Sequence[Ask], now: datetime) -> Due:
    """Return what is due with a report; of a closed one nothing is."""
    if report.closed_at is not None:
        return Due(Call(), None, in_vain=False)
    asked = [Asked(each.user_id, each.at, each.instead, each.takes) for each in asks]
    call = decide(report.line, asked, report.terms, now)
    if len(accepted(asked)) >= report.terms.needed:
        return Due(call, None, in_vain=False)
    if call.next_at is not None:
        return Due(call, call.next_at, in_vain=False)
    newest = now if call.ask or call.instead else max((each.at for each in asks), default=report.opened_at)
    over = newest + report.terms.escalate
    waits = any(each.takes is None for each in asks) or bool(call.ask or call.instead)
    in_vain = not waits or now >= over
    return Due(call, None if in_vain else over, in_vain)


def is_taken(report: Report, asks: Sequence[Ask]) -> bool:
    """Tell whether enough have taken it."""
    return sum(each.takes is True for each in asks) >= report.terms.needed


def needs_room(asks: Sequence[Ask]) -> tuple[list[UserId], list[UserId]]:
    """Return who is to be brought into the room, and who is to leave it, having refused."""
    coming = [each.user_id for each in asks if not each.joined and each.takes is not False]
    going = [each.user_id for each in asks if each.joined and each.takes is False]
    return coming, going


def time_open(report: Report, now: datetime) -> timedelta:
    """Return for how long it has been open."""
    return (report.closed_at or now) - report.opened_at
