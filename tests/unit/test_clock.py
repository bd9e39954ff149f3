"""A moment of Matrix is one of ours."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import from_milliseconds


@given(st.integers(0, 2**63 - 1))
def test_no_moment_is_too_late(timestamp: int) -> None:
    """Another server may say that something was said in the year 10000; that is later than everything else."""
    assert datetime(1970, 1, 1, tzinfo=UTC) <= from_milliseconds(timestamp) <= datetime.max.replace(tzinfo=UTC)


def test_what_is_too_late_is_at_the_end_of_the_last_year() -> None:
    """It sorts behind everything that has a date of its own."""
    assert from_milliseconds(253_402_300_798_999) < from_milliseconds(253_402_300_800_000)
