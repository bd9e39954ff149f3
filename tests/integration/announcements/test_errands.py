"""Each act is done to the right event, in the right room, in the right order, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from bridge.announcements.outbox_store import put
from bridge.announcements.postman import AT_ONCE
from bridge.announcements.values import Act, Outgoing, Priority, Role
from bridge.errors import HomeserverError
from bridge.ids import RoomId, UserId
from tests.integration.announcements.company import (
    ANNA,
    BO,
    NEWS,
    NIGHT,
    NOW,
    FakeHomeserver,
    Muster,
    answer_at_once,
    put_member,
    text,
)
from tests.waiting import wait_until


def _row(key: str, act: Act = Act.SEND, **more: Any) -> Outgoing:
    """A note for the news, unless it says otherwise."""
    content = {"msgtype": "m.text", "body": key} if act in (Act.SEND, Act.EDIT) else None
    place = {} if "user_id" in more else {"room_id": NEWS}
    wanted = {"role": Role.NOTE, "rank": Priority.NORMAL, "due_at": NOW, "content": content, **place, **more}
    return Outgoing(key=key, act=act, **wanted)


async def _states(muster: Muster) -> Mapping[str, str]:
    rows = await muster.pool.fetch("SELECT key, state FROM outgoing ORDER BY id")
    return {row["key"]: row["state"] for row in rows}


async def test_what_was_said_is_edited_pinned_unpinned_and_taken_back(
    muster: Muster, homeserver: FakeHomeserver
) -> None:
    """Each act is done to the event of the row that it names, also when both were put at once."""
    homeserver.pinned[NEWS] = ["$rules"]
    await put(muster.pool, [_row("a"), _row("b", Act.EDIT, target="a"), _row("c", Act.PIN, target="a")])
    await muster.deliver()
    said, edit = homeserver.rooms[NEWS]
    assert edit["content"]["m.relates_to"] == {"rel_type": "m.replace", "event_id": said["event_id"]}
    assert edit["content"]["m.new_content"] == {"msgtype": "m.text", "body": "b"}
    assert homeserver.pinned[NEWS] == ["$rules", said["event_id"]]
    await put(muster.pool, [_row("d", Act.UNPIN, target="a"), _row("e", Act.REDACT, target="a")])
    await muster.deliver()
    assert homeserver.pinned[NEWS] == ["$rules"]
    assert homeserver.redacted == [said["event_id"]]
    assert set((await _states(muster)).values()) == {"done"}


async def test_what_was_never_said_is_neither_edited_nor_taken_back(muster: Muster, homeserver: FakeHomeserver) -> None:
    """An act whose target failed, or is none, is done with nothing to do; nobody's room is made for it."""
    homeserver.refusals[NEWS] = HomeserverError("You are not in the room", status=403)
    await put(muster.pool, [_row("a"), _row("b", Act.REDACT, target="a"), _row("c", Act.PIN, target="none")])
    await put(muster.pool, [_row("d", Act.EDIT, target="none", user_id=ANNA)])
    await muster.deliver()
    assert await _states(muster) == {"a": "failed", "b": "done", "c": "done", "d": "done"}
    assert (homeserver.rooms, homeserver.redacted, homeserver.aliases) == ({}, [], {})


