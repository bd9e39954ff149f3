"""From rows to Matrix: carries out what waits in the queue, each row once, the highest rank first.

An attempt is counted and committed before the act. Whoever finds a counted attempt without an outcome looks into the
room first: Synapse knows an application service's transaction IDs only until it restarts. Few rows are under way at a
time and the next one is chosen when one ends, so what is urgent never waits behind a long queue. What an act is on
Matrix is left to `errand`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from bridge.announcements import errand, personal_room, postman_store
from bridge.announcements.errand import Errand, carry_out
from bridge.announcements.marker import read_mark
from bridge.announcements.postman_store import Refused, Said
from bridge.announcements.values import Act, Priority
from bridge.clock import Clock, system_clock
from bridge.database import AWAY, silent
from bridge.errors import HomeserverError, MusterError, RefusedError
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId
from bridge.patience import Backoff, Patience, Wake, woken

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

AT_ONCE = 10
"""Errands under way at one time; Synapse takes hardly more per second from more (rooms are queues of their own)."""
RESERVED = 5
"""So many emergencies may be under way beside them, should all of those hang."""
MOST_ATTEMPTS = 10
"""A room that refuses with a 5xx so often is given up; a 4xx is final at once."""
_BACKOFF = Backoff(1.0, 60.0)
_LOOK_SECONDS = 60.0
"""After so long it looks by itself."""
_BUSY_SECONDS = 2.0
"""The same while something is under way, here and perhaps hanging or in another process that has perhaps died."""


class Homeserver(errand.Homeserver, personal_room.Homeserver, Protocol):
    """What carrying out asks of the homeserver."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What carrying out what waits came to."""

    settled: int
    """Done, or refused for good."""
    away: MusterError | None = None
    """Why nothing at all could be done, if so."""
    refused: int = 0
    """Refused for now; each waits for its next attempt."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    errand: Errand
    event_id: EventId | None = None
    room_id: RoomId | None = None
    """Where it was said."""
    error: HomeserverError | RefusedError | None = None

    @property
    def final(self) -> bool:
        """Whether trying again would be of no use."""
        if not isinstance(self.error, HomeserverError):
            return self.error is not None
        return self.error.is_final or self.errand.attempts + 1 >= MOST_ATTEMPTS

    @property
    def away(self) -> HomeserverError | None:
        """Why nothing at all can be done, if so: no answer, or a token that is not accepted."""
        return self.error if isinstance(self.error, HomeserverError) and self.error.is_away else None


class Postman:
    """Carries out what waits; any number of processes may do so at once."""

    def __init__(self, pool: Pool, homeserver: Homeserver, *, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Carry out until cancelled; `wake` is set when there is more (channel `ANNOUNCEMENTS`).

        While the homeserver or the database is away, one errand is tried at growing intervals.
        """
        patience, away = Patience(_BACKOFF, _complain, _resume), None
        while True:
            wake.clear()
            away, pause = await self._try(wake, trial=away is not None)
            if away is not None:
                await patience.wait_out(away, wake)
                continue
            patience.recover()
            await woken(wake, pause)

    async def deliver(self, wake: Wake | None = None, *, trial: bool = False) -> Progress:
        """Carry out everything that is due, and what becomes due meanwhile, until the homeserver is away.

        A `trial` begins with one errand alone.
        """
        settled, refused, away = 0, 0, None
        under_way: set[asyncio.Task[_Outcome]] = set()
        async with self._pool.acquire() as db:
            try:
                while True:
                    if not away:
                        claimed = await self._claim(db, *_room_left(len(under_way), trial=trial and not settled))
                        under_way |= {asyncio.create_task(self._carry(one)) for one in claimed}
                    if not under_way:
                        return Progress(settled, away, refused)
                    outcomes = await _ended(under_way, wake)
                    await self._record(db, outcomes)
                    away = next((outcome.away for outcome in outcomes if outcome.away), away)
                    settled += sum(outcome.error is None or outcome.final for outcome in outcomes if not outcome.away)
                    refused += sum(
                        bool(outcome.error) and not outcome.final for outcome in outcomes if not outcome.away
                    )
            except BaseException:  # also cancelled: the locks must not go back to the pool with the connection
                with suppress(*AWAY):  # it is lost already
                    db.terminate()
                raise
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    async def _try(self, wake: Wake, *, trial: bool) -> tuple[MusterError | None, float]:
        """Return why nothing can be done, if so, and after how many seconds something is due."""
        try:
            progress = await self.deliver(wake, trial=trial)
            due = await postman_store.next_due(self._pool)
        except AWAY as error:
            return silent(error), 0.0
        return progress.away, _pause(due, self._clock())

    async def _claim(self, db: Connection, limit: int, rank: Priority) -> list[Errand]:
        """Count an attempt for what is next."""
        locked = await postman_store.lock_next(db, self._clock(), limit, rank) if limit else []
        if not locked:
            return []
        claimed = await postman_store.count_attempts(db, [row for row, _ in locked])
        going = {one.id for one in claimed}
        gone = [lane for row, lane in locked if row not in going]
        if gone:
            await postman_store.unlock(db, gone)
        return claimed

    async def _carry(self, one: Errand) -> _Outcome:
        try:
            room_id = await self._room(one)
            event_id = await carry_out(self._homeserver, one, room_id) if room_id else None
        except (HomeserverError, RefusedError) as error:
            return _Outcome(one, error=error)
        return _Outcome(one, event_id, room_id)

    async def _room(self, one: Errand) -> RoomId | None:
        """Return where the act is done; None when it is to be done to what was never said."""
        if one.act is not Act.SEND or one.room_id is not None:
            return one.room_id if one.act is Act.SEND else one.target_room
        if not one.enabled:
            raise RefusedError("The account is disabled: its owner cannot be told anything.")
        assert one.user_id is not None, "a row is for a room or a person"
        return await personal_room.room_of(self._pool, self._homeserver, one.user_id)

    async def _record(self, db: Connection, outcomes: Sequence[_Outcome]) -> None:
        if not outcomes:
            return
        said = [
            Said(done.errand.id, done.errand.content, done.event_id, done.room_id if done.event_id else None)
            for done in outcomes
            if done.error is None
        ]
        away = [outcome.errand.id for outcome in outcomes if outcome.away]
        refused = [self._refusal(outcome) for outcome in outcomes if outcome.error and not outcome.away]
        if said:
            await postman_store.mark_done(db, said, self._clock())
        if away:
            await postman_store.mark_away(db, away)
        if refused:
            await postman_store.mark_refused(db, refused)
        await postman_store.unlock(db, [outcome.errand.lane for outcome in outcomes])

    def _refusal(self, outcome: _Outcome) -> Refused:
        one, error = outcome.errand, outcome.error
        assert error is not None, "only a refusal has one"
        log.warning(
            "%s of %s not done in %s: %s",
            one.act,
            one.key,
            one.lane,
            error.message,
            extra={"action": "announcements.refused"},
        )
        pause = timedelta(seconds=_BACKOFF.pause(one.attempts))
        return Refused(one.id, error.message, None if outcome.final else self._clock() + pause)


