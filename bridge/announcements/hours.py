"""The working hours of one person, by the clock where they work (pure).

Moments have a time zone and come back in UTC. Weeks are by the clock on the wall: where that is put forward or back, a
stretch begins and ends when the clock shows it, the first time it is reached and the last time it is left. What waits
for them is for `release` to say, when people are left in peace for `quiet`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bridge.directory.local_day import place_of
from bridge.directory.person import Attributes, Person, Standing, attributes_of, works_here
from bridge.directory.selector import matches
from bridge.policy.working_time import ALWAYS, DAY, EVERYWHERE, Week, WorkingTime

FARTHEST = timedelta(days=400)
"""Whoever does not work within so long has no next day: a year of holidays is a mistake, not a calendar."""
_EARLIER = timedelta(days=2)
"""What began then may still last."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When one person works."""

    zone: ZoneInfo
    week: Week = ALWAYS
    holidays: frozenset[date] = frozenset()
    """On these days no stretch begins."""
    away: bool = False
    """On leave, or not employed: there are no hours."""


def is_within(hours: Hours, moment: datetime) -> bool:
    """Tell whether the person works at that moment."""
    return any(begins <= moment < ends for begins, ends in _around(hours, moment))


def next_start(hours: Hours, moment: datetime) -> datetime | None:
    """Return the moment itself within the person's hours, else when the next ones begin; None: not in sight."""
    moment = moment.astimezone(UTC)
    if hours.away or not hours.week:
        return None
    if is_within(hours, moment):
        return moment
    day = _local(hours.zone, moment).date()
    found = (
        begins
        for begins, _ in stretches(hours.week, hours.zone, day, day + FARTHEST, hours.holidays)
        if begins > moment
    )
    return next(found, None)


def stretches(
    week: Week, zone: ZoneInfo, first: date, last: date, holidays: frozenset[date] = frozenset()
) -> Iterator[tuple[datetime, datetime]]:
    """Yield when the stretches that begin on these days begin and end, by their days; none that begins on a holiday.

    One that lies within an hour that the clock leaves out is none.
    """
    by_day = [[span for span in week if span.day == day] for day in range(7)]
    day = first
    while day <= last:
        for span in () if day in holidays else by_day[day.weekday()]:
            begins, ends = at_clock(zone, day, span.begins), at_clock(zone, day, span.ends, last=True)
            if begins < ends:
                yield begins, ends
        day += timedelta(days=1)


def at_clock(zone: ZoneInfo, day: date, minutes: int, *, last: bool = False) -> datetime:
    """Return when the clock shows a time so many minutes after a day's midnight, in UTC.

    A time that comes twice is the first, or the `last`; one that is left out is the moment at which it is.
    """
    day += timedelta(days=minutes // DAY)
    shown = datetime.combine(day, time(*divmod(minutes % DAY, 60)), zone)
    early, late = shown.replace(fold=0).astimezone(UTC), shown.replace(fold=1).astimezone(UTC)
    if late >= early:
        return late if last else early
    return _leap(zone, late, early)


def hours_of(person: Person, policy: WorkingTime | None, day: date, timezone: str) -> Hours:
    """Return the hours of a person, as of that day; without a policy all of them.

    `timezone` is that of people without their own.
    """
    zone = place_of(person, timezone)
    away = not works_here(person, day) or is_on_leave(person)
    if policy is None:
        return Hours(zone, away=away)
    attributes = attributes_of(person, day)
    shift = next((shift.week for shift in policy.shifts if matches(shift.people, attributes)), policy.week)
    return Hours(zone, shift, holidays_of(policy, places_of(policy, attributes, zone)), away)


def is_on_leave(person: Person) -> bool:
    """Tell whether HR says that the person is away for a while."""
    return Standing.AWAY in person.other.get("standing", ())


def places_of(policy: WorkingTime, attributes: Attributes, zone: ZoneInfo) -> tuple[str, ...]:
    """Return under which names the policy may speak of where somebody works: countries first, then the time zone."""
    countries = attributes.get(policy.country, ()) if policy.country else ()
    return *(str(each).lower() for each in countries), zone.key


def holidays_of(policy: WorkingTime, places: tuple[str, ...]) -> frozenset[date]:
    """Return the holidays of everybody and of these places."""
    return _union(policy.holidays, (EVERYWHERE, *places))


def _union(of: Mapping[str, frozenset[date]], names: tuple[str, ...]) -> frozenset[date]:
    return frozenset[date]().union(*(of[name] for name in names if name in of))


def _around(hours: Hours, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    if hours.away:
        return iter(())
    day = _local(hours.zone, moment).date()
    return stretches(hours.week, hours.zone, day - _EARLIER, day, hours.holidays)


def _local(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.astimezone(zone)


def _leap(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the moment between these two, to the second, at which the clock is put forward."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
