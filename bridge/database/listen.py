"""Waking up when another part of Muster, in this process or another, has written something.

PostgreSQL's NOTIFY only wakes; what there is to do is always read from a table, from a cursor. So a lost
notification costs time and never work: after every (re)connection all subscribers are woken once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING

import asyncpg

from bridge.database import AWAY
from bridge.errors import DatabaseSilentError
from bridge.patience import Backoff, Patience, woken

if TYPE_CHECKING:
    from bridge.database import Connection

log = logging.getLogger(__name__)

EVENTS = "muster_events"
"""Events were archived."""
DIRECTORY = "muster_directory"
"""Somebody in the directory changed."""
MEMBERSHIP = "muster_membership"
"""A held plan was approved, or somebody asks for a reconciliation."""
REMARKS = "muster_remarks"
"""Somebody is to be told why a change by hand was put right."""
ANNOUNCEMENTS = "muster_announcements"
"""An announcement waits to be delivered."""
HOOKS = "muster_hooks"
"""A webhook of HR's waits in the inbox."""
BARRIERS = "muster_barriers"
"""Somebody has come to share a room with somebody they must not."""
FACES = "muster_faces"
"""Somebody needs a picture."""
PROFILES = "muster_profiles"
"""Somebody's profile may have been changed."""
MEDIA = "muster_media"
"""Events refer to media that are not stored yet."""
NOTICES = "muster_notices"
"""The administrators are to be told something."""
CHANNELS = "muster_channels"
"""A message waits to be sent by a second channel."""
EMERGENCY = "muster_emergency"
"""Something of a roll call has changed."""
SELFSERVICE = "muster_selfservice"
"""The bot is to say something to somebody."""
QUIET = "muster_quiet"
"""Somebody has chosen other quiet hours."""

_CHECK_EVERY = 20.0
"""Seconds after which the connection is tried, so that a silent loss is noticed."""
_BACKOFF = Backoff(0.25, 10.0)


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
        """Listen until cancelled; while PostgreSQL is away wait with back-off, and say so once. Subscribe first."""
        patience = Patience(_BACKOFF, _complain, _resume)
        while True:
            try:
                connection = await asyncpg.connect(self._url)
                try:
                    await self._subscribe_all(connection)
                    patience.recover()
                    await _until_lost(connection)
                finally:
                    connection.terminate()
            except (*AWAY, asyncpg.PostgresError):
                await patience.wait_out(DatabaseSilentError("PostgreSQL is away; Muster waits"))

    async def _subscribe_all(self, connection: Connection) -> None:
        for channel in self._wakes:
            await connection.add_listener(channel, self._wake)
        for channel in self._wakes:
            self._wake(None, 0, channel, None)

    def _wake(self, _connection: object, _process: int, channel: str, _payload: object) -> None:
        for wake in self._wakes[channel]:
            wake.set()


def _complain(problem: str) -> None:
    log.warning("%s", problem, extra={"action": "listen"})


def _resume() -> None:
    log.info("PostgreSQL is back", extra={"action": "listen"})


async def _until_lost(connection: Connection) -> None:
    """Raise one of `AWAY` when the connection is lost."""
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    while not lost.is_set():
        await woken(lost, _CHECK_EVERY)
        await connection.execute("SELECT 1", timeout=_CHECK_EVERY)
