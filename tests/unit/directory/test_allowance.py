"""The bound on what a client may ask for."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.allowance import BURST_SECONDS, Allowance, draw

RATES = st.floats(0.5, 1000)
GAPS = st.lists(st.floats(0, 30), min_size=1, max_size=200)


def granted(moments: list[float], rate: float) -> list[float]:
    """Return the moments of the requests that were granted."""
    found, allowance = [], None
    for now in moments:
        allowance, wait = draw(allowance, now, rate)
        if not wait:
            found.append(now)
    return found


def test_a_burst_is_granted_and_then_the_rate_holds() -> None:
    """A client that was quiet has ten seconds' worth at once; then it waits for one request's share."""
    assert len(granted([5.0] * 2000, 100)) == 100 * BURST_SECONDS
    _, wait = draw(Allowance(0, 5.0), 5.0, 100)
    assert wait == 0.01


@given(RATES, GAPS)
def test_no_stretch_of_time_grants_more_than_a_burst_and_its_rate(rate: float, gaps: list[float]) -> None:
    """Between any two granted requests lie at most a burst and the rate times the seconds."""
    found = granted(list(accumulate(gaps)), rate)
    for first in range(0, len(found), 7):
        for last in range(first, len(found)):
            assert last - first + 1 <= rate * (BURST_SECONDS + found[last] - found[first]) + 1e-6


@given(RATES, GAPS)
def test_who_waits_as_told_is_granted(rate: float, gaps: list[float]) -> None:
    """A refused request that comes again after the seconds named is granted, however often others were refused."""
    allowance, now = None, 0.0
    for gap in gaps:
        now += gap
        allowance, wait = draw(allowance, now, rate)
        if wait:
            now += wait + 1e-6
            allowance, wait = draw(allowance, now, rate)
            assert wait == 0
