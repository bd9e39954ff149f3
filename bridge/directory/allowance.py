"""How much a client may ask for: a token bucket, which allows bursts and bounds the rate behind them. Pure.

Times are seconds of a clock that never goes back. Keeping an allowance per client is left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BURST_SECONDS: Final = 10
"""A client that was quiet may ask at once for what it may ask for in so many seconds."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a client may ask for without waiting, as it was at a moment."""

    left: float
    """Requests; of the one that had to be refused last there may be a part."""
    at: float


def draw(allowance: Allowance | None, now: float, rate: float) -> tuple[Allowance, float]:
    """Take one request of an allowance, None for that of a client who never asked; `rate` is in requests a second.

    Returns what is left and the seconds to wait before the request may be made: 0 when it was granted, and only then
    something was taken.
    """
    most = rate * BURST_SECONDS
    left = most if allowance is None else min(most, allowance.left + (now - allowance.at) * rate)
    if left >= 1:
        return Allowance(left - 1, now), 0.0
    return Allowance(left, now), (1 - left) / rate
