"""Making it so: read, decide, act, record, by one applier at a time across all processes.

`Reconciler.reconcile` is the one way in which Muster changes accounts, rooms and memberships. What sets it off is left
to `upkeep` and to the command line.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bridge.clock import Clock
from bridge.directory import door_store
from bridge.directory.notice import abandoned_room, return_refused, unknown_status
from bridge.directory.notice_store import put_notice
from bridge.directory.status_store import load_unknown_words
from bridge.directory.store import load_people
from bridge.errors import HomeserverError, HomeserverUnavailableError, RefusedError
from bridge.ids import PersonId, UserId
from bridge.membership import (
    acts,
    audit_store,
    barrier_store,
    former_room_store,
    gone_rooms,
    held,
    held_notice,
    lifecycle_store,
    place_store,
    run_store,
    store,
    unmanaged_store,
)
from bridge.membership.alignment import may_be_renamed
from bridge.membership.apply import AT_ONCE, Applied, Progress, apply
from bridge.membership.audit import SERVICE, Run
from bridge.membership.barriers import on_both_sides
from bridge.membership.brake import Verdict, taking_of
from bridge.membership.desired import ADMINISTRATORS
from bridge.membership.guests import notices
from bridge.membership.heirs import tell_heirs
from bridge.membership.interventions import answer_interventions, begin_rests
from bridge.membership.leaving import stages_for
from bridge.membership.plan import plan_of
from bridge.membership.survey import JoinedRooms, Scope, Survey, survey, users_of
from bridge.membership.unmanaged import UnmanagedRoom
from bridge.membership.values import Change, Plan
from bridge.policy.schema import Policy, UnmanagedRooms

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

Besides = Callable[[Survey], Sequence[Change]]
"""Returns what is to be added beside what differs from the policy."""

LOCK = 0x6D656D62
"""Advisory lock of whoever applies; PostgreSQL lets it go when the process is killed."""


class Accounts(acts.Accounts, JoinedRooms, Protocol):
    """The accounts, and where they are."""


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What set a reconciliation off, and who."""

    cause: str
    set_off_by: str
    by: PersonId | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one reconciliation came to."""

    plan: Plan
    """Everything that differed."""
    held: Plan
    """The part of it that waits for a second person."""
    reasons: tuple[str, ...]
    applied: Applied
    run_id: int | None
    """None when there was nothing to do."""
    directory_version: int


class Reconciler:
    """Brings the homeserver to what directory and policy say; `timezone` is that of people without one of their own."""

    def __init__(
        self,
        pool: Pool,
        homeserver: acts.Homeserver,
        accounts: Accounts,
        *,
        clock: Clock,
        timezone: str = "UTC",
        at_once: int = AT_ONCE,
    ) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._accounts = accounts
        self._clock = clock
        self._timezone = timezone
        self._at_once = at_once

    async def survey(self, policy: Policy, scope: Scope | None = None) -> Survey:
        """Read and decide, and change nothing."""
        now = self._clock()
        return await survey(self._pool, self._homeserver, self._accounts, policy, now, scope, timezone=self._timezone)

    async def unmanaged_rooms(self, now: datetime) -> list[UnmanagedRoom]:
        """Return the rooms that people made and about which something may be to be done."""
        return await unmanaged_store.read_unmanaged(self._pool, self._homeserver.bot, now)

    async def reconcile(
        self,
        policy: Policy,
        scope: Scope | None = None,
        *,
        cause: str,
        digest: str | None = None,
        set_off_by: str = SERVICE,
        by: PersonId | None = None,
        besides: Besides | None = None,
        progress: Progress | None = None,
    ) -> Reconciled:
        """Carry out what differs, for everybody or for those in scope; hold what the brake holds.

        `besides` says what is to be added beside what differs. `set_off_by` is the service or the system's user of a
        command, `by` who that is, and so may not approve what is held of it. With `digest` exactly the plan of that
        digest (or of one that begins so) is carried out; `RefusedError` when it is another by now. Raises
        `HomeserverUnavailableError` when the homeserver goes away; what was done by then is recorded, and the next
        reconciliation goes on from there.
        """
        async with self._alone():
            begun = self._clock()
            await run_store.interrupt_begun(self._pool, begun)
            forsaken = await former_room_store.read_forsaken(self._pool, self._homeserver.bot)
            if await gone_rooms.retire(self._pool, self._homeserver, forsaken, begun):
                scope = None
            await begin_rests(self._pool, self._clock())
            found = await self._survey_whole(policy, scope)
            found = found if besides is None else widened(found, besides(found))
            _insist_on(digest, found.plan)
            await self._keep_barriers(found, whole=scope is None)
            run_id, applied = await self._carry_out(found, _Occasion(cause, set_off_by, by), progress)
            await self._look_for_gone(found, applied)
            await self._follow_leavers(found)
            await self._settle_owed(found)
            for notice in notices(found.guests, found.guesthood, found.census):
                await put_notice(self._pool, notice)
            await answer_interventions(self._pool, found, self._clock())
            await self.tell_administrators(policy)
            await tell_heirs(self._pool, self._homeserver, self._clock)
            for word in await load_unknown_words(self._pool, None if scope is None else scope.people):
                await put_notice(self._pool, unknown_status(word))
            if scope is None:
                if policy.unmanaged_rooms is not UnmanagedRooms.CLOSE:
                    await unmanaged_store.forget_closing(self._pool)
                await store.put_cursor(self._pool, store.Cursor(found.directory_version, policy.digest))
                await former_room_store.mark_looked(self._pool, begun, self._clock())
        verdict = found.verdict
        return Reconciled(found.plan, verdict.held, verdict.reasons, applied, run_id, found.directory_version)

    async def tell_administrators(self, policy: Policy) -> None:
        """Post a notice of everything that waits and that they have not been told of; the same again is the same event.

        What somebody has said no to is not asked again; an approval that holds no longer is told. Raises
        `HomeserverUnavailableError` when the homeserver is away.
        """
        await held.expire(self._pool, policy.brake.approval, self._clock())
        for plan in await audit_store.read_held(self._pool):
            if plan.told or plan.rejected_by is not None:
                continue
            if await self._tell(plan, held_notice.notice(plan)):
                await audit_store.mark_told(self._pool, plan.digest, self._clock())
        rejected = await audit_store.read_rejected(self._pool)
        for waiting in await door_store.load_lists(self._pool):
            if waiting.told or waiting.digest in rejected:
                continue
            people = await load_people(self._pool, waiting.people)
            if await self._tell(waiting, held_notice.absence_notice(waiting, people)):
                await door_store.mark_told(self._pool, waiting, self._clock())

    async def _tell(self, waiting: held_notice.Waiting, content: Mapping[str, object]) -> bool:
        """Post into the administrators' room, and tell whether that was possible."""
        extra = {"action": "hold"}
        log.warning("something waits for a second person as %s", waiting.digest[:12], extra=extra)
        room = (await place_store.read_places(self._pool)).get(ADMINISTRATORS)
        if room is None or room.room_id is None:
            return False
        try:
            await self._homeserver.send(
                room.room_id, "m.room.message", content, transaction_id=held_notice.transaction_id_of(waiting)
            )
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.warning("the administrators cannot be told: %s", error.message, extra=extra)
            return False
        return True

    async def _survey_whole(self, policy: Policy, scope: Scope | None) -> Survey:
        """Survey, and once more together with all that is held when this is held too: what waits is one plan.

        Once more everybody where a value of the policy's may have another name now.
        """
        found = await self.survey(policy, scope)
        if scope is not None and may_be_renamed(found.plan, found.current):
            return await self.survey(policy)
        if scope is None or not found.verdict.held.changes or len(found.concerned) == len(found.held):
            return found
        waiting = frozenset[UserId]().union(*map(users_of, found.held))
        return await self.survey(policy, Scope(scope.people, scope.users | waiting))

    async def _keep_barriers(self, found: Survey, *, whole: bool) -> None:
        """Remember who is on which side, before anything is done: what people do meanwhile is judged by it."""
        barriers = found.policy.barriers
        seats = found.seats
        async with self._pool.acquire() as connection, connection.transaction():
            if whole:
                await barrier_store.put_barriers(connection, barriers, self._clock())
            if barriers:
                users = None if whole else [account.user_id for account in found.desired.accounts.values()]
                users = None if users is None else [*users, *(guest.user_id for guest in found.guests)]
                await barrier_store.put_sides(connection, seats, users)
            for wall in found.walls.walls:
                if wall.both:
                    names = sorted(found.census.person(row).display_name for row in wall.both)
                    await put_notice(connection, on_both_sides(wall.barrier, names))
            for each in found.plan.kept_out:
                if each.room.startswith("!"):
                    await put_notice(connection, return_refused(each.room, each.users[0], each.reason))

    async def _carry_out(
        self, found: Survey, occasion: _Occasion, progress: Progress | None
    ) -> tuple[int | None, Applied]:
        verdict = found.verdict
        fresh = bool(verdict.held.changes) and all(plan.digest != verdict.held.digest for plan in found.held)
        if not (verdict.go.changes or fresh):
            await self._release(found)
            return None, Applied()
        approval, approver = _approval_of(found)
        run_id = await run_store.begin_run(
            self._pool,
            occasion.cause,
            found.plan.digest,
            self._clock(),
            set_off_by=occasion.set_off_by,
            by=occasion.by,
            approved_by=approver,
        )
        run = Run(run_id, found.directory_version, found.policy.digest, approval, found.pardons)
        if fresh:
            await self._hold(run, verdict, occasion.by)
        applied = await self._apply(verdict.go, run, progress)
        await self._release(found)
        if approval is not None:
            await put_notice(
                self._pool,
                held_notice.outcome(approval, run_id, done=applied.done, failed=len(applied.failures)),
            )
        await run_store.finish_run(self._pool, run_id, self._clock())
        log.info(
            "%s: %d changes done, %d failed, %d held",
            occasion.cause,
            applied.done,
            len(applied.failures),
            len(verdict.held.changes),
            extra={"action": "reconcile"},
        )
        return run_id, applied

    async def _look_for_gone(self, found: Survey, applied: Applied) -> None:
        """Let go of rooms in which something was refused because they are not there any more."""
        failed = {failure.change.room for failure in applied.failures}
        suspects = [room.room_id for key, room in found.current.rooms.items() if key in failed]
        await gone_rooms.retire(self._pool, self._homeserver, suspects, self._clock())

    async def _follow_leavers(self, found: Survey) -> None:
        """Remember since when leavers are that, and the stages before them; tell of rooms that nobody is in now."""
        accounts = list(found.desired.accounts.values())
        leavers = {a.user_id: a.person for a in accounts if not (a.enabled or a.barred or a.awaited)}
        now, policy = self._clock(), found.policy
        await lifecycle_store.forget_leavers(self._pool, [a.user_id for a in accounts if a.user_id not in leavers])
        since = await lifecycle_store.note_leavers(self._pool, leavers.keys(), now)
        stages = {
            user: stages_for(leavers[user], left_at, policy.accounts.leavers, found.census, self._timezone)
            for user, left_at in since.items()
        }
        await lifecycle_store.put_stages(self._pool, stages, now)
        held_back = {(change.room, change.user_id) for change in found.verdict.held.changes}
        for room in found.abandoned:
            if (room.room_id, room.leaver) not in held_back:
                await put_notice(self._pool, abandoned_room(room.room_id, room.name, room.leaver))

    async def _settle_owed(self, found: Survey) -> None:
        """Owe nobody a room that they never left, or have been given back, as a run may leave it that was interrupted;
        the homeserver says which: the event may be on its way still."""
        users = [account.user_id for account in found.desired.accounts.values()]
        for user_id in await lifecycle_store.read_owed_inside(self._pool, users):
            inside = await self._accounts.joined_rooms(user_id)
            await lifecycle_store.forget_owed(self._pool, user_id, inside)

    async def _apply(self, plan: Plan, run: Run, progress: Progress | None) -> Applied:
        if not plan.changes:
            return Applied()
        actor = acts.Actor(
            self._pool,
            self._homeserver,
            self._accounts,
            wanted=plan.rooms,
            places=await place_store.read_places(self._pool),
            clock=self._clock,
        )
        return await apply(plan, run, actor, self._pool, clock=self._clock, at_once=self._at_once, progress=progress)

    async def _hold(self, run: Run, verdict: Verdict, by: PersonId | None) -> None:
        """Keep what is held, with one entry of the audit log for each change, all or nothing."""
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            if await audit_store.hold(
                connection, verdict.held, verdict.reasons, now, caused_by=by, protected=verdict.protected
            ):
                await audit_store.record_entries(connection, run, verdict.held.changes, "held", now)

    async def _release(self, found: Survey) -> None:
        """Forget the held plans that were carried out by now, or that are no longer what is to be done; remember who
        waits for those that are."""
        past = [plan.digest for plan in found.concerned if plan.digest != found.verdict.held.digest]
        if past:
            await audit_store.release(self._pool, past)
        if found.verdict.waiting:
            await audit_store.put_awaiting(self._pool, {change.user_id for change in found.verdict.waiting})

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Wait until nobody else applies, in this process or another, and keep others out."""
        async with self._pool.acquire() as connection:
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
            try:
                yield
            finally:
                try:
                    await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
                except BaseException:  # also cancelled: the lock must not go back to the pool with the connection
                    connection.terminate()
                    raise


def widened(found: Survey, more: Sequence[Change]) -> Survey:
    """Return the survey with changes that add something, which the brake does not ask about. Pure."""
    plan = plan_of([*found.plan.changes, *more], found.plan.rooms)
    go = plan_of([*found.verdict.go.changes, *more], found.verdict.go.rooms)
    return replace(found, plan=plan, verdict=replace(found.verdict, go=go))


def _insist_on(digest: str | None, plan: Plan) -> None:
    if digest is None:
        return
    if len(digest) < held.SHORTEST_PREFIX:
        raise RefusedError(
            f"Expected a digest, or at least its first {held.SHORTEST_PREFIX} characters, got {digest!r}."
        )
    if not plan.digest.startswith(digest):
        raise RefusedError(
            f"The plan has changed: expected {digest}, now it is {plan.digest[:12]} with {len(plan.changes)} changes."
            " Nothing was done. Look at it with `muster plan` and apply that digest."
        )


def _approval_of(found: Survey) -> tuple[str | None, str | None]:
    """Return the digest of the approval that lets this plan take away, if it needs one, and who gave it."""
    taking = taking_of(found.verdict.go, found.pardons)
    for plan in found.held:
        if plan.digest == taking.digest and plan.approved_by is not None:
            return plan.digest, plan.approved_by
    return None, None
