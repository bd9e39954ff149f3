"""Keeping it so: everything that is due is found in the database, and reconciled, for as long as the service lives.

Due is, in this order: what was approved; everything, at the start, when somebody has deleted a managed room, when the
policy or a picture of it has changed, some time after something failed, and a day after the last time; the people who
changed in the directory since the cursor; those for whom, where they work, a day has come on which an employment
begins, or one or an exception is over, an account is to be prepared, a stage of leaving is due, or a guest of theirs is
to be reviewed; the users whose memberships drifted, and the rooms whose settings did; rooms that people made, where the
policy adopts or closes them. A wake-up only says that it is worth looking. A cursor moves when the work up to it is
recorded. Dates need none: those that came while nobody looked are found at the start, when everything is looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.database import AWAY, silent
from bridge.directory.local_day import SPREAD, Boundary, next_boundary, passed
from bridge.directory.store import boundaries_between, changed_since, first_boundary_after
from bridge.errors import MusterError
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership import (
    audit_store,
    drift_store,
    face_store,
    former_room_store,
    guest_store,
    lifecycle_store,
    member_store,
    store,
    unmanaged_store,
)
from bridge.membership.exemption_store import endings_between, first_ending_after
from bridge.membership.reconcile import Reconciled, Reconciler
from bridge.membership.survey import Scope, users_of
from bridge.membership.unmanaged import NOTICE, is_over
from bridge.patience import Backoff, Patience
from bridge.policy.schema import Policy, UnmanagedRooms

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
"""Seconds between tries while homeserver or database are away."""
FIRST_RETRY = 60.0
LONGEST_RETRY = 3600.0
"""Seconds after which everything is looked at again when changes were refused."""
LONGEST_UNSEEN = timedelta(days=1)
"""After so long everything is looked at again: what was held may go when the brake's window has passed."""
LONGEST_WAIT = 3600.0
"""Seconds after which the clock is looked at again: somebody may have put it right, or the machine may have slept."""


Announced = tuple[RoomId, bool]
"""A room that people made, and whether it is to be closed by now."""


@dataclass(frozen=True, slots=True)
class Due:
    """One reconciliation that is due, and what is settled by it."""

    cause: str
    scope: Scope | None = None
    cursor: store.Cursor | None = None
    """Where the cursor stands afterwards; everything moves it by itself."""
    drift: tuple[tuple[UserId, int], ...] = ()
    altered: int = 0
    """Up to which intervention the settings of rooms have been looked at afterwards."""
    pictured: int = 0
    """Up to which picture of a room the rooms have been looked at afterwards."""
    rooms: frozenset[Announced] = frozenset()
    """The rooms that people made, as they are looked at."""
    until: datetime | None = None
    """Up to when all days that have come are acted on afterwards."""


