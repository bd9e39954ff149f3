"""When somebody works, and when that begins again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.hours import Hours, at_clock, hours_of, is_within, next_start
from bridge.directory.person import Person
from bridge.directory.selector import parse
from bridge.ids import PersonId
from bridge.policy.working_time import DAY, Shift, Span, WorkingTime, week

TALLINN = ZoneInfo("Europe/Tallinn")
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Hours(TALLINN, week("mon-fri 08:00-17:00"))
NIGHT = Hours(BERLIN, week("mon-fri 22:00-06:00"))

_ZONES = st.sampled_from(
    [
        *("UTC", "Europe/Tallinn", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"),
        *("America/St_Johns", "Pacific/Chatham", "Antarctica/Troll", "Pacific/Kiritimati", "America/Santiago"),
        *("Africa/Cairo", "Asia/Beirut", "America/Nuuk", "Europe/Dublin"),
    ]
).map(ZoneInfo)
_MOMENTS = st.integers(0, 7 * 365 * 86400).map(lambda after: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(0, after))
_LONG_SPANS = st.builds(
    lambda day, begins, length: Span(day, begins, begins + length),
    st.integers(0, 6),
    st.integers(0, DAY - 1),
    st.integers(180, DAY),
)
_WEEKS = st.lists(_LONG_SPANS, min_size=1, max_size=7).map(lambda spans: tuple(sorted(set(spans))))


def _at(zone: ZoneInfo, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("hours", "now", "starts"),
    [
        (OFFICE, "2027-03-01 06:30", "2027-03-01 08:00"),  # a Monday
        (OFFICE, "2027-03-01 08:00", "2027-03-01 08:00"),
        (OFFICE, "2027-03-01 16:59", "2027-03-01 16:59"),
        (OFFICE, "2027-03-01 17:00", "2027-03-02 08:00"),
        (OFFICE, "2027-03-05 17:00", "2027-03-08 08:00"),
        (NIGHT, "2027-03-06 05:59", "2027-03-06 05:59"),  # the night of Friday
        (NIGHT, "2027-03-06 06:00", "2027-03-08 22:00"),
        (NIGHT, "2027-03-08 21:59", "2027-03-08 22:00"),
    ],
)
def test_what_waits_waits_for_the_next_start(hours: Hours, now: str, starts: str) -> None:
    """Within the hours it waits for nothing; else for the next shift, over nights and weekends."""
    assert next_start(hours, _at(hours.zone, now)) == _at(hours.zone, starts)


def test_nobody_begins_on_a_holiday() -> None:
    """The night that began before it goes on."""
    holiday = date(2027, 2, 24)  # a Wednesday
    office = Hours(TALLINN, week("mon-fri 08:00-17:00"), frozenset({holiday}))
    assert next_start(office, _at(TALLINN, "2027-02-23 18:00")) == _at(TALLINN, "2027-02-25 08:00")
    night = Hours(TALLINN, week("mon-fri 22:00-06:00"), frozenset({holiday}))
    assert is_within(night, _at(TALLINN, "2027-02-24 05:00"))
    assert not is_within(night, _at(TALLINN, "2027-02-25 05:00"))


def test_whoever_is_away_has_no_start_in_sight() -> None:
    """Nor has somebody whose week is empty, or who has a year of holidays."""
    now = _at(TALLINN, "2027-03-01 10:00")
    assert next_start(Hours(TALLINN, away=True), now) is None
    assert not is_within(Hours(TALLINN, away=True), now)
    assert next_start(Hours(TALLINN, ()), now) is None
    year = frozenset(now.date() + timedelta(days=number) for number in range(-2, 410))
    assert next_start(Hours(TALLINN, week("mon 08:00-17:00"), year), now) is None


def test_a_time_that_the_clock_leaves_out_is_when_it_leaps() -> None:
    """On 28 March 2027 Berlin's clock shows no 02:30; a shift that begins then begins at 03:00."""
    day = date(2027, 3, 28)
    assert at_clock(BERLIN, day, 150) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    early = Hours(BERLIN, week("sun 02:30-04:00"))
    assert next_start(early, _at(BERLIN, "2027-03-28 00:00")) == _at(BERLIN, "2027-03-28 03:00")
    left_out = Hours(BERLIN, week("sun 02:10-02:50"))
    assert next_start(left_out, _at(BERLIN, "2027-03-28 00:00")) == _at(BERLIN, "2027-04-04 02:10")


