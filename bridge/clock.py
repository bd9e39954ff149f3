"""The time, as an argument.

Everything that needs the time takes a `Clock`; deciding takes the moment itself. Moments are timezone-aware UTC
`datetime`s; Matrix timestamps are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment, aware, in UTC."""
_LAST = 253_402_300_799_999
"""Milliseconds; the end of the year 9999, after which there are no dates."""


def system_clock() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


def from_milliseconds(timestamp: int) -> datetime:
    """Return the moment of a Matrix `origin_server_ts`, which other servers choose; the last one if it is later."""
    return datetime.fromtimestamp(min(timestamp, _LAST) / 1000, UTC)
