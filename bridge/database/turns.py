"""Taking turns: the loop of whatever does, again and again, what it finds to do in the database.

A turn looks and does; this waits between two of them, and for what is away. Whoever waits for something else beside
one wake, or must not try everything again at once, has a loop of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bridge.database import AWAY
from bridge.errors import DatabaseSilentError, MusterError
from bridge.patience import Backoff, Patience, Wake, woken

log = logging.getLogger(__name__)

_BACKOFF = Backoff(1.0, 60.0)


async def take_turns(
    turn: Callable[[], Awaitable[float | None]],
    wake: Wake | None,
    *,
    what: str,
    action: str,
    breath: float = 0.0,
    backoff: Backoff = _BACKOFF,
) -> None:
    """Take a turn at once, whenever `wake` is set, and when the next is due, until cancelled.

    `turn` returns the seconds until the next is due, None for only when woken. When it raises one of `AWAY`, or a
    `MusterError`, that is said once, as what `what` waits for, and it is tried again with `backoff` or when woken.
    Two turns are at least `breath` seconds apart; `action` is that of the log.
    """
    extra = {"action": action}
    patience = Patience(
        backoff,
        lambda problem: log.warning("%s waits: %s", what, problem, extra=extra),
        lambda: log.info("%s goes on", what, extra=extra),
    )
    wake, this = asyncio.Event() if wake is None else wake, asyncio.current_task()
    while True:
        wake.clear()
        problem, seconds = None, None
        try:
            seconds = await turn()
        except* (MusterError, *AWAY) as errors:  # a turn may do several things at once
            problem = _first(errors)
        if this is not None and this.cancelling():  # Python 3.11's `TaskGroup` loses it when a task of it fails as well
            raise asyncio.CancelledError
        await asyncio.sleep(breath)
        if problem:
            await patience.wait_out(problem, wake)
        else:
            patience.recover()
            await woken(wake, seconds if seconds is None else max(seconds - breath, 0.0))


def _first(error: Exception) -> MusterError:
    """Return an error in our words, of several the first; what a library says may quote what was worked on."""
    if isinstance(error, ExceptionGroup):
        return _first(error.exceptions[0])
    if isinstance(error, MusterError):
        return error
    return DatabaseSilentError(f"PostgreSQL does not answer ({type(error).__name__}).")
