"""From rows to messages: sends what waits in the database, each message once.

An attempt is counted and committed before the message goes out. Whoever finds a counted attempt without an outcome
looks into the room first: Synapse knows an application service's transaction IDs only until it restarts. What becomes
an announcement is left to `desk`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from bridge.announcements import store
from bridge.announcements.message import marked, render, render_answer
from bridge.announcements.store import Waiting
from bridge.clock import Clock, system_clock
from bridge.database import AWAY
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.event import Event
from bridge.homeserver.voice import Voice
from bridge.ids import EventId, RoomId, UserId
from bridge.patience import Backoff, Patience, Wake, woken

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

AT_ONCE = 10
"""Messages under way at one time; Synapse takes hardly more per second from more (rooms are queues of their own)."""
MOST_ATTEMPTS = 10
"""A room that refuses with a 5xx so often is given up; a 4xx is final at once."""
_BACKOFF = Backoff(1.0, 60.0)
_LOOK_SECONDS = 60.0
"""After so long it looks by itself."""


class Homeserver(Voice, Protocol):
    """What delivering asks of the homeserver."""

    bot: UserId

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of raw events, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What one batch came to."""

    settled: int
    """Sent, or refused for good."""
    away: str = ""
    """Why the homeserver could not be reached; empty when it could."""
    refused: int = 0
    """Refused for now; they wait for their next attempt."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    waiting: Waiting
    event_id: EventId | None
    error: HomeserverError | None = None

    @property
    def final(self) -> bool:
        """Whether trying again would be of no use."""
        assert self.error is not None
        refused = 400 <= self.error.status < 500 and self.error.status != HTTPStatus.TOO_MANY_REQUESTS
        return refused or self.waiting.attempts + 1 >= MOST_ATTEMPTS

    @property
    def away(self) -> str:
        """Why no room at all can be reached: no answer, or a token that is not accepted; else empty."""
        if isinstance(self.error, HomeserverUnavailableError):
            return self.error.message
        return self.error.message if self.error and self.error.status == HTTPStatus.UNAUTHORIZED else ""


class Deliverer:
    """Sends what waits; any number of processes may do so at once."""

    def __init__(self, pool: Pool, homeserver: Homeserver, *, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Deliver until cancelled; `wake` is set when something may wait (channel `ANNOUNCEMENTS`).

        While the homeserver or the database is away, one message is tried at growing intervals.
        """
        patience, away = Patience(_BACKOFF, _complain, _resume), ""
        while True:
            wake.clear()
            progress = await self._try(1 if away else AT_ONCE)
            away = progress.away
            if away or (progress.refused and not progress.settled):
                await patience.wait_out(away, wake)
                continue
            patience.recover()
            if not progress.settled:
                await woken(wake, _LOOK_SECONDS)

    async def deliver(self, limit: int = AT_ONCE) -> Progress:
        """Send at most `limit` announcements and one answer, each to its room, and record what came of it."""
        async with self._pool.acquire() as db:
            claimed = await store.claim_deliveries(db, limit)
            async with db.transaction():
                progress = await self._deliver(db, claimed)
            if progress.away:
                return progress
            async with db.transaction():
                answered = await self._answer(db)
        return Progress(progress.settled + answered.settled, answered.away, progress.refused + answered.refused)

    async def _try(self, limit: int) -> Progress:
        try:
            return await self.deliver(limit)
        except AWAY as error:
            return Progress(0, away=f"the database is away ({error}).")

    async def _deliver(self, db: Connection, claimed: Sequence[Waiting]) -> Progress:
        locked = [waiting for waiting in claimed if await store.lock_delivery(db, waiting)]
        contents = {key: await self._content(db, key) for key in {waiting.key for waiting in locked}}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._send(waiting, contents[waiting.key])) for waiting in locked]
        outcomes = [task.result() for task in tasks]
        for outcome in outcomes:
            await self._record(db, outcome)
        return _progress(outcomes)

    async def _content(self, db: Connection, announcement: str) -> Mapping[str, Any]:
        body, author_name = await store.load_body(db, announcement)
        return render(body, author_name=author_name, announcement=announcement)

    async def _send(self, waiting: Waiting, content: Mapping[str, Any]) -> _Outcome:
        try:
            event_id = await self._find(waiting) if waiting.attempts else None
            if event_id is None:
                event_id = await self._homeserver.send(
                    waiting.room_id, "m.room.message", content, transaction_id=waiting.transaction_id
                )
        except HomeserverError as error:
            return _Outcome(waiting, None, error)
        return _Outcome(waiting, event_id)

    async def _find(self, waiting: Waiting) -> EventId | None:
        """Look for the announcement among the newest events of the room."""
        events, _ = await self._homeserver.messages(waiting.room_id, before=None)
        for event in map(Event.of, events):
            if event.sender == self._homeserver.bot and marked(event.content) == waiting.key:
                return event.event_id
        return None

    async def _record(self, db: Connection, outcome: _Outcome) -> None:
        waiting = outcome.waiting
        if outcome.event_id is not None:
            await record_delivery(db, waiting.key, waiting.room_id, outcome.event_id, self._clock())
        elif outcome.error is not None and not outcome.away:
            message = outcome.error.message
            await store.mark_refused(db, waiting.key, waiting.room_id, message, final=outcome.final)
            log.warning(
                "announcement %s not delivered to %s: %s",
                waiting.key,
                waiting.room_id,
                message,
                extra={"action": "deliver"},
            )

    async def _answer(self, db: Connection) -> Progress:
        """Send one answer; one that is sent twice does no harm."""
        found = await store.lock_answer(db)
        if found is None:
            return Progress(0)
        waiting, text = found
        outcome = await self._send_answer(waiting, text)
        if outcome.event_id is not None:
            await store.mark_answered(db, waiting.key)
        elif outcome.error is not None and not outcome.away:
            await store.mark_unanswered(db, waiting.key, outcome.error.message, final=outcome.final)
        return _progress([outcome])

    async def _send_answer(self, waiting: Waiting, text: str) -> _Outcome:
        content = render_answer(text, EventId(waiting.key))
        try:
            event_id = await self._homeserver.send(
                waiting.room_id, "m.room.message", content, transaction_id=waiting.transaction_id
            )
        except HomeserverError as error:
            return _Outcome(waiting, None, error)
        return _Outcome(waiting, event_id)


async def record_delivery(db: Connection, announcement: str, room_id: RoomId, event_id: EventId, at: datetime) -> None:
    """Record that this event is the announcement in the room, and whom it reached; doing it again changes nothing."""
    if await store.mark_delivered(db, announcement, room_id, event_id, at):
        await store.mark_reached(db, announcement, room_id, at)


def _progress(outcomes: Sequence[_Outcome]) -> Progress:
    refusals = [outcome for outcome in outcomes if outcome.error is not None and not outcome.away]
    final = sum(outcome.final for outcome in refusals)
    away = next((outcome.away for outcome in outcomes if outcome.away), "")
    sent = sum(outcome.event_id is not None for outcome in outcomes)
    return Progress(sent + final, away, len(refusals) - final)


def _complain(problem: str) -> None:
    log.warning("announcements wait: %s", problem, extra={"action": "deliver"})


def _resume() -> None:
    log.info("announcements go on", extra={"action": "deliver"})
