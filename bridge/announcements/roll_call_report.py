"""How fast a roll call was: delivery and answers, as percentiles, and who was never reached (pure).

A percentile is the nearest rank: the smallest time within which at least that share had answered, counted among those
who answered. Who did not is counted beside it and never left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from bridge.announcements.roll_call import Present, RollCall, by_department, by_site, count, silent
from bridge.announcements.roll_call_text import MOST_NAMES, heading, named

_SHARES = (0.5, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took for some people, from the start of the roll call; seconds."""

    of: int
    """People, or rooms."""
    done: int
    """Of them, those for whom it came to pass."""
    half: float | None
    """Within so long half of those; None when there are none."""
    most: float | None
    """Within so long nine of ten."""
    last: float | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message that was to be delivered: to a room, or to somebody."""

    to_room: bool
    at: datetime | None
    """None: it was not."""


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one roll call."""

    answers: Times
    sites: Mapping[str, Times]
    departments: Mapping[str, Times]
    rooms: Times
    personal: Times
    channels: Mapping[str, Times]
    unreached: tuple[Present, ...]
    """To whom nothing could be delivered, by whatever way."""
    silent: tuple[Present, ...]


def report_of(
    call: RollCall,
    people: Sequence[Present],
    deliveries: Iterable[Delivered],
    outward: Mapping[str, Sequence[datetime | None]],
    reached_outward: frozenset[str],
) -> Report:
    """Return the figures; `outward` is for each second channel when each of its messages went out, or None.

    `reached_outward` are the user IDs to whom a second channel took a message.
    """
    delivered = list(deliveries)
    unheard = [person for person in people if person.delivered_at is None and person.answer is None]
    return Report(
        answers=_answers(call, people),
        sites={name: _answers(call, members) for name, members in by_site(people)},
        departments={name: _answers(call, members) for name, members in by_department(people)},
        rooms=times(call.started_at, [each.at for each in delivered if each.to_room]),
        personal=times(call.started_at, [each.at for each in delivered if not each.to_room]),
        channels={name: times(call.started_at, moments) for name, moments in outward.items()},
        unreached=tuple(person for person in unheard if person.user_id not in reached_outward),
        silent=tuple(silent(people)),
    )


def times(start: datetime, moments: Iterable[datetime | None]) -> Times:
    """Return how long it took from the start until each of the moments; None: it never came."""
    everything = list(moments)
    seconds = sorted(max(0.0, (moment - start).total_seconds()) for moment in everything if moment is not None)
    half, most, last = (percentile(seconds, share) for share in _SHARES)
    return Times(len(everything), len(seconds), half, most, last)


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values, `share` above 0 and at most 1; None when there are none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def as_text(call: RollCall, report: Report, people: Sequence[Present], zone: tzinfo) -> str:
    """Return the report as a person reads it."""
    counted = count(people)
    ended = f" to {call.ended_at.astimezone(zone):%H:%M:%S}" if call.ended_at else ", not over yet"
    return "\n".join(
        [
            f"{heading(call)} · timing report of {call.id}{f' – {call.site}' if call.site else ''}",
            f"{call.started_at.astimezone(zone):%Y-%m-%d %H:%M:%S}{ended}",
            "",
            f"Of {counted.people:,} people {counted.safe:,} safe, {counted.help:,} in need, {counted.silent:,} silent.",
            f"Delivered to rooms: {_told(report.rooms)}",
            f"Delivered to people: {_told(report.personal)}",
            *(f"By {name}: {_told(found)}" for name, found in report.channels.items()),
            f"Answers: {_told(report.answers)}",
            *_group("By site", report.sites),
            *_group("By department", report.departments),
            *_listed("Never reached", report.unreached),
            *_listed("Never answered", report.silent),
        ]
    )


def as_json(call: RollCall, report: Report, people: Sequence[Present]) -> dict[str, Any]:
    """Return the report for scripts, with everybody in it."""
    counted = count(people)
    return {
        "id": call.id,
        "drill": call.drill,
        "site": call.site,
        "started_at": call.started_at.isoformat(),
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "people": counted.people,
        "safe": counted.safe,
        "help": counted.help,
        "silent": counted.silent,
        "answers": asdict(report.answers),
        "sites": {name: asdict(found) for name, found in report.sites.items()},
        "departments": {name: asdict(found) for name, found in report.departments.items()},
        "rooms": asdict(report.rooms),
        "personal": asdict(report.personal),
        "channels": {name: asdict(found) for name, found in report.channels.items()},
        "never_reached": [person.user_id for person in report.unreached],
        "never_answered": [person.user_id for person in report.silent],
    }


def _answers(call: RollCall, people: Iterable[Present]) -> Times:
    return times(call.started_at, [person.answered_at if person.answer else None for person in people])


def _told(found: Times) -> str:
    if found.half is None or found.most is None or found.last is None:
        return f"0 of {found.of:,}"
    return (
        f"{found.done:,} of {found.of:,}; half within {_span(found.half)}, nine of ten within {_span(found.most)}, "
        f"the last after {_span(found.last)}"
    )


def _group(title: str, groups: Mapping[str, Times]) -> list[str]:
    if len(groups) < 2 and not any(groups):
        return []
    lines = [f"  {name or 'unknown'}: {_told(found)}" for name, found in list(groups.items())[:MOST_NAMES]]
    more = len(groups) - MOST_NAMES
    return ["", f"{title}:", *lines, *([f"  … and {more:,} more"] if more > 0 else [])]


def _listed(title: str, people: Sequence[Present]) -> list[str]:
    return ["", f"{title} ({len(people):,}): {named(people)}"] if people else []


def _span(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return (
        str(timedelta(seconds=round(seconds))) if seconds >= 3600 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
    )
