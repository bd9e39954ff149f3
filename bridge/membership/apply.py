"""Carrying out a plan: several rooms at once, one step at a time in each, an audit entry for every change.

A change that the homeserver refuses is recorded and the rest goes on; what hung on it is passed over. When the
homeserver or the database is away the run stops with their error, and a later plan finds what is still to be done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.errors import HomeserverUnavailableError, MusterError
from bridge.ids import UserId
from bridge.membership import audit_store
from bridge.membership.acts import Actor, Done
from bridge.membership.audit import Run
from bridge.membership.plan import ACCOUNTS
from bridge.membership.steps import Ready, Schedule, steps_of
from bridge.membership.values import Action, Change, Plan

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

AT_ONCE = 10
"""Rooms worked on at the same time; more gain nothing from Synapse."""
PASSED_OVER = "passed over, because a change that it needs has failed"

Progress = Callable[[int, int], None]
"""Told how many changes are over, and how many there are."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A change that did not succeed, and why."""

    change: Change
    error: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan."""

    done: int = 0
    failures: tuple[Failure, ...] = ()
    sessions_ended: int = 0


async def apply(
    plan: Plan,
    run: Run,
    actor: Actor,
    pool: Pool,
    *,
    clock: Clock,
    at_once: int = AT_ONCE,
    progress: Progress | None = None,
) -> Applied:
    """Carry out all changes of the plan and return what became of them.

    Raises `HomeserverUnavailableError` as soon as the homeserver is away; entries under way then stay open.
    """
    return await _Applying(plan, run, actor, pool, clock, progress).work(at_once)


class _Applying:
    """One plan under way."""

    def __init__(self, plan: Plan, run: Run, actor: Actor, pool: Pool, clock: Clock, progress: Progress | None) -> None:
        self._steps = steps_of(plan, actor.open_to())
        self._schedule = Schedule(self._steps)
        self._run = run
        self._actor = actor
        self._pool = pool
        self._clock = clock
        self._total = len(plan.changes)
        self._progress = progress or (lambda over, total: None)
        self._done = 0
        self._failures: list[Failure] = []
        self._sessions_ended = 0

    async def work(self, at_once: int) -> Applied:
        running: dict[asyncio.Task[bool], Ready] = {}
        try:
            while self._schedule.left:
                while len(running) < at_once and (ready := self._schedule.take()) is not None:
                    running[asyncio.create_task(self._carry_out(ready))] = ready
                over, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in over:
                    self._schedule.finish(running.pop(task).index, succeeded=task.result())
                self._progress(self._done + len(self._failures), self._total)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return Applied(self._done, tuple(self._failures), self._sessions_ended)

    async def _carry_out(self, ready: Ready) -> bool:
        """Do one step and record it; False when it failed."""
        if ready.passed_over:
            await self._pass_over(ready.passed_over)
        if not ready.go:
            return False
        entries = [await self._begin(change) for change in ready.go]
        try:
            done = await self._actor.act(ready.go)
        except HomeserverUnavailableError:
            raise
        except MusterError as error:
            await self._fail(entries, ready.go, error.message)
            return False
        await self._settle(entries, ready.go, done)
        return True

    async def _begin(self, change: Change) -> int:
        with_account = change.rule == ACCOUNTS
        return await audit_store.begin_entry(
            self._pool,
            self._run,
            change,
            self._actor.room_id(change),
            self._clock(),
            # A guest who comes back is a guest still, whom no rule takes out.
            grant=change.action is Action.JOIN and not with_account,
            owe=change.action is Action.REMOVE and with_account,
        )

    async def _settle(self, entries: list[int], changes: tuple[Change, ...], done: Done) -> None:
        now = self._clock()
        if done.membership is not None and done.room_id is not None:
            user_id = UserId(changes[0].user_id)
            await audit_store.settle_membership(self._pool, entries[0], done.room_id, user_id, done.membership, now)
        else:
            await audit_store.settle_entries(
                self._pool, entries, "done", now, room_id=done.room_id, sessions_ended=done.sessions_ended
            )
        self._done += len(entries)
        self._sessions_ended += done.sessions_ended or 0

    async def _fail(self, entries: list[int], changes: tuple[Change, ...], error: str) -> None:
        await audit_store.settle_entries(self._pool, entries, "failed", self._clock(), error=error)
        self._failures += [Failure(change, error) for change in changes]
        log.warning("%s in %s failed: %s", changes[0].action, changes[0].room or "accounts", error, extra=_ACTION)

    async def _pass_over(self, changes: tuple[Change, ...]) -> None:
        await audit_store.record_entries(self._pool, self._run, changes, "failed", self._clock(), error=PASSED_OVER)
        self._failures += [Failure(change, PASSED_OVER) for change in changes]


_ACTION = {"action": "apply"}