def test_a_time_that_comes_twice_begins_early_and_ends_late() -> None:
    """On 31 October 2027 Berlin's clock shows 02:30 at 00:30 and at 01:30 UTC."""
    night = Hours(BERLIN, week("sat 22:00-02:30"))
    assert is_within(night, datetime(2027, 10, 31, 1, 29, tzinfo=UTC))
    assert not is_within(night, datetime(2027, 10, 31, 1, 30, tzinfo=UTC))
    early = Hours(BERLIN, week("sun 02:30-10:00"))
    now = datetime(2027, 10, 30, 22, tzinfo=UTC)
    assert next_start(early, now) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


@given(_WEEKS, _ZONES, _MOMENTS)
def test_the_next_start_is_within_hours_and_at_most_eight_days_away(
    spans: tuple[Span, ...], zone: ZoneInfo, moment: datetime
) -> None:
    """In every zone of the world, whatever its clock does, with at least one shift of three hours in the week."""
    hours = Hours(zone, spans)
    found = next_start(hours, moment)
    assert found is not None
    assert moment <= found <= moment + timedelta(days=8)
    assert is_within(hours, found)
    assert found == moment or not is_within(hours, found - timedelta(seconds=1))
    assert next_start(hours, found) == found


@given(_WEEKS, _ZONES, _MOMENTS)
def test_within_is_what_the_clock_on_the_wall_says(spans: tuple[Span, ...], zone: ZoneInfo, moment: datetime) -> None:
    """On a day and its neighbours without a leap of the clock, by the time that it shows."""
    shown = moment.astimezone(zone)
    near = {(moment + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-50, 51, 2)}
    if len(near) > 1:
        return
    minute = shown.hour * 60 + shown.minute
    expected = any(
        (shown.weekday() == (span.day + later) % 7 and span.begins <= minute + later * DAY < span.ends)
        for span in spans
        for later in (0, 1, 2)
    )
    assert is_within(Hours(zone, spans), moment) == expected


POLICY = WorkingTime(
    week=week("mon-fri 08:00-17:00"),
    shifts=(Shift(parse('shift eq "night"'), week("mon-fri 22:00-06:00")), Shift(parse("shift pr"), week("weekend"))),
    holidays={"all": frozenset({date(2027, 1, 1)}), "ee": frozenset({date(2027, 2, 24)}), "fi": frozenset()},
    country="country",
)


def _person(**other: str) -> Person:
    said = {name: (value,) for name, value in other.items()}
    return Person(PersonId("1"), "mari", "Mari", True, other=said)


def test_the_directory_says_when_somebody_works() -> None:
    """The time zone, the first shift somebody belongs to, the holidays of the country and everybody's."""
    day = date(2027, 3, 1)
    night = hours_of(_person(shift="night", country="EE", timezone="Europe/Tallinn"), POLICY, day, "UTC")
    assert night == Hours(
        TALLINN, week("mon-fri 22:00-06:00"), frozenset({date(2027, 1, 1), date(2027, 2, 24)}), away=False
    )
    other = hours_of(_person(), POLICY, day, "Europe/Berlin")
    assert other == Hours(BERLIN, week("mon-fri 08:00-17:00"), frozenset({date(2027, 1, 1)}))
    assert hours_of(_person(shift="?"), POLICY, day, "UTC").week == week("weekend")


def test_without_hours_in_the_policy_every_hour_is_one() -> None:
    """Nothing waits in a company that has not said when it works; whoever is on leave or gone is away all the same."""
    day = date(2027, 3, 1)
    anytime = hours_of(_person(), None, day, "UTC")
    assert is_within(anytime, datetime(2027, 3, 7, 3, 30, tzinfo=UTC))
    assert hours_of(_person(standing="away"), POLICY, day, "UTC").away
    gone = Person(PersonId("1"), "mari", "Mari", False)
    assert hours_of(gone, None, day, "UTC").away