async def confirm_said(db: Connection, event: Event, clock: Clock) -> None:
    """Record what came back to us over the feed, should its sender not have lived to do so.

    The feed shows what the bot said before any answer to it, so whoever counts answers finds it recorded.
    """
    mark = read_mark(event.content) if event.state_key is None else None
    if mark is None:
        return
    row = await postman_store.find_waiting(db, mark.key, mark.turn, Act.EDIT if mark.edits else Act.SEND)
    if row is not None:
        await postman_store.mark_done(db, [Said(row, mark.content, event.event_id, event.room_id)], clock())


async def confirm(pool: Pool, event: Event, clock: Clock) -> None:
    """Do the same in a database transaction of its own; of what the queue did not send none is begun."""
    if read_mark(event.content) is None:
        return
    async with pool.acquire() as db, db.transaction():
        await confirm_said(db, event, clock)


def _room_left(busy: int, *, trial: bool) -> tuple[int, Priority]:
    """Return how much more may be under way, and the lowest rank of it."""
    if trial:
        return 1 - min(busy, 1), Priority.NORMAL
    if busy < AT_ONCE:
        return AT_ONCE - busy, Priority.NORMAL
    return max(0, AT_ONCE + RESERVED - busy), Priority.EMERGENCY


def _pause(due: datetime | None, now: datetime) -> float:
    """Return how long nothing can be done; what is due and in the hands of another process is looked at again soon."""
    seconds = (due - now).total_seconds() if due else _LOOK_SECONDS
    return min(seconds, _LOOK_SECONDS) if seconds > 0 else _BUSY_SECONDS


async def _ended(under_way: set[asyncio.Task[_Outcome]], wake: Wake | None) -> list[_Outcome]:
    """Wait until something under way ends, or something new may wait; take out what has ended."""
    waiting = asyncio.create_task(_forever() if wake is None else _once(wake))
    try:
        await asyncio.wait({*under_way, waiting}, timeout=_BUSY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    ended = {task for task in under_way if task.done()}
    under_way -= ended
    return [task.result() for task in ended]


async def _once(wake: Wake) -> None:
    await wake.wait()
    wake.clear()


async def _forever() -> None:
    await asyncio.Event().wait()


def _complain(problem: str) -> None:
    log.warning("announcements wait: %s", problem, extra={"action": "announcements.wait"})


def _resume() -> None:
    log.info("announcements go on", extra={"action": "announcements.wait"})
