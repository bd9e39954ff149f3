"""Between tries one waits ever longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.patience import Backoff, until

backoffs = st.builds(Backoff, st.floats(0.001, 60), st.floats(60, 3600))


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    """A short absence costs little, a long one little more."""
    assert [Backoff(0.25, 3).pause(failures) for failures in range(6)] == [0.25, 0.5, 1, 2, 3, 3]


@given(backoffs, st.integers(0, 10**9))
def test_a_pause_never_exceeds_its_bounds_and_never_shrinks(backoff: Backoff, failures: int) -> None:
    """However long somebody is away."""
    assert backoff.first <= backoff.pause(failures) <= backoff.pause(failures + 1) <= backoff.longest
    assert backoff.pause(10**6) == backoff.longest


@given(st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=1)), st.floats(0, 7200))
def test_nobody_waits_beyond_a_moment_or_the_longest(ahead: timedelta | None, longest: float) -> None:
    """What is over is waited for no more; where no moment is known the longest pause is taken."""
    now = datetime(2026, 3, 2, 8, tzinfo=UTC)
    seconds = until(None if ahead is None else now + ahead, now, longest)
    assert 0 <= seconds <= longest
    assert seconds in (longest, 0.0 if ahead is None else max(ahead.total_seconds(), 0.0))