class Upkeep:
    """The service's loop; `policy` returns the last good policy, `timezone` is that of people without their own."""

    def __init__(
        self,
        reconciler: Reconciler,
        pool: Pool,
        policy: Callable[[], Policy],
        *,
        clock: Clock,
        timezone: str = "UTC",
    ) -> None:
        self._reconciler = reconciler
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self._timezone = timezone
        self._until: datetime | None = None
        self._whole_at: datetime | None = None
        self._retry_at: datetime | None = None
        self._retry = FIRST_RETRY
        self._patience = Patience(Backoff(FIRST_PAUSE, LONGEST_PAUSE), _complain, _resume)
        self._altered = 0
        """What was refused up to here waits for the next look at everything."""
        self._pictured = 0
        self._rooms: frozenset[Announced] = frozenset()
        """The rooms that people made and that were looked at; what of them is held or refused waits likewise."""

    async def run(self, wakes: Sequence[asyncio.Event]) -> None:
        """Keep everything so until cancelled; `wakes` are set when there may be something to do.

        While the homeserver or the database is away it waits with back-off, and says so once.
        """
        while True:
            for wake in wakes:
                wake.clear()
            try:
                await self.catch_up()
                seconds = await self._seconds_to_next()
            except MusterError as error:
                await self._patience.wait_out(error)
            except AWAY as error:
                await self._patience.wait_out(silent(error))
            else:
                self._patience.recover()
                await _any_of(wakes, seconds)

    async def catch_up(self) -> list[Reconciled]:
        """Do everything that is due, tell the administrators what waits, and return what it came to.

        Raises what `Reconciler.reconcile` raises; what is left stays due.
        """
        results = []
        while (due := await self._next()) is not None:
            results.append(await self._do(due))
        await self._reconciler.tell_administrators(self._policy())
        return results

    async def _next(self) -> Due | None:
        now = self._clock()
        cursor = await store.read_cursor(self._pool)
        policy = self._policy()
        digest = policy.digest
        for plan in await audit_store.read_held(self._pool, now - policy.brake.approval):
            if plan.approved_by is not None:
                return Due("approval", Scope(users=users_of(plan)))
        pictured = await face_store.newest_room_picture(self._pool)
        if cursor is None or self._until is None:
            return Due("start", pictured=pictured, until=now)
        if await former_room_store.is_waiting(self._pool):
            return Due("room gone", pictured=pictured, until=now)
        if cause := self._cause_of_everything(cursor, digest, pictured, now):
            return Due(cause, pictured=pictured, until=now)
        changes = await changed_since(self._pool, cursor.directory_version)
        if changes.ids or changes.version != cursor.directory_version:
            return Due("directory", Scope(people=changes.ids), store.Cursor(changes.version, digest))
        if people := await self._concerned(self._until, now):
            return Due("date", Scope(people=people), until=now)
        drift = await member_store.read_drift(self._pool)
        altered = await drift_store.newest_altered(self._pool)
        if drift or altered > self._altered:
            return Due("drift", Scope(users=frozenset(drift)), drift=tuple(drift.items()), altered=altered)
        return await self._next_rooms(policy.unmanaged_rooms, now)

    async def _next_rooms(self, wish: UnmanagedRooms, now: datetime) -> Due | None:
        """Look at rooms that people have made, or that are to be closed by now, and that were not looked at so."""
        if wish is UnmanagedRooms.REPORT:
            return None
        rooms = {room: (room.room_id, is_over(wish, room, now)) for room in await self._reconciler.unmanaged_rooms(now)}
        new = [room for room, announced in rooms.items() if announced not in self._rooms]
        users = frozenset[UserId]().union(*(room.users for room in new))
        return Due("rooms", Scope(users=users), rooms=self._rooms.union(rooms.values())) if new else None

    async def _concerned(self, since: datetime, now: datetime) -> frozenset[PersonId]:
        """Return for whom the calendar has changed something after `since`, or a stage of leaving was due."""
        days = [(since - SPREAD).date(), (now + SPREAD).date()]
        boundaries = await self._boundaries(days[0], days[1])
        if ahead := self._policy().accounts.prepared:
            coming = await boundaries_between(self._pool, days[0] + ahead, days[1] + ahead)
            boundaries += [replace(each, day=each.day - ahead) for each in coming]
        staged = await lifecycle_store.due_between(self._pool, since, now)
        return passed(boundaries, since, now, self._timezone) | staged

    async def _boundaries(self, first: date, last: date) -> list[Boundary]:
        """Return for whom an employment begins or is over, an exception is, or a guest needs a word, on these days."""
        ending = await endings_between(self._pool, self._policy().exceptions, first, last)
        reviews = await guest_store.reviews_between(self._pool, first, last)
        return [*await boundaries_between(self._pool, first, last), *ending, *reviews]

    async def _first_after(self, day: date) -> date | None:
        """Return the next day after this one on which any of these happens."""
        further = await first_boundary_after(self._pool, day)
        ending = await first_ending_after(self._pool, self._policy().exceptions, day)
        review = await guest_store.first_review_after(self._pool, day)
        return min((each for each in (further, ending, review) if each is not None), default=None)

    def _cause_of_everything(self, cursor: store.Cursor, digest: str, pictured: int, now: datetime) -> str:
        """Return why everybody is to be looked at, empty when not."""
        if cursor.policy_digest != digest:
            return "policy"
        if pictured > self._pictured:
            return "picture"
        if self._whole_at is not None and now >= self._whole_at + LONGEST_UNSEEN:
            return "day"
        return "retry" if self._retry_at is not None and now >= self._retry_at else ""

    async def _do(self, due: Due) -> Reconciled:
        result = await self._reconciler.reconcile(self._policy(), due.scope, cause=due.cause)
        if due.scope is None:
            self._whole_at, self._retry_at = due.until, None
        if due.until is not None:
            self._until = due.until
        if due.cursor is not None:
            await store.put_cursor(self._pool, due.cursor)
        self._altered = max(self._altered, due.altered)
        self._pictured = max(self._pictured, due.pictured)
        self._rooms |= due.rooms
        if due.drift:
            await member_store.forget_drift(self._pool, dict(due.drift))
        self._plan_retry(result)
        return result

    def _plan_retry(self, result: Reconciled) -> None:
        """Look at everything again after a while when something was refused; ever later while it goes on."""
        if not result.applied.failures:
            if self._retry_at is None:
                self._retry = FIRST_RETRY
            return
        self._retry_at = self._clock() + timedelta(seconds=self._retry)
        self._retry = min(self._retry * 2, LONGEST_RETRY)

    async def _seconds_to_next(self) -> float:
        """Return how long nothing is due by the clock alone: until a day begins that matters, or the next retry."""
        since = self._until or self._clock()
        whole_at = self._whole_at and self._whole_at + LONGEST_UNSEEN
        staged = await lifecycle_store.next_due(self._pool, since)
        moments = [
            await self._next_boundary(since),
            await self._next_preparation(since),
            staged,
            await self._next_closing(since),
            self._retry_at,
            whole_at,
        ]
        waits = [(moment - self._clock()).total_seconds() for moment in moments if moment is not None]
        return min(LONGEST_WAIT, max(0.0, min(waits, default=LONGEST_WAIT)))

    async def _next_closing(self, since: datetime) -> datetime | None:
        """Return the first moment after `since` at which a room is to be closed."""
        announced = await unmanaged_store.next_announced(self._pool, since - NOTICE)
        return None if announced is None else announced + NOTICE

    async def _next_boundary(self, since: datetime) -> datetime | None:
        """Return the first moment after `since` at which the calendar changes something for somebody."""
        first, last = (since - SPREAD).date(), (since + SPREAD).date()
        further = await self._first_after(last)
        # Where the date is ahead of that place's, a later day may begin earlier.
        last = last if further is None else min(further, date.max - 2 * SPREAD) + 2 * SPREAD
        return next_boundary(await self._boundaries(first, last), since, self._timezone)

    async def _next_preparation(self, since: datetime) -> datetime | None:
        """Return the first moment after `since` at which an account is to be made for somebody who begins later."""
        ahead = self._policy().accounts.prepared
        found = await self._next_boundary(since + ahead) if ahead else None
        return None if found is None else found - ahead


def _complain(problem: str) -> None:
    log.warning("%s Memberships wait; Muster tries again.", problem, extra={"action": "wait"})


def _resume() -> None:
    log.info("memberships go on", extra={"action": "wait"})


async def _any_of(wakes: Sequence[asyncio.Event], seconds: float) -> None:
    """Wait until one of the events is set, or the time is over."""
    waiting = [asyncio.create_task(wake.wait()) for wake in wakes]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
