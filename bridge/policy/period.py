"""How long a record is kept: so many years, months, weeks or days, by the calendar. Pure.

Which room's records are kept how long is for `retention`. Where there is no period, a record is kept for ever.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.document import Kind, Value, line

FOR_EVER = "forever"
"""How the policy writes that there is no period."""
_LONGEST = {"y": 100, "mo": 1200, "w": 5218, "d": 36525}
"""A century in each unit: what is longer is for ever, or a slip of the hand."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of the calendar: a year is not so many days."""

    months: int = 0
    days: int = 0

    def after(self, start: datetime) -> datetime:
        """Return when the period that begins with `start` is over, at the same time of day.

        A day that its month does not have is the month's last one: a month from 31 January is over on 28 February.
        """
        year, month = divmod(start.year * 12 + start.month - 1 + self.months, 12)
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        return start.replace(year=year, month=month + 1, day=day) + timedelta(days=self.days)

    def __str__(self) -> str:
        """Return the period as the policy writes it, in the largest unit that fits."""
        number, small, large, factor = (self.months, "mo", "y", 12) if self.months else (self.days, "d", "w", 7)
        return f"{number // factor}{large}" if number % factor == 0 else f"{number}{small}"


def parse(written: str) -> Period | None:
    """Return the period of `7y`, `6mo`, `8w` or `30d`; None for anything else, and for more than a century."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})(y|mo|w|d)", written)
    if match is None or int(match[1]) > _LONGEST[match[2]]:
        return None
    number = int(match[1])
    return {
        "y": Period(months=12 * number),
        "mo": Period(months=number),
        "w": Period(days=7 * number),
        "d": Period(days=number),
    }[match[2]]


def _period(value: Value) -> Period | None:
    written = line.make(value)
    found = parse(written)
    if found is None and written != FOR_EVER:
        value.expected(f"a period such as 7y, 6mo, 8w or 30d (at most 100y), or {FOR_EVER}")
    return found


period: Kind[Period | None] = Kind(_period, lambda: None)
"""`7y`, `6mo`, `8w`, `30d`; `forever` is None."""
