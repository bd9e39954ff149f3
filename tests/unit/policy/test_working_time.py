"""Times of the week, as administrators and employees write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.working_time import DAY, Span, Times, WrongTimesError, in_words, times, week

_SPANS = st.builds(
    lambda day, begins, length: Span(day, begins, begins + length),
    st.integers(0, 6),
    st.integers(0, DAY - 1),
    st.integers(1, DAY - 1),
) | st.builds(lambda day: Span(day, 0, DAY), st.integers(0, 6))


@pytest.mark.parametrize(
    ("written", "spans"),
    [
        ("mon-fri 08:00-17:00", [Span(day, 480, 1020) for day in range(5)]),
        ("MON-TUE 22:00-06:00", [Span(0, 1320, 1800), Span(1, 1320, 1800)]),
        ("fri-mon 08:00-12:00", [Span(day, 480, 720) for day in (0, 4, 5, 6)]),
        ("weekend", [Span(5, 0, DAY), Span(6, 0, DAY)]),
        ("wed 16:00-24:00", [Span(2, 960, DAY)]),
        ("08:30-09:00", [Span(day, 510, 540) for day in range(7)]),
        ("mon 08:00-12:00, mon 13:00-17:00", [Span(0, 480, 720), Span(0, 780, 1020)]),
    ],
)
def test_a_week_is_read_as_it_is_written(written: str, spans: list[Span]) -> None:
    """Days and a time; without days it is every day, without a time the whole day, over midnight the next day."""
    assert week(written) == tuple(spans)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "expected days and a time, such as mon-fri 08:00-17:00, came ``"),
        ("moday 08:00-17:00", "expected days such as mon, mon-fri or weekend, came `moday`"),
        ("mon- 08:00-17:00", "expected days such as mon, mon-fri or weekend, came `mon-`"),
        ("mon 8-17", "expected a time such as 08:00-17:00, came `8-17`"),
        ("mon 08:00-08:00", "expected a time such as 08:00-17:00, came `08:00-08:00`"),
        ("mon 24:00-08:00", "expected a time such as 08:00-17:00, came `24:00-08:00`"),
        ("mon 08:00-24:30", "expected a time such as 08:00-17:00, came `08:00-24:30`"),
        ("08:00 17:00", "expected days such as mon-fri or weekend before the time, came `08:00`"),
        ("mon 08:00 - 17:00", "expected days and a time, such as mon-fri 08:00-17:00, came `mon 08:00 - 17:00`"),
        ("holidays", "expected days such as mon, mon-fri or weekend, came `holidays`"),
    ],
)
def test_what_is_no_week_is_refused_with_an_example(written: str, message: str) -> None:
    """A mistake is answered with what was expected and what came."""
    with pytest.raises(WrongTimesError) as refused:
        week(written)
    assert str(refused.value) == message


def test_quiet_times_may_name_holidays_and_leave() -> None:
    """Beside the stretches of the week."""
    assert times("weekend, Holidays, leave") == Times(week("weekend"), holidays=True, leave=True)
    assert times("leave") == Times((), leave=True)


@given(st.lists(_SPANS, max_size=6), st.booleans(), st.booleans())
def test_what_is_said_in_words_is_read_as_the_same(spans: list[Span], holidays: bool, leave: bool) -> None:
    """People see their times in the words in which they write them."""
    said = Times(tuple(sorted(set(spans))), holidays, leave)
    if said != Times():
        assert times(in_words(said)) == said


def test_words_are_as_short_as_people_write_them() -> None:
    """Days that follow each other are one; each day need not be said."""
    assert in_words(times("18:00-08:00, sat-sun")) == "18:00-08:00, weekend"
    assert in_words(times("tue 09:00-12:00, thu-fri 09:00-12:00, holidays")) == (
        "tue 09:00-12:00, thu-fri 09:00-12:00, holidays"
    )
