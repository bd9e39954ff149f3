"""The slow audit: one room after another is read from the homeserver and compared with what we know of it.

Synapse loses what it has queued for us whenever it restarts, so some events never come. The audit reads rooms, not
users: one request each, through the admin API. What was missed is taken in as if its event had come, and is put right
by whoever reconciles. How far it has come is in the database; a restart goes on there.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId
from bridge.membership import room_audit_store, store
from bridge.membership.comparison import Difference, compare
from bridge.membership.current import Membership, shapes_of
from bridge.membership.reconcile import LOCK
from bridge.membership.room_audit_store import Pass
from bridge.patience import Backoff, Patience

if TYPE_CHECKING:
    from bridge.database import Pool
    from bridge.membership.rooms import Shape

log = logging.getLogger(__name__)

SHORTEST_PASS: Final = timedelta(hours=1)
"""Where there are few rooms, each is compared at most once in this time."""
_BACKOFF: Final = Backoff(1.0, 300.0)


class Homeserver(Protocol):
    """The requests that this needs, through the admin API."""

    bot: UserId

    async def room_ids(self) -> list[RoomId]: ...
    async def state(self, room_id: RoomId) -> list[Event]: ...


class RoomAudit:
    """Compares rooms; `membership` takes in what was missed."""

    def __init__(self, pool: Pool, homeserver: Homeserver, membership: Membership, *, clock: Clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._membership = membership
        self._clock = clock

    async def run(self, every: timedelta) -> None:
        """Compare one room every so often until cancelled; wait with back-off while somebody is away."""
        patience = Patience(_BACKOFF, _complain)
        while True:
            try:
                begun = await self._begun()
                await self._go_through(begun, every.total_seconds())
                left = begun.started_at + SHORTEST_PASS - self._clock()
                patience.recover()
                await asyncio.sleep(max(left.total_seconds(), 0))
            except (HomeserverError, *AWAY) as error:
                others_tell = isinstance(error, (HomeserverUnavailableError, *AWAY))
                await patience.wait_out("" if others_tell else str(error))

    async def scan(self, progress: Callable[[int, int], None] = lambda over, total: None) -> Pass:
        """Compare every room now, one after another, and return what it came to."""
        return await self._go_through(self._fresh(), 0, progress)

    async def _begun(self) -> Pass:
        """Return the comparison that is under way, or a new one."""
        known = await room_audit_store.read_pass(self._pool)
        return known if known is not None and known.finished_at is None else self._fresh()

    def _fresh(self) -> Pass:
        return Pass(self._clock(), None, RoomId(""), 0, 0, 0, 0)

    async def _go_through(
        self, one: Pass, seconds: float, progress: Callable[[int, int], None] = lambda over, total: None
    ) -> Pass:
        rooms = sorted(await self._homeserver.room_ids())
        for at in range(bisect_right(rooms, one.position), len(rooms)):
            one = await self._compare(rooms[at], one)
            await room_audit_store.put_pass(self._pool, one)
            progress(at + 1, len(rooms))
            if seconds:
                await asyncio.sleep(seconds)
        one = replace(one, finished_at=self._clock())
        await room_audit_store.put_pass(self._pool, one)
        log.info("%d rooms were compared; missed and taken in: %d", one.rooms, one.repaired, extra=_ACTION)
        return one

    async def _compare(self, room_id: RoomId, one: Pass) -> Pass:
        """Compare one room, and take in what was missed."""
        one = replace(one, position=room_id)
        try:
            state = await self._homeserver.state(room_id)
            found = await self._difference(room_id, state)
            if found.events:
                # Whoever applies may have just acted; what differs still while nobody does was missed.
                found = await self._take_in(room_id)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            await self._report(room_id, error)
            return replace(one, failed=one.failed + 1)
        members = sum(event.type == "m.room.member" for event in state)
        return replace(
            one, rooms=one.rooms + 1, members=one.members + members, repaired=one.repaired + len(found.events)
        )

    async def _take_in(self, room_id: RoomId) -> Difference:
        async with self._pool.acquire() as connection, connection.transaction():
            await store.wait_for_applier(connection, LOCK)
            found = await self._difference(room_id, await self._homeserver.state(room_id))
            if found.events:
                users = {UserId(event.state_key) for event in found.members if event.state_key}
                await room_audit_store.forget_moments(self._pool, room_id, users)
                await self._membership.handle([replace(event, room_id=room_id) for event in found.events])
        return found

    async def _difference(self, room_id: RoomId, state: Sequence[Event]) -> Difference:
        managed = await store.read_place_keys(self._pool, {room_id})
        shapes: dict[RoomId, Shape] = shapes_of(await store.read_places(self._pool)) if managed else {}
        return compare(
            room_id,
            state,
            await room_audit_store.read_members(self._pool, room_id),
            await room_audit_store.read_power(self._pool, room_id),
            shapes,
            bot=self._homeserver.bot,
            now=int(self._clock().timestamp() * 1000),
        )

    async def _report(self, room_id: RoomId, error: HomeserverError) -> None:
        """Tell the administrators of a managed room that the homeserver no longer has."""
        log.warning("%s cannot be compared: %s", room_id, error.message, extra=_ACTION)
        key = (await store.read_place_keys(self._pool, {room_id})).get(room_id)
        if error.status == 404 and key is not None:
            body = f"The homeserver no longer has the room {key!r} ({room_id}): somebody has deleted it by hand."
            await put_notice(self._pool, Notice(f"room gone:{room_id}", body))


def _complain(problem: str) -> None:
    log.info("comparing rooms waits: %s", problem, extra=_ACTION)


_ACTION = {"action": "drift.compare"}
