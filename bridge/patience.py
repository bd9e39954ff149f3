"""Waiting while something is away: ever longer, and with each problem said once.

Who waits has a loop of its own, which knows what can go wrong and when there is more to do; it asks `Patience` how
long, and tells it when things go on; what works off the database takes turns, by `bridge.database.turns`. `Backoff` and
`until` are pure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.errors import MusterError

_DOUBLINGS = 64
"""After so many the longest pause is reached, whatever the first was."""


class Wake(Protocol):
    """What `bridge.database.listen.Listener.subscribe` returns."""

    def clear(self) -> object:
        """Forget that there was something."""
        ...

    async def wait(self) -> object:
        """Return once there is something."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between tries: `first`, then twice as long each time, up to `longest`."""

    first: float
    longest: float

    def pause(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row before this one."""
        return min(self.first * float(2 ** min(failures, _DOUBLINGS)), self.longest)


def until(moment: datetime | None, now: datetime, longest: float) -> float:
    """Return the seconds until a moment, from 0 to `longest`; None is a moment that nobody knows yet."""
    return longest if moment is None else min(max((moment - now).total_seconds(), 0.0), longest)


class Patience:
    """How one loop waits; `complain` gets each problem's message once until it changes or is over, `resume` says so."""

    def __init__(
        self, backoff: Backoff, complain: Callable[[str], None], resume: Callable[[], None] = lambda: None
    ) -> None:
        self._backoff = backoff
        self._complain = complain
        self._resume = resume
        self._failures = 0
        self._said = ""

    async def wait_out(self, error: MusterError | None, wake: Wake | None = None) -> None:
        """Say the error, unless its problem was said, and wait; with `wake` no longer than until there is something.

        None is a problem that is nobody's to hear: it only makes wait.
        """
        self._say(error)
        pause = self._backoff.pause(self._failures)
        self._failures += 1
        if wake is None:
            await asyncio.sleep(pause)
        else:
            await woken(wake, pause)

    def recover(self) -> None:
        """Note that things go on: the next pause is the first."""
        self._say(None)
        self._failures = 0

    def _say(self, error: MusterError | None) -> None:
        problem = error.problem if error else ""
        if error and problem != self._said:
            self._complain(error.message)
        elif self._said and not error:
            self._resume()
        self._said = problem


async def woken(wake: Wake, seconds: float | None) -> None:
    """Return once there is something, or after so many seconds; None is never."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # `wait_for` of Python 3.11 loses a cancellation that comes with the wake
            await wake.wait()
