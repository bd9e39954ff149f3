"""When somebody is left in peace, and who says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.hours import Hours
from bridge.announcements.quiet import (
    HORIZON,
    Ground,
    Rest,
    Wish,
    read_choice,
    rest_of,
    stand,
    write_choice,
)
from bridge.directory.person import Person
from bridge.directory.selector import parse
from bridge.ids import PersonId
from bridge.policy.working_time import Times, WorkingTime, WrongTimesError, times, week

TALLINN = ZoneInfo("Europe/Tallinn")
OFFICE = Hours(TALLINN, week("mon-fri 08:00-17:00"), frozenset({date(2027, 2, 24)}))
LAW = ("ee", times("18:00-08:00, weekend, holidays"))
MONDAY = datetime(2027, 3, 1, tzinfo=TALLINN)

_CHOICES = st.sampled_from([*Wish, times("17:00-09:00"), times("mon 12:00-13:00"), times("weekend"), times("leave")])
_HOURS = st.builds(
    Hours,
    st.sampled_from(["Europe/Tallinn", "America/New_York", "Australia/Lord_Howe"]).map(ZoneInfo),
    st.sampled_from(["mon-fri 08:00-17:00", "mon-fri 22:00-06:00", "weekend", "12:00-11:00"]).map(week),
    st.sampled_from([frozenset(), frozenset({date(2027, 2, 24), date(2027, 3, 28)})]),
    st.booleans(),
)
_RESTS = st.builds(Rest, _HOURS, st.sampled_from([(), (LAW,)]), st.booleans(), _CHOICES, st.booleans())
_MOMENTS = st.integers(0, 334 * 86400).map(lambda after: datetime(2027, 1, 1, tzinfo=UTC) + timedelta(0, after))


def _clock(hour: float, day: int = 0) -> datetime:
    """That hour of a day of the week of 1 March 2027."""
    return MONDAY + timedelta(days=day, hours=hour)


@pytest.mark.parametrize(
    ("rest", "moment", "grounds", "until"),
    [
        (Rest(OFFICE), _clock(3), (), None),
        (Rest(OFFICE, (LAW,)), _clock(12), (), _clock(18)),
        (Rest(OFFICE, (LAW,)), _clock(17.5), (), _clock(18)),
        (Rest(OFFICE, (LAW,)), _clock(18), (Ground.LAW,), _clock(8, 1)),
        (Rest(OFFICE, (LAW,)), _clock(20, 4), (Ground.LAW,), _clock(8, 7)),
        (Rest(OFFICE, (LAW,)), datetime(2027, 2, 24, 12, tzinfo=TALLINN), (Ground.LAW,), _clock(8, -4)),
        (Rest(OFFICE, company=True), _clock(12), (), _clock(17)),
        (Rest(OFFICE, company=True), _clock(20, 4), (Ground.COMPANY,), _clock(8, 7)),
        (Rest(OFFICE, (LAW,), True, Wish.OFF), _clock(17.5), (), _clock(18)),
        (Rest(OFFICE, (LAW,), False, Wish.ON), _clock(17.5), (Ground.OWN,), _clock(8, 1)),
        (Rest(OFFICE, (LAW,), True, times("16:00-09:00")), _clock(16), (Ground.OWN,), _clock(9, 1)),
        (Rest(replace(OFFICE, away=True), company=True), _clock(12), (Ground.COMPANY,), None),
        (Rest(replace(OFFICE, away=True), (("ee", times("leave")),)), _clock(12), (Ground.LAW,), None),
        (Rest(OFFICE, (("ee", times("leave")),)), _clock(12), (), None),
        (Rest(OFFICE, company=True, choice=Wish.ON, planned=False), _clock(3), (), None),
    ],
)
def test_quiet_is_what_law_company_and_person_say(
    rest: Rest, moment: datetime, grounds: tuple[Ground, ...], until: datetime | None
) -> None:
    """The law always, the company's word unless one chose, one's own choice; and until when it is so."""
    found = stand(rest, moment)
    assert (found.grounds, found.until) == (grounds, until)


def test_the_law_does_not_silence_a_night_shift() -> None:
    """While people work, messages ring; after it the law holds again until its end."""
    night = Rest(Hours(TALLINN, week("mon-fri 22:00-06:00")), (LAW,))
    assert stand(night, _clock(21)).until == _clock(22)
    assert stand(night, _clock(23)) == stand(night, _clock(23.5))
    assert not stand(night, _clock(23)).is_quiet
    assert stand(night, _clock(6, 1)).grounds == (Ground.LAW,)
    assert stand(night, _clock(6, 1)).until == _clock(8, 1)


@given(_RESTS, _MOMENTS)
def test_nobody_can_choose_less_than_the_law(rest: Rest, moment: datetime) -> None:
    """What is quiet by law is quiet whatever one chooses."""
    by_law = Ground.LAW in stand(replace(rest, choice=Wish.DEFAULT), moment).grounds
    assert (Ground.LAW in stand(rest, moment).grounds) == by_law


@given(_RESTS, _MOMENTS)
def test_a_stand_lasts_until_it_says(rest: Rest, moment: datetime) -> None:
    """At every quarter of an hour before it the answer is the same, and then it is the other."""
    found = stand(rest, moment)
    end = found.until or moment + HORIZON
    assert moment < end <= moment + HORIZON
    between = moment
    while (between := between + timedelta(minutes=105)) < end:
        assert stand(rest, between).is_quiet == found.is_quiet
    if found.until is not None:
        assert stand(rest, found.until).is_quiet != found.is_quiet


@given(_CHOICES)
def test_a_choice_is_kept_in_the_words_it_was_made(choice: Wish | Times) -> None:
    """What is stored is what was chosen."""
    assert read_choice(write_choice(choice)) == choice


def test_a_choice_is_no_endless_list() -> None:
    """Nor anything that is no time."""
    with pytest.raises(WrongTimesError, match="too many"):
        read_choice(", ".join(f"{hour:02}:00-{hour:02}:30" for hour in range(10)))
    with pytest.raises(WrongTimesError, match="expected"):
        read_choice("sometimes")


def test_directory_and_policy_say_what_holds_for_somebody() -> None:
    """The laws of country and time zone, and whether the company leaves one in peace."""
    policy = WorkingTime(
        week=week("mon-fri 08:00-17:00"),
        country="country",
        laws={"ee": LAW[1], "Europe/Tallinn": times("weekend"), "fr": times("leave")},
        quiet=parse('not (title eq "Guard")'),
    )
    other = {"country": ("EE",), "timezone": ("Europe/Tallinn",), "title": ("Guard",)}
    person = Person(PersonId("1"), "mari", "Mari", True, other=other)
    found = rest_of(person, policy, Wish.ON, date(2027, 3, 1), "UTC")
    assert found.laws == (LAW, ("Europe/Tallinn", times("weekend")))
    assert found.choice is Wish.ON
    assert rest_of(replace(person, other={}), policy, Wish.ON, date(2027, 3, 1), "UTC").laws == ()
    assert rest_of(replace(person, other={}), policy, Wish.ON, date(2027, 3, 1), "UTC").company
    assert not rest_of(person, None, Wish.DEFAULT, date(2027, 3, 1), "UTC").planned
