"""Keeping it so: everything that is due is found in the database, and reconciled, for as long as the service lives.

Due is, in this order: what was approved; everything, at the start, when the policy or the day has changed, and some
time after something failed; the people who changed in the directory since the cursor; the users whose memberships
drifted. A wake-up only says that it is worth looking. A cursor moves when the work up to it is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.directory.store import changed_since
from bridge.errors import MusterError
from bridge.ids import UserId
from bridge.membership import audit_store, member_store, store
from bridge.membership.reconcile import Reconciled, Reconciler
from bridge.membership.survey import Scope, users_of
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
"""Seconds between tries while homeserver or database are away."""
FIRST_RETRY = 60.0
LONGEST_RETRY = 3600.0
"""Seconds after which everything is looked at again when changes were refused."""


@dataclass(frozen=True, slots=True)
class Due:
    """One reconciliation that is due, and what is settled by it."""

    cause: str
    scope: Scope | None = None
    cursor: store.Cursor | None = None
    """Where the cursor stands afterwards; everything moves it by itself."""
    drift: tuple[tuple[UserId, int], ...] = ()


class Upkeep:
    """The service's loop; `policy` returns the last good policy."""

    def __init__(self, reconciler: Reconciler, pool: Pool, policy: Callable[[], Policy], *, clock: Clock) -> None:
        self._reconciler = reconciler
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self._day: date | None = None
        self._retry_at: datetime | None = None
        self._retry = FIRST_RETRY
        self._pause = FIRST_PAUSE
        self._complaint = ""

    async def run(self, wakes: Sequence[asyncio.Event]) -> None:
        """Keep everything so until cancelled; `wakes` are set when there may be something to do.

        While the homeserver or the database is away it waits with back-off, and says so once.
        """
        while True:
            for wake in wakes:
                wake.clear()
            try:
                await self.catch_up()
            except MusterError as error:
                await self._wait_out(error.message)
            except AWAY as error:
                await self._wait_out(f"PostgreSQL does not answer ({error or type(error).__name__}).")
            else:
                self._recover()
                await _any_of(wakes, self._seconds_to_next())

    async def catch_up(self) -> list[Reconciled]:
        """Do everything that is due, and return what it came to.

        Raises what `Reconciler.reconcile` raises; what is left stays due.
        """
        results = []
        while (due := await self._next()) is not None:
            results.append(await self._do(due))
        return results

    async def _next(self) -> Due | None:
        cursor = await store.read_cursor(self._pool)
        digest = self._policy().digest
        for plan in await audit_store.read_held(self._pool):
            if plan.approved_by is not None:
                return Due("approval", Scope(users=users_of(plan)))
        if cursor is None or (cause := self._cause_of_everything(cursor, digest)):
            return Due("start" if cursor is None else cause)
        changes = await changed_since(self._pool, cursor.directory_version)
        if changes.ids or changes.version != cursor.directory_version:
            return Due("directory", Scope(people=changes.ids), store.Cursor(changes.version, digest))
        drift = await member_store.read_drift(self._pool)
        return Due("drift", Scope(users=frozenset(drift)), drift=tuple(drift.items())) if drift else None

    def _cause_of_everything(self, cursor: store.Cursor, digest: str) -> str:
        """Return why everybody is to be looked at, empty when not."""
        now = self._clock()
        if self._day is None:
            return "start"
        if cursor.policy_digest != digest:
            return "policy"
        if self._day != now.date():
            return "new day"
        return "retry" if self._retry_at is not None and now >= self._retry_at else ""

    async def _do(self, due: Due) -> Reconciled:
        today = self._clock().date()
        result = await self._reconciler.reconcile(self._policy(), due.scope, cause=due.cause)
        if due.scope is None:
            self._day, self._retry_at = today, None
        if due.cursor is not None:
            await store.put_cursor(self._pool, due.cursor)
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

    def _seconds_to_next(self) -> float:
        """Return how long nothing is due by the clock alone: until the next day begins, or the next retry."""
        now = self._clock()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
        return max(0.0, (min(midnight, self._retry_at or midnight) - now).total_seconds())

    async def _wait_out(self, complaint: str) -> None:
        if complaint != self._complaint:
            log.warning("%s Memberships wait; Muster tries again.", complaint, extra={"action": "wait"})
            self._complaint = complaint
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _recover(self) -> None:
        if self._complaint:
            log.info("memberships go on", extra={"action": "wait"})
        self._complaint, self._pause = "", FIRST_PAUSE


async def _any_of(wakes: Sequence[asyncio.Event], seconds: float) -> None:
    """Wait until one of the events is set, or the time is over."""
    waiting = [asyncio.create_task(wake.wait()) for wake in wakes]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
