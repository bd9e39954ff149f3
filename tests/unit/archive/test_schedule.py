"""What of which room is over, and what names a preview."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.retention_text import preview_as_text
from bridge.archive.schedule import Limit, Preview, Room, Rule, Share, cutoff, limits, rule_for, seconds_to_night
from bridge.ids import RoomId, RoomKey
from bridge.policy.loader import load
from bridge.policy.period import Period
from bridge.policy.schema import Keep

POLICY = load(
    """
version: 1
company: Nordwind
rooms:
  canteen: {name: Canteen, members: active eq true, retain: 30d}
  department: {for_each: department, name: "{department}", retain: 6mo}
  board: {name: Board, members: title pr, retain: forever}
archive:
  retain: {default: 7y, direct: 8w, unmanaged: 2y}
""",
    "policy.yaml",
)
TODAY = date(2027, 3, 31)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PERIODS = st.one_of(
    st.integers(1, 1200).map(lambda count: Period(months=count)), st.integers(1, 36525).map(lambda n: Period(days=n))
)


def _room(key: str | None, *, direct: bool = False, speaks: bool = True, inhabited: bool = True) -> Room:
    return Room(RoomId("!r"), None if key is None else RoomKey(key), direct, LONG_AGO, speaks, inhabited)


@given(PERIODS, st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 40000))
def test_nothing_goes_before_its_period_is_over(period: Period, today: date, hours: int) -> None:
    """Whatever was sent before the cutoff: its period, counted from when it was sent, is over on that day."""
    before = cutoff(Rule("lunch", period, Keep()), today)
    assert before is not None
    sent = before - timedelta(hours=hours)
    assert period.after(sent) <= datetime(today.year, today.month, today.day, tzinfo=UTC)


@given(PERIODS, st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_what_is_over_goes_within_days(period: Period, today: date) -> None:
    """At the end of a month it may be three days late, never more."""
    before = cutoff(Rule("lunch", period, Keep()), today)
    assert before is not None
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    assert period.after(before + timedelta(days=4)) > midnight


@pytest.mark.parametrize(
    ("room", "name", "before"),
    [
        (_room("canteen"), "canteen", datetime(2027, 3, 1, tzinfo=UTC)),
        (_room("department/Sales"), "department", datetime(2026, 9, 30, tzinfo=UTC)),
        (_room("board"), "board", None),
        (_room("administrators"), "administrators", datetime(2020, 3, 31, tzinfo=UTC)),
        (_room(None, direct=True), "direct", datetime(2027, 2, 3, tzinfo=UTC)),
        (_room(None), "unmanaged", datetime(2025, 3, 31, tzinfo=UTC)),
    ],
)
def test_each_room_has_its_rule(room: Room, name: str, before: datetime | None) -> None:
    """Of the policy, or of what people made; months by the calendar."""
    rule = rule_for(POLICY, room)
    assert (rule.name, cutoff(rule, TODAY)) == (name, before)


@pytest.mark.parametrize(
    ("period", "keep", "before"),
    [
        (None, Keep(begins=date(2024, 1, 1)), date(2024, 1, 1)),
        (Period(days=30), Keep(begins=date(2024, 1, 1)), date(2027, 3, 1)),
        (Period(months=84), Keep(begins=date(2024, 1, 1)), date(2024, 1, 1)),
        (None, Keep(begins=date(2030, 1, 1)), TODAY),
        (Period(days=30), Keep(ends=date(2027, 4, 1)), None),
        (Period(days=30), Keep(ends=TODAY), date(2027, 3, 1)),
        (None, Keep(begins=date(2024, 1, 1), ends=date(2027, 4, 1)), None),
        (None, Keep(), None),
    ],
)
def test_days_bound_the_period(period: Period | None, keep: Keep, before: date | None) -> None:
    """`from` lets go what the period would keep, `until` keeps what all else would let go."""
    midnight = before and datetime(before.year, before.month, before.day, tzinfo=UTC)
    assert cutoff(Rule("lunch", period, keep), TODAY) == midnight


def test_state_goes_last() -> None:
    """What a room lives by stays as long as it has anything, or anybody, or something new."""
    rooms = [
        _room("canteen", speaks=True, inhabited=False),
        _room("canteen", speaks=False, inhabited=True),
        replace(_room("canteen", speaks=False, inhabited=False), newest=datetime(2027, 3, 2, tzinfo=UTC)),
        _room("canteen", speaks=False, inhabited=False),
    ]
    assert [limit.whole for _, limit in limits(POLICY, rooms, TODAY)] == [False, False, False, True]


def _share(room: str, count: int = 5, held: int = 0, positions: bytes = b"p") -> Share:
    limit = Limit(RoomId(room), datetime(2027, 3, 1, tzinfo=UTC), whole=False)
    rule = Rule("lunch", Period(days=30), Keep())
    return Share(rule, limit, room, count, held, LONG_AGO, LONG_AGO, 1234567, positions)


def test_a_digest_names_exactly_what_would_go() -> None:
    """Another room, number, hold or position gives another; how far was looked does not."""
    one = Preview(TODAY, 100, 1000, [_share("!a")])
    others = [[_share("!b")], [_share("!a", 6)], [_share("!a", held=1)], [_share("!a", positions=b"q")], []]
    assert len({one.digest, *(replace(one, shares=shares).digest for shares in others)}) == 6
    assert replace(one, upto=200, there=2000).digest == one.digest


def test_too_much_at_once_is_a_matter_of_what_is_there() -> None:
    """What is held back does not count."""
    found = Preview(TODAY, 100, 100, [_share("!a", 8, held=3)])
    assert not found.is_too_much(0.05)
    assert found.is_too_much(0.04)


def test_a_preview_reads_in_80_columns() -> None:
    """By rule and room, with what is held back, and how to carry it out."""
    shares = [_share(f"!{number:043}:nordwind.example", count=12345, held=12) for number in range(12)]
    found = Preview(TODAY, 10**6, 10**6, shares)
    text = preview_as_text(found)
    assert max(map(len, text.splitlines())) <= 80
    assert "lunch, kept 30d" in text
    assert "12,345 of 2020-01-01 to 2020-01-01, 1.2 MB; held back 12" in text
    assert "and 2 more rooms with 24,690" in text
    assert f"muster archive dispose --apply {found.digest[:12]}" in text
    assert preview_as_text(replace(found, shares=[])) == "Nothing is over: nothing would be disposed of."


def test_night_comes_once_a_day_where_the_company_is() -> None:
    """At two o'clock there; never at once again."""
    noon = datetime(2027, 1, 10, 12, tzinfo=UTC)
    assert seconds_to_night(noon, "UTC") == 14 * 3600
    assert seconds_to_night(noon, "Europe/Tallinn") == 12 * 3600
    assert seconds_to_night(noon + timedelta(hours=14), "UTC") == 24 * 3600
