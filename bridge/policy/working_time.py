"""When people work and when they are left in peace, as the policy says it: weeks by the clock on the wall. Pure.

`spans` and `times` read what administrators and employees write (`mon-fri 08:00-17:00`; `18:00-08:00, weekend`). What
that means for one person at one moment is for `bridge.announcements.hours` and `quiet` to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from bridge.directory.selector import Selector

DAY = 24 * 60
"""Minutes."""
EVERYWHERE = "all"
"""What stands for every country and time zone where holidays are listed."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time that comes every week, by the local clock."""

    day: int
    """On which it begins; 0 is Monday."""
    begins: int
    """Minutes after that day's midnight."""
    ends: int
    """Minutes after the same midnight; more than `DAY` is on the next day. Never more than a day after `begins`."""


Week = tuple[Span, ...]
"""Sorted."""

ALWAYS: Week = tuple(Span(day, 0, DAY) for day in range(7))
"""The week of a company that has not said when it works: nothing waits."""


@dataclass(frozen=True, slots=True)
class Times:
    """When somebody is left in peace: stretches of the week, and perhaps days that are none of the week's."""

    spans: Week = ()
    holidays: bool = False
    """Also all day on holidays."""
    leave: bool = False
    """Also all the time while on leave."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The working week of certain people."""

    people: Selector
    week: Week


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """What stands under `hours:`."""

    week: Week
    """Of whoever has no shift."""
    shifts: tuple[Shift, ...] = ()
    """The first whose people somebody belongs to counts."""
    holidays: Mapping[str, frozenset[date]] = field(default_factory=dict)
    """Country in lower case, time zone or `EVERYWHERE` → days on which nobody begins to work."""
    country: str | None = None
    """The attribute that says in which country somebody works: a lower-case path."""
    laws: Mapping[str, Times] = field(default_factory=dict)
    """Country in lower case or time zone → when whoever works there has to be left in peace."""
    quiet: Selector | None = None
    """Who is left in peace outside the own hours, unless they choose otherwise."""


class WrongTimesError(ValueError):
    """Not a time as it is written here; the message says what was expected and what came."""


def times(written: str) -> Times:
    """Return the times that a text such as `18:00-08:00, weekend, holidays, leave` says; raise `WrongTimesError`."""
    items = [item.strip().lower() for item in written.split(",")]
    words = {"holidays", "leave"}
    return Times(
        spans=_week([item for item in items if item not in words]),
        holidays="holidays" in items,
        leave="leave" in items,
    )


def week(written: str) -> Week:
    """Return the stretches that a text such as `mon-thu 08:00-17:00, fri 08:00-14:00` says.

    Without days it is every day, without a time the whole day; one that ends before it begins ends on the next day.
    Raises `WrongTimesError`.
    """
    return _week([item.strip().lower() for item in written.split(",")])


def in_words(of: Times) -> str:
    """Return the times as one would write them."""
    said = [_words(days, begins, ends) for (begins, ends), days in _by_clock(of.spans).items()]
    said += [word for word, holds in (("holidays", of.holidays), ("leave", of.leave)) if holds]
    return ", ".join(said)


def _week(items: list[str]) -> Week:
    return tuple(sorted({span for item in items for span in _spans(item)}))


def _spans(item: str) -> list[Span]:
    parts = item.split()
    if not 1 <= len(parts) <= 2:
        raise WrongTimesError(f"expected days and a time, such as mon-fri 08:00-17:00, came `{item}`")
    days = _read_days(parts[0]) if parts[0][:1].isalpha() else None
    if len(parts) == 2 and days is None:
        raise WrongTimesError(f"expected days such as mon-fri or weekend before the time, came `{parts[0]}`")
    begins, ends = (0, DAY) if len(parts) == 1 and days is not None else _read_clock(parts[-1])
    return [Span(day, begins, ends) for day in (range(7) if days is None else days)]


def _read_days(written: str) -> list[int]:
    if written == "weekend":
        return [5, 6]
    first, _, last = written.partition("-")
    if first not in _DAYS or (last or first) not in _DAYS or written.endswith("-"):
        raise WrongTimesError(f"expected days such as mon, mon-fri or weekend, came `{written}`")
    begins, ends = _DAYS.index(first), _DAYS.index(last or first)
    return [(begins + number) % 7 for number in range((ends - begins) % 7 + 1)]


def _read_clock(written: str) -> tuple[int, int]:
    first, _, last = written.partition("-")
    begins, ends = _minutes(first), _minutes(last)
    if begins is None or ends is None or begins in (DAY, ends):
        raise WrongTimesError(f"expected a time such as 08:00-17:00, came `{written}`")
    return begins, ends if ends > begins else ends + DAY


def _minutes(written: str) -> int | None:
    found = _TIME.fullmatch(written)
    minutes = int(found[1]) * 60 + int(found[2]) if found else DAY + 1
    return minutes if minutes <= DAY else None


def _by_clock(spans: Week) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    for span in sorted(spans, key=lambda each: (-(each.ends - each.begins < DAY), each.begins, each.ends, each.day)):
        found.setdefault((span.begins, span.ends), []).append(span.day)
    return found


def _words(days: list[int], begins: int, ends: int) -> str:
    clock = "" if ends - begins == DAY and not begins else f"{_clock(begins)}-{_clock(ends)}"
    if len(days) == 7 and clock:
        return clock
    return ", ".join(f"{run} {clock}".strip() for run in _runs(days))


def _runs(days: list[int]) -> list[str]:
    """Return days that follow each other as one: `mon-fri`."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    named = [_DAYS[run[0]] if len(run) == 1 else f"{_DAYS[run[0]]}-{_DAYS[run[-1]]}" for run in runs]
    return ["weekend" if name == "sat-sun" else name for name in named]


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes if minutes == DAY else minutes % DAY, 60)
    return f"{hour:02}:{minute:02}"
