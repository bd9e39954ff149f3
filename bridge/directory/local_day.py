"""Which day it is where somebody works, and when a day begins there. Pure.

The rules of time zones come from the IANA database through `zoneinfo`, which reads each zone once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.directory.person import Person
from bridge.ids import PersonId

DayOf = Callable[[Person], date]
"""Returns the day that it is for a person."""

SPREAD = timedelta(days=1)
"""Nowhere is the date further than this from UTC's."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A day on which an employment begins, or on which one is over."""

    person: PersonId
    day: date
    timezone: str | None
    """Of the place of work, as HR sent it."""


class LocalDays:
    """The days of one moment: a `DayOf`. Who has no time zone, or one that nobody knows, has the default's day."""

    def __init__(self, now: datetime, default: str = "UTC") -> None:
        self._now = now
        self._default = default
        self._days: dict[str | None, date] = {}

    def __call__(self, person: Person) -> date:
        """Return the person's day."""
        zone = _zone_name(person)
        day = self._days.get(zone)
        if day is None:
            day = self._days[zone] = self._now.astimezone(zone_of(zone, self._default)).date()
        return day


def everywhere(day: date) -> DayOf:
    """Return the `DayOf` that is this day for everybody, each at the own place."""
    return lambda _person: day


def is_zone(name: str) -> bool:
    """Tell whether the IANA database has a zone of that name."""
    return _zone(name) is not None


def zone_of(name: str | None, default: str) -> ZoneInfo:
    """Return the zone of that name, or the default zone; `default` is a name that `is_zone`."""
    return (_zone(name) if name else None) or ZoneInfo(default)


def place_of(person: Person, default: str) -> ZoneInfo:
    """Return the zone of the person's place of work; `default` is the company's."""
    return zone_of(_zone_name(person), default)


def begins(boundary: Boundary, default: str) -> datetime:
    """Return the moment at which the boundary's day begins at its place, in UTC.

    Where a clock is put forward at midnight the day begins at one o'clock, which is the moment that 0:00 names then.
    """
    midnight = datetime.combine(boundary.day, time(), zone_of(boundary.timezone, default))
    return midnight.astimezone(UTC)


def passed(boundaries: Iterable[Boundary], since: datetime, now: datetime, default: str) -> frozenset[PersonId]:
    """Return for whom a day of these has begun after `since` and not after `now`."""
    return frozenset(each.person for each in boundaries if since < begins(each, default) <= now)


def next_boundary(boundaries: Iterable[Boundary], now: datetime, default: str) -> datetime | None:
    """Return the first moment after `now` at which a day of these begins; None when there is none."""
    return min((moment for each in boundaries if (moment := begins(each, default)) > now), default=None)


def _zone_name(person: Person) -> str | None:
    zones = person.other.get("timezone")
    return str(zones[0]) if zones else None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # nobody's zone, no name at all, or a folder of zones
        return None
