"""Waking up when another part of Muster, in this process or another, has written something.

PostgreSQL's NOTIFY only wakes; what there is to do is always read from a table, from a cursor. So a lost
notification costs time and never work: after every (re)connection all subscribers are woken once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

import asyncpg

log = logging.getLogger(__name__)

EVENTS = "muster_events"
"""Events were archived."""
DIRECTORY = "muster_directory"
"""Somebody in the directory changed."""
MEMBERSHIP = "muster_membership"
"""A held plan was approved, or somebody asks for a reconciliation."""
ANNOUNCEMENTS = "muster_announcements"
"""An announcement waits to be delivered."""

_CHECK_EVERY = 20.0
"""Seconds after which the connection is tried, so that a silent loss is noticed."""
_LONGEST_PAUSE = 30.0
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


class Listener:
    """One connection that listens for all subscribers."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._wakes: dict[str, list[asyncio.Event]] = defaultdict(list)

    def subscribe(self, channel: str) -> asyncio.Event:
        """Return an event that is set at every notification; the subscriber clears it before it reads."""
        wake = asyncio.Event()
        wake.set()
        self._wakes[channel].append(wake)
        return wake

    async def run(self) -> None:
        """Listen until cancelled; wait with back-off while PostgreSQL is away. Subscribe first."""
        pause = 0.5
        while True:
            try:
                connection = await asyncpg.connect(self._url)
                try:
                    for channel in self._wakes:
                        await connection.add_listener(channel, self._wake)
                    self._wake_all()
                    pause = 0.5
                    while True:
                        await asyncio.sleep(_CHECK_EVERY)
                        await connection.execute("SELECT 1", timeout=_CHECK_EVERY)
                finally:
                    connection.terminate()
            except _LOST:
                log.debug("listening again in %.1f s", pause, extra={"action": "listen"})
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _wake(self, _connection: object, _process: int, channel: str, _payload: object) -> None:
        for wake in self._wakes[channel]:
            wake.set()

    def _wake_all(self) -> None:
        for channel in self._wakes:
            self._wake(None, 0, channel, None)
