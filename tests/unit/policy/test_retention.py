"""How long what is said in a room is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ids import RoomKey
from bridge.policy.lint import warnings
from bridge.policy.loader import load
from bridge.policy.period import Period, parse
from bridge.policy.retention import retention_of

POLICY = """
version: 1
company: Nordwind
rooms:
  canteen: {name: Canteen, members: active eq true, retain: short}
  town-square: {name: Town square, members: title pr}
  department: {for_each: department, name: "{department}", retain: 6mo}
  board: {name: Board, members: department eq "Board"}
  lunch: {name: Lunch, members: department eq "IT", retain: forever}
archive:
  retain:
    default: 7y
    classes: {short: 30d, long: forever}
    rooms: {town-square: 8w, board: long}
"""


@pytest.mark.parametrize(
    ("room", "period"),
    [
        ("canteen", Period(days=30)),
        ("town-square", Period(days=56)),
        ("department/Sales", Period(months=6)),
        ("board", None),
        ("lunch", None),
        ("administrators", Period(months=84)),
        (None, Period(months=84)),
    ],
)
def test_a_room_is_kept_as_its_rule_says_and_else_by_default(room: str | None, period: Period | None) -> None:
    """By a class or a period, for all rooms of a rule; a room that people made themselves has the default."""
    policy = load(POLICY, "policy.yaml")
    assert retention_of(policy, None if room is None else RoomKey(room)) == period


def test_without_a_word_everything_is_kept() -> None:
    """Nothing is disposed of that nobody has asked to dispose of."""
    policy = load("version: 1\ncompany: Nordwind\narchive: {retain: {rooms: {administrators: 1y}}}\n", "policy.yaml")
    assert retention_of(policy, RoomKey("town-square")) is None
    assert retention_of(load("version: 1\ncompany: Nordwind\n", "policy.yaml"), None) is None


def test_a_class_that_no_room_names_is_told() -> None:
    """It may be a room that was forgotten."""
    text = POLICY.replace("board: long", "board: short")
    found = warnings(load(text, "policy.yaml"), "policy.yaml", datetime(2027, 3, 1, tzinfo=UTC).date())
    assert [str(each) for each in found] == [
        "policy.yaml:13:33: warning: no room names the retention class `long` by `retain`; is it meant?"
    ]


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        ("2027-01-31", "1mo", "2027-02-28"),
        ("2028-02-29", "1y", "2029-02-28"),
        ("2027-11-15", "2mo", "2028-01-15"),
        ("2027-12-31", "1d", "2028-01-01"),
        ("2027-03-01", "2w", "2027-03-15"),
        ("2027-03-01", "7y", "2034-03-01"),
    ],
)
def test_a_period_goes_by_the_calendar(start: str, period: str, end: str) -> None:
    """A year ends on the same day of the year, a month on the same day of the month or on its last."""
    found = parse(period)
    assert found is not None
    assert found.after(datetime.fromisoformat(start).replace(tzinfo=UTC)).date().isoformat() == end


moments = st.datetimes(datetime(1971, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st adds UTC
periods = st.builds("{}{}".format, st.integers(1, 100), st.sampled_from(["y", "mo", "w", "d"])).map(parse)


@given(moments, moments, periods)
def test_what_was_said_earlier_is_over_no_later(one: datetime, other: datetime, period: Period) -> None:
    """A period ends after it begins, and the order in which things were said is that in which they may go."""
    first, second = sorted((one, other))
    assert first + timedelta(days=1) <= period.after(first) <= period.after(second)


@given(periods)
def test_a_period_is_written_as_it_is_read(period: Period) -> None:
    """What a person is shown can be put into the policy."""
    assert parse(str(period)) == period


@pytest.mark.parametrize("written", ["", "7", "y", "0d", "-1y", "1.5y", "7Y", "12h", "6m", "101y", "1201mo", "1y6mo"])
def test_what_is_no_period_is_none(written: str) -> None:
    """Units are years, months, weeks and days, and a century is the longest."""
    assert parse(written) is None
