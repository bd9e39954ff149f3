"""Which day it is where somebody works."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.census import Census
from bridge.directory.local_day import Boundary, LocalDays, begins, is_zone, next_boundary, passed
from bridge.directory.person import Employment, Person
from bridge.ids import PersonId

ZONES = (None, "UTC", "Australia/Melbourne", "America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Pago_Pago")
CHANGING = ("Africa/Cairo", "America/Santiago", "Asia/Beirut", "America/Havana", "Atlantic/Azores")
"""Zones that put their clocks forward or back at midnight."""

days = st.dates(date(2024, 1, 1), date(2028, 12, 31))
moments = st.timedeltas(timedelta(), timedelta(days=1800)).map(lambda after: datetime(2024, 1, 1, tzinfo=UTC) + after)
boundaries = st.lists(
    st.builds(Boundary, st.sampled_from("abc").map(PersonId), days, st.sampled_from(ZONES + CHANGING)), max_size=8
)


def somebody(zone: str | None, *jobs: Employment) -> Person:
    other = {} if zone is None else {"timezone": (zone,)}
    return Person(PersonId("a"), "a", "A", active=True, employments=jobs, other=other)


@pytest.mark.parametrize(
    ("zone", "works"),
    [
        ("Australia/Melbourne", False),
        ("UTC", True),
        ("America/Los_Angeles", True),
        ("Mars/Phobos", False),
        ("America", False),
        ("../zone", False),
        ("", False),
        (None, False),
    ],
)
def test_the_last_day_ends_at_its_end_where_somebody_works(zone: str | None, works: bool) -> None:
    """At half past two in the afternoon of London, 1 March has begun in Melbourne; the default is used for no zone."""
    days_ = LocalDays(datetime(2027, 2, 28, 14, 30, tzinfo=UTC), "Australia/Melbourne")
    census = Census([somebody(zone, Employment(end=date(2027, 2, 28)))], days_)

    assert (0 in census.active) is works


def test_the_first_day_begins_at_its_midnight_where_somebody_works() -> None:
    """A hire of 1 March works in Melbourne while it is still February in Los Angeles."""
    days_ = LocalDays(datetime(2027, 2, 28, 14, 30, tzinfo=UTC))
    job = Employment(start=date(2027, 3, 1))
    census = Census([somebody("Australia/Melbourne", job), somebody("America/Los_Angeles", job)], days_)

    assert list(census.active) == [0]


@given(days, st.sampled_from(ZONES + CHANGING))
def test_a_day_begins_when_the_calendar_there_changes(day: date, zone: str | None) -> None:
    """At that moment it is the day, and a microsecond before it is an earlier one, also where clocks change."""
    moment = begins(Boundary(PersonId("a"), day, zone), "UTC")

    assert LocalDays(moment)(somebody(zone)) == day
    assert LocalDays(moment - timedelta(microseconds=1))(somebody(zone)) < day


@given(boundaries, moments, st.timedeltas(timedelta(), timedelta(days=400)))
def test_nobody_is_passed_by(some: list[Boundary], since: datetime, ahead: timedelta) -> None:
    """Whoever wakes at each next boundary acts on exactly the days that have begun meanwhile."""
    now = since + ahead
    acted, moment = set[PersonId](), since
    while (following := next_boundary(some, moment, "Asia/Tokyo")) is not None and following <= now:
        acted |= passed(some, moment, following, "Asia/Tokyo")
        moment = following

    assert acted == passed(some, since, now, "Asia/Tokyo")
    assert acted == {each.person for each in some if since < begins(each, "Asia/Tokyo") <= now}


def test_zones_are_those_of_the_iana_database() -> None:
    """A folder of the database, a name of Windows and a path are none."""
    assert [name for name in ("Europe/Tallinn", "Europe", "FLE Standard Time", "/etc", "") if is_zone(name)] == [
        "Europe/Tallinn"
    ]
