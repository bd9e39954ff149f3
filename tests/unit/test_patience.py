"""Between tries one waits ever longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.patience import Backoff

backoffs = st.builds(Backoff, st.floats(0.001, 60), st.floats(60, 3600))


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    """A short absence costs little, a long one little more."""
    assert [Backoff(0.25, 3).pause(failures) for failures in range(6)] == [0.25, 0.5, 1, 2, 3, 3]


@given(backoffs, st.integers(0, 10**9))
def test_a_pause_never_exceeds_its_bounds_and_never_shrinks(backoff: Backoff, failures: int) -> None:
    """However long somebody is away."""
    assert backoff.first <= backoff.pause(failures) <= backoff.pause(failures + 1) <= backoff.longest
    assert backoff.pause(10**6) == backoff.longest
