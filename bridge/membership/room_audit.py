"""The slow audit: one room after another is read from the homeserver and compared with what we know of it.

Synapse loses what it has queued for us whenever it restarts, so some events never come. The audit reads rooms, not
users: one request each, through the admin API. What was missed is taken in as if its event had come, and is put right
by whoever reconciles. How far it has come is in the database; a restart goes on there.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.event import Event
from bridge.homeserver.voice import StateVoice
from bridge.ids import RoomId, UserId
from bridge.membership import former_room_store, gone_rooms, place_store, room_audit_store, store
from bridge.membership.comparison import Difference, compare
from bridge.membership.current import Membership, shapes_of
from bridge.membership.member_store import note_drift
from bridge.membership.reconcile import LOCK
from bridge.membership.room_audit_store import Pass
from bridge.membership.rooms import SETTINGS
from bridge.patience import until

if TYPE_CHECKING:
    from bridge.database import Pool
    from bridge.membership.rooms import Shape

log = logging.getLogger(__name__)

SHORTEST_PASS: Final = timedelta(hours=1)
"""Where there are few rooms, each is compared at most once in this time."""
_RECORDED_EVERY: Final = timedelta(seconds=1)
"""Where one room follows upon another; after a crash those of one second are compared again."""


class Homeserver(StateVoice, Protocol):
    """The requests that this needs, through the admin API."""

    bot: UserId

    async def room_ids(self) -> list[RoomId]: ...


@dataclass(frozen=True, slots=True)
class _Reading:
    """A room as we know it and, read after that, as the homeserver has it."""

    members: Mapping[UserId, str]
    power: Mapping[UserId, int]
    state: Sequence[Event]


class RoomAudit:
    """Compares rooms; `membership` takes in what was missed."""

    def __init__(self, pool: Pool, homeserver: Homeserver, membership: Membership, *, clock: Clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._membership = membership
        self._clock = clock

    async def run(self, every: timedelta) -> None:
        """Compare one room every so often until cancelled; wait with back-off while somebody is away."""

        async def turn() -> float:
            begun = await self._begun()
            await self._go_through(begun, every.total_seconds())
            return until(begun.started_at + SHORTEST_PASS, self._clock(), SHORTEST_PASS.total_seconds())

        await take_turns(turn, None, what="comparing rooms", action="drift.compare")

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
        await self._look_for_gone(rooms)
        first, recorded = bisect_right(rooms, one.position), self._clock()
        ahead = self._read(rooms[first]) if first < len(rooms) else None
        try:
            for at, room_id in enumerate(rooms[first:], first + 1):
                assert ahead is not None
                reading, ahead = ahead, None
                if at < len(rooms) and not seconds:  # the next comes in while this one is compared and recorded
                    ahead = self._read(rooms[at])
                one = await self._compare(room_id, reading, one)
                if seconds or self._clock() - recorded >= _RECORDED_EVERY:
                    await room_audit_store.put_pass(self._pool, one)
                    recorded = self._clock()
                progress(at, len(rooms))
                if at < len(rooms) and seconds:
                    await asyncio.sleep(seconds)
                    ahead = self._read(rooms[at])
        except HomeserverError:
            await room_audit_store.put_pass(self._pool, one)
            raise
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
        one = replace(one, finished_at=self._clock())
        await room_audit_store.put_pass(self._pool, one)
        log.info("%d rooms were compared; missed and taken in: %d", one.rooms, one.repaired, extra=_ACTION)
        return one

    def _read(self, room_id: RoomId) -> asyncio.Task[_Reading]:
        """Begin to read what is known of a room, and what the homeserver says."""

        async def read() -> _Reading:
            async with self._pool.acquire() as connection:
                members = await room_audit_store.read_members(connection, room_id)
                power = await room_audit_store.read_power(connection, room_id)
            return _Reading(members, power, await self._homeserver.state(room_id))

        return asyncio.create_task(read())

    async def _compare(self, room_id: RoomId, reading: asyncio.Task[_Reading], one: Pass) -> Pass:
        """Compare one room, and take in what was missed."""
        one = replace(one, position=room_id)
        try:
            read = await reading
            found = await self._difference(room_id, read)
            if found.events:
                # Whoever applies may have just acted; what differs still while nobody does was missed.
                found = await self._take_in(room_id)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.warning("%s cannot be compared: %s", room_id, error.message, extra=_ACTION)
            return replace(one, failed=one.failed + 1)
        members = sum(event.type == "m.room.member" for event in read.state)
        return replace(
            one, rooms=one.rooms + 1, members=one.members + members, repaired=one.repaired + len(found.events)
        )

    async def _take_in(self, room_id: RoomId) -> Difference:
        async with self._pool.acquire() as connection, connection.transaction():
            await store.wait_for_applier(connection, LOCK)
            found = await self._difference(room_id, await self._read(room_id))
            if found.events:
                users = {UserId(event.state_key) for event in found.members if event.state_key}
                await room_audit_store.forget_moments(self._pool, room_id, users)
                await self._membership.handle([replace(event, room_id=room_id) for event in found.events])
        return found

    async def _difference(self, room_id: RoomId, read: _Reading) -> Difference:
        bot = self._homeserver.bot
        # Hardly a room has been set up by others, and how ten thousand were made is long to say.
        by_others = any(event.type in SETTINGS and event.sender != bot for event in read.state)
        shapes: dict[RoomId, Shape] = shapes_of(await place_store.read_places(self._pool)) if by_others else {}
        now = int(self._clock().timestamp() * 1000)
        return compare(room_id, read.state, read.members, read.power, shapes, bot=bot, now=now)

    async def _look_for_gone(self, rooms: Sequence[RoomId]) -> None:
        """Let go of managed rooms that the homeserver no longer has, and wake whoever makes them anew."""
        missing = await former_room_store.read_all(self._pool) - set(rooms)
        if not missing:
            return
        async with self._pool.acquire() as connection, connection.transaction():
            await store.wait_for_applier(connection, LOCK)
            if await gone_rooms.retire(self._pool, self._homeserver, missing, self._clock()):
                await note_drift(self._pool, ())


_ACTION = {"action": "drift.compare"}