async def test_an_act_waits_for_its_target_and_holds_up_nobody(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Whatever its rank: the edit of something that is not due yet comes after it."""
    later = NOW + timedelta(hours=1)
    await put(muster.pool, [_row("a", due_at=later), _row("b", Act.EDIT, target="a", rank=Priority.EMERGENCY)])
    await put(muster.pool, [_row("c")])
    await muster.deliver()
    assert homeserver.bodies(NEWS) == ["c"]
    await muster.wait(hours=1)
    assert homeserver.bodies(NEWS) == ["c", "a", "* b"]


async def test_a_board_is_edited_as_often_as_it_changes(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Putting the edit with other words is another edit; with the same words none."""
    await put(muster.pool, [_row("board")])
    for figures in ("1 of 3", "1 of 3", "2 of 3"):
        await put(muster.pool, [_row("e", Act.EDIT, target="board", content={"msgtype": "m.text", "body": figures})])
        await muster.deliver()
    assert homeserver.bodies(NEWS) == ["board", "* 1 of 3", "* 2 of 3"]


async def test_nothing_waits_behind_what_is_less_urgent(muster: Muster, homeserver: FakeHomeserver) -> None:
    """An emergency that comes while a long queue is under way goes to all of its rooms before anything else is begun,
    and before its elders in the same room."""
    rooms = [RoomId(f"!r{number}") for number in range(40)]
    await put(muster.pool, [_row(f"n{room}{turn}", room_id=room) for turn in (1, 2) for room in rooms])
    order: list[str] = []
    begun = 0

    async def note(room_id: RoomId) -> None:
        nonlocal begun
        order.append(homeserver.bodies(room_id)[-1][0])
        if len(order) == 5:
            await put(muster.pool, [_row(f"e{room}", room_id=room, rank=Priority.EMERGENCY) for room in rooms])
            begun = len(order)

    homeserver.before_answer = note
    await muster.deliver()
    positions = [position for position, kind in enumerate(order) if kind == "e"]
    assert (len(positions), len(order)) == (40, 120)
    assert max(positions) < begun + 40 + AT_ONCE, "only what was under way came before"


async def test_an_emergency_does_not_wait_for_rooms_that_hang(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Should everything that is under way hang, some room is kept for emergencies."""
    hanging = [RoomId(f"!hang{number}") for number in range(12)]
    await put(muster.pool, [_row(f"n{room}", room_id=room) for room in hanging])

    async def hang(room_id: RoomId) -> None:
        if room_id in hanging:
            await asyncio.Event().wait()

    homeserver.before_answer = hang
    wake = asyncio.Event()
    running = asyncio.create_task(muster.postman.run(wake))
    try:
        await wait_until(lambda: len(homeserver.rooms) == 10)
        await put(muster.pool, [_row("normal"), _row("e", room_id=NIGHT, rank=Priority.EMERGENCY)])
        wake.set()
        await wait_until(lambda: homeserver.bodies(NIGHT) == ["e"])
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert homeserver.bodies(NEWS) == []


async def test_a_room_keeps_its_order_through_a_refusal(muster: Muster, homeserver: FakeHomeserver) -> None:
    """What comes behind something that is refused for now waits for it; other rooms do not."""
    homeserver.refusals[NEWS] = HomeserverError("Internal server error", status=500)
    await put(muster.pool, [_row("a"), _row("b"), _row("c", room_id=NIGHT)])
    await muster.deliver()
    del homeserver.refusals[NEWS]
    await muster.deliver()
    assert (homeserver.bodies(NEWS), homeserver.bodies(NIGHT)) == ([], ["c"])
    await muster.wait(minutes=1)
    assert homeserver.bodies(NEWS) == ["a", "b"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_is_put_anew_while_it_is_under_way_gets_its_new_words(
    muster: Muster, homeserver: FakeHomeserver, restarted: bool
) -> None:
    """It is not said twice: the message that is there already is edited."""

    async def put_anew(_: RoomId) -> None:
        homeserver.before_answer = answer_at_once
        await put(muster.pool, [_row("a", content={"msgtype": "m.text", "body": "new"})])
        if restarted:
            homeserver.restart()

    homeserver.before_answer = put_anew
    await put(muster.pool, [_row("a")])
    await muster.deliver()
    said, edit = homeserver.rooms[NEWS]
    assert edit["content"]["m.new_content"]["body"] == "new"
    assert edit["content"]["m.relates_to"]["event_id"] == said["event_id"]
    assert await muster.pool.fetchval("SELECT event_id FROM outgoing") == said["event_id"]
    assert await _states(muster) == {"a": "done"}


async def test_people_hear_it_each_in_a_room_of_their_own(muster: Muster, homeserver: FakeHomeserver) -> None:
    """The room is made once, with the person in it; only the one who got it has got it."""
    await muster.hear(text("The gate is closed."))
    await muster.pool.execute("DELETE FROM outgoing")
    announcement = await muster.pool.fetchval("SELECT id FROM announcement")
    more = {"role": Role.COPY, "announcement": announcement, "version": 1}
    await put(muster.pool, [_row("a", user_id=ANNA, **more), _row("n", user_id=ANNA)])
    await muster.deliver()
    [room_id] = homeserver.aliases.values()
    assert homeserver.bodies(room_id) == ["a", "n"]
    assert homeserver.joined[room_id] == {ANNA}
    rows = await muster.pool.fetch("SELECT user_id FROM recipient WHERE delivered_at IS NOT NULL")
    assert [row["user_id"] for row in rows] == [ANNA]
    await put(muster.pool, [_row("e", Act.EDIT, target="a", user_id=ANNA), _row("b", user_id=BO)])
    await muster.deliver()
    assert homeserver.bodies(room_id) == ["a", "n", "* e"]
    assert len(homeserver.aliases) == 2


async def test_who_left_their_room_comes_back_into_the_same_one(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Nobody gets out of what is announced to them by leaving."""
    await put(muster.pool, [_row("a", user_id=ANNA)])
    await muster.deliver()
    [room_id] = homeserver.aliases.values()
    homeserver.joined[room_id].clear()
    await put_member(muster.pool, room_id, ANNA, "leave")
    await put(muster.pool, [_row("b", user_id=ANNA)])
    await muster.deliver()
    assert homeserver.bodies(room_id) == ["a", "b"]
    assert homeserver.joined[room_id] == {ANNA}


@pytest.mark.parametrize("stop", range(3))
async def test_a_kill_while_a_room_is_made_makes_no_second_one(
    muster: Muster, homeserver: FakeHomeserver, stop: int
) -> None:
    """Whenever it comes: after the making, the joining or the saying."""
    steps = iter(range(10))
    reached = asyncio.Event()

    async def stop_at(_: RoomId) -> None:
        if next(steps) == stop:
            reached.set()
            await asyncio.Event().wait()

    homeserver.before_answer = stop_at
    await put(muster.pool, [_row("a", user_id=ANNA)])
    delivering = asyncio.create_task(muster.deliver())
    await reached.wait()
    delivering.cancel()
    with suppress(asyncio.CancelledError):
        await delivering
    await muster.is_dead()
    homeserver.before_answer = answer_at_once
    homeserver.restart()
    await Muster(muster.pool, homeserver).deliver()
    [room_id] = homeserver.aliases.values()
    assert homeserver.bodies(room_id) == ["a"]
    assert await _states(muster) == {"a": "done"}


async def test_who_may_not_be_reached_is_said(muster: Muster, homeserver: FakeHomeserver) -> None:
    """A leaver is told nothing, and it is not tried again; what they were told before can still be taken back."""
    await put(muster.pool, [_row("a", user_id=ANNA)])
    await muster.deliver()
    await muster.pool.execute("UPDATE account SET enabled = false")
    await put(muster.pool, [_row("b", user_id=ANNA), _row("c", Act.REDACT, target="a", user_id=ANNA)])
    await muster.deliver()
    assert await _states(muster) == {"a": "done", "b": "failed", "c": "done"}
    error = await muster.pool.fetchval("SELECT error FROM outgoing WHERE key = 'b'")
    assert error == "The account is disabled: its owner cannot be told anything."
    assert len(homeserver.redacted) == 1


async def test_an_outage_uses_up_no_attempts(muster: Muster, homeserver: FakeHomeserver) -> None:
    """After a long one a refusal that passes is still tried again."""
    homeserver.away = True
    await put(muster.pool, [_row("a", user_id=UserId("@x:company.example"))])
    for _ in range(12):
        assert (await muster.deliver()).away
    homeserver.away = False
    homeserver.refusals = {room_id: HomeserverError("no", status=500) for room_id in homeserver.aliases.values()}
    await muster.deliver()
    assert (await _states(muster))["a"] != "failed"
