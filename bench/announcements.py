"""How fast announcements go out on a real Synapse, beside the same messages sent by a bare loop.

Both send the same number of messages to the same rooms with the same concurrency. What Muster does beside (counting
attempts before they are made, recording whom each room's copy reached) is what the ratio shows.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.membership_apply import Scene, scene, user_id
from bench.report import Figure
from bridge.announcements.outbox_store import put
from bridge.announcements.postman import AT_ONCE, Postman
from bridge.announcements.values import Act, Outgoing, Priority, Role, copy_key
from bridge.clock import system_clock
from bridge.homeserver.client import Homeserver
from bridge.ids import EventId, RoomId

if TYPE_CHECKING:
    from bridge.database import Pool

ROOMS = 200
PEOPLE = 10_000
"""As many in each room."""
PERSONAL = 100
TURNS = 3
QUEUED = 10
"""Normal announcements to every room that are under way when the emergency comes."""
_CONTENT = {"msgtype": "m.text", "body": "The gate is closed until nine; take the one in Tallinn road. " * 5}


async def send() -> Figure:
    """Measure announcements to 10,000 people in 200 rooms, in messages per second."""
    ours: list[float] = []
    bare: list[float] = []
    async with scene() as stage:
        rooms = await _rooms(stage, ROOMS)
        await _fill(stage.pool, rooms)
        for turn in range(TURNS + 1):  # the first warms everything up
            figures = [await _by_loop(stage, rooms, turn), await _by_muster(stage, rooms, f"a{turn}")]
            if turn:
                bare.append(figures[0])
                ours.append(figures[1])
    return Figure("announce.send", statistics.median(ours), "messages/s", "synapse.bare", statistics.median(bare))


async def personal() -> Figure:
    """Measure announcements to people whose rooms are made already, in messages per second."""
    ours: list[float] = []
    bare: list[float] = []
    async with scene() as stage:
        names = [f"person{number}" for number in range(PERSONAL)]
        await stage.make_accounts(names, known=False)
        await put(stage.pool, [_personal(name, "first") for name in names])
        await Postman(stage.pool, stage.homeserver).deliver()
        rows = await stage.pool.fetch("SELECT room_id FROM personal_room")
        rooms = [RoomId(row["room_id"]) for row in rows]
        for turn in range(TURNS):
            bare.append(await _by_loop(stage, rooms, turn))
            await put(stage.pool, [_personal(name, f"p{turn}") for name in names])
            ours.append(await _delivered(stage, len(names)))
    return Figure("announce.personal", statistics.median(ours), "messages/s", "synapse.bare", statistics.median(bare))


async def emergency() -> Figure:
    """Count what goes out from the putting of an emergency until the last of its 50 rooms has it, 500 being queued."""
    async with scene() as stage:
        rooms = await _rooms(stage, ROOMS // 4)
        homeserver = Ordered(
            stage.transport, bot=stage.homeserver.bot, server_name=stage.homeserver.server_name, appservice_id="muster"
        )
        for turn in range(QUEUED):
            await put(stage.pool, [_copy(room_id, f"n{turn}", Priority.NORMAL) for room_id in rooms])
        wake = asyncio.Event()
        running = asyncio.create_task(Postman(stage.pool, homeserver).run(wake))
        try:
            await _until(lambda: len(homeserver.order) >= len(rooms))
            await put(stage.pool, [_copy(room_id, "emergency", Priority.EMERGENCY) for room_id in rooms])
            before = len(homeserver.order)
            wake.set()
            await _until(lambda: homeserver.order.count("emergency") == len(rooms))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    last = len(homeserver.order) - homeserver.order[::-1].index("emergency") - before
    return Figure("announce.emergency", last, "messages", "rooms", len(rooms))


class Ordered(Homeserver):
    """A homeserver that remembers what was sent, in order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order: list[str] = []

    async def send(self, room_id: RoomId, event_type: str, content: Mapping[str, object], **kwargs: Any) -> EventId:
        self.order.append(str(content["body"]))
        return await super().send(room_id, event_type, content, **kwargs)


async def _rooms(stage: Scene, number: int) -> list[RoomId]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def make(name: str) -> RoomId:
        async with turns:
            return await stage.homeserver.create_room({"preset": "private_chat", "name": name})

    return await asyncio.gather(*(make(f"Room {each}") for each in range(number)))


async def _fill(pool: Pool, rooms: Sequence[RoomId]) -> None:
    """Say of everybody that they are in one of the rooms; only the database needs to know."""
    people = [user_id(f"p{number}") for number in range(PEOPLE)]
    await pool.execute(
        "INSERT INTO room_member (room_id, user_id, membership, changed_at)"
        " SELECT room_id, user_id, 'join', now() FROM unnest($1::text[], $2::text[]) AS member (room_id, user_id)",
        [rooms[number % len(rooms)] for number in range(PEOPLE)],
        people,
    )


async def _by_muster(stage: Scene, rooms: Sequence[RoomId], announcement: str) -> float:
    await stage.pool.execute(
        "INSERT INTO announcement (id, desk, author, author_name, audience, created_at)"
        " VALUES ($1, 'desk', '@a', 'A', '{\"rooms\": []}', now())",
        announcement,
    )
    await stage.pool.execute(
        "INSERT INTO recipient (announcement, user_id, targeted_at) SELECT $1, user_id, now() FROM room_member"
        " WHERE room_id = ANY($2) AND membership = 'join'",
        announcement,
        list(rooms),
    )
    await put(stage.pool, [_copy(room_id, announcement, Priority.NORMAL, announcement) for room_id in rooms])
    rate = await _delivered(stage, len(rooms))
    missing: int = await stage.pool.fetchval(
        "SELECT count(*) FROM recipient WHERE announcement = $1 AND delivered_at IS NULL", announcement
    )
    assert not missing, missing
    return rate


async def _delivered(stage: Scene, number: int) -> float:
    started = time.perf_counter()
    progress = await Postman(stage.pool, stage.homeserver).deliver()
    assert progress.settled == number, progress
    return number / (time.perf_counter() - started)


async def _by_loop(stage: Scene, rooms: Sequence[RoomId], turn: int) -> float:
    turns = asyncio.Semaphore(AT_ONCE)

    async def say(room_id: RoomId) -> None:
        async with turns:
            await stage.homeserver.send(room_id, "m.room.message", _CONTENT, transaction_id=f"bare-{turn}-{room_id}")

    started = time.perf_counter()
    await asyncio.gather(*map(say, rooms))
    return len(rooms) / (time.perf_counter() - started)


def _copy(room_id: RoomId, name: str, rank: Priority, announcement: str | None = None) -> Outgoing:
    content = _CONTENT if announcement else {"msgtype": "m.text", "body": name}
    return Outgoing(
        key=copy_key(name, room_id),
        act=Act.SEND,
        role=Role.COPY,
        rank=rank,
        due_at=system_clock(),
        room_id=room_id,
        content=content,
        announcement=announcement,
        version=1,
    )


def _personal(name: str, turn: str) -> Outgoing:
    user = user_id(name)
    now = system_clock()
    return Outgoing(f"{turn}/{user}", Act.SEND, Role.NOTE, Priority.NORMAL, now, user_id=user, content=_CONTENT)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it works by itself
        await asyncio.sleep(0.005)


FIGURES: Mapping[str, Callable[[], Awaitable[Figure] | Figure]] = {
    "announce.emergency": emergency,
    "announce.personal": personal,
    "announce.send": send,
}
