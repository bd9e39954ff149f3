"""What waits is sent, each message once, whatever dies in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bridge.announcements import store
from bridge.announcements.postman import MOST_ATTEMPTS
from bridge.announcements.tracking import RoomDelivery, report
from bridge.database import open_database
from bridge.errors import HomeserverError
from bridge.ids import RoomId
from tests.integration.announcements.company import (
    ANNA,
    BO,
    BOT,
    CY,
    DESK,
    NEWS,
    NIGHT,
    FakeHomeserver,
    Muster,
    answer_at_once,
    event,
    reaction,
    text,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

ROOMS = [NEWS, NIGHT]


async def _deliveries(pool: Pool) -> dict[RoomId, RoomDelivery]:
    [summary] = await store.load_summaries(pool, 10)
    found = await store.load_deliveries(pool, summary.id)
    return {delivery.room_id: delivery for delivery in found if delivery.room_id is not None}


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("killed_at", ROOMS)
async def test_a_kill_between_sending_and_recording_sends_nothing_twice(
    muster: Muster, homeserver: FakeHomeserver, killed_at: RoomId, restarted: bool
) -> None:
    """The next process finds out what has gone out, also when the homeserver has forgotten its transaction IDs."""

    sent = asyncio.Event()

    async def never_answer(room_id: RoomId) -> None:
        if room_id == killed_at:
            sent.set()
            await asyncio.Event().wait()

    await muster.hear(text("The gate is closed."))
    homeserver.before_answer = never_answer
    delivering = asyncio.create_task(muster.deliver())
    await sent.wait()
    delivering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivering
    assert {delivery.state for delivery in (await _deliveries(muster.pool)).values()} == {"waiting"}
    if restarted:
        homeserver.restart()
    homeserver.before_answer = answer_at_once
    await Muster(muster.pool, homeserver).deliver()
    assert [len(homeserver.rooms[room_id]) for room_id in ROOMS] == [1, 1]
    assert {delivery.state for delivery in (await _deliveries(muster.pool)).values()} == {"delivered"}


async def test_a_room_that_refuses_is_recorded_and_stops_no_other(muster: Muster, homeserver: FakeHomeserver) -> None:
    """One room's refusal is kept with its words; the others are delivered, and so are the people only there."""
    homeserver.refusals[NEWS] = HomeserverError("You are not in the room", status=403, errcode="M_FORBIDDEN")
    await muster.hear(text("The gate is closed."))
    await muster.deliver()
    deliveries = await _deliveries(muster.pool)
    assert deliveries[NEWS].state == "failed"
    assert deliveries[NEWS].error == "You are not in the room"
    assert deliveries[NIGHT].state == "delivered"
    [summary] = await store.load_summaries(muster.pool, 10)
    assert (summary.targeted, summary.delivered) == (3, 2)


async def test_a_fault_of_the_homeserver_is_tried_again_but_not_for_ever(
    muster: Muster, homeserver: FakeHomeserver
) -> None:
    """A 500 may pass; a room where it never does is given up."""
    homeserver.refusals[NEWS] = HomeserverError("Internal server error", status=500)
    await muster.hear(text("The gate is closed."))
    await muster.deliver()
    assert (await _deliveries(muster.pool))[NEWS].state == "waiting"
    del homeserver.refusals[NEWS]
    await muster.wait(minutes=1)
    assert (await _deliveries(muster.pool))[NEWS].state == "delivered"

    homeserver.refusals[NEWS] = HomeserverError("Internal server error", status=500)
    message = text("The gate is open again.")
    await muster.hear(message)
    for _ in range(MOST_ATTEMPTS):
        await muster.wait(minutes=1)
    waiting = await muster.pool.fetchval("SELECT count(*) FROM outgoing WHERE state = 'waiting'")
    failed = await muster.pool.fetchval("SELECT count(*) FROM outgoing WHERE state = 'failed'")
    assert (waiting, failed) == (0, 1)


@pytest.mark.parametrize("refusal", [HomeserverError("Unknown token", status=401), None])
async def test_while_the_homeserver_is_away_everything_waits(
    muster: Muster, homeserver: FakeHomeserver, refusal: HomeserverError | None
) -> None:
    """Neither an outage nor a wrong token fails a delivery, however long it lasts."""
    await muster.hear(text("The gate is closed."))
    if refusal is None:
        homeserver.away = True
    else:
        homeserver.refusals = {NEWS: refusal, NIGHT: refusal, DESK: refusal}
    for _ in range(MOST_ATTEMPTS + 1):
        assert (await muster.deliver()).away
    homeserver.away, homeserver.refusals = False, {}
    await muster.deliver()
    assert [len(homeserver.rooms[room_id]) for room_id in [*ROOMS, DESK]] == [1, 1, 1]


async def test_an_answer_that_is_refused_does_not_stop_announcements(
    muster: Muster, homeserver: FakeHomeserver
) -> None:
    """A desk the bot cannot write in is no reason not to announce."""
    homeserver.refusals[DESK] = HomeserverError("You are not in the room", status=403)
    await muster.hear(text("The gate is closed."), text(""), text("It is open."))
    await muster.deliver()
    assert len(homeserver.rooms[NEWS]) == 2
    states = await muster.pool.fetch("SELECT DISTINCT state FROM outgoing WHERE role = 'answer'")
    assert [row["state"] for row in states] == ["failed"]


async def test_several_processes_send_each_message_once(
    muster: Muster, homeserver: FakeHomeserver, database_url: str
) -> None:
    """Replicas share the work without a coordinator."""
    async with open_database(database_url) as second:
        others = [muster, Muster(muster.pool, homeserver), Muster(second, homeserver), Muster(second, homeserver)]
        await muster.hear(*(text(f"News {number}") for number in range(20)))

        async def yield_to_others(room_id: RoomId) -> None:
            homeserver.restart()
            await asyncio.sleep(0)

        homeserver.before_answer = yield_to_others
        await asyncio.gather(*(other.deliver() for other in others))
        await muster.deliver()
    assert len(homeserver.rooms[NEWS]) == len(set(homeserver.bodies(NEWS))) == 20
    assert len(homeserver.rooms[NIGHT]) == len(set(homeserver.bodies(NIGHT))) == 20


async def test_a_reaction_that_is_faster_than_our_record_counts(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Somebody who reacts while other rooms are still being served is not lost."""
    news_sent, night_may_go = asyncio.Event(), asyncio.Event()

    async def hold(room_id: RoomId) -> None:
        if room_id == NEWS:
            news_sent.set()
        else:
            await night_may_go.wait()

    homeserver.before_answer = hold
    await muster.hear(text("The gate is closed."))
    delivering = asyncio.create_task(muster.deliver())
    await news_sent.wait()
    sent = homeserver.rooms[NEWS][-1]
    feed = [event(NEWS, BOT, sent["content"]), reaction(BO, NEWS, sent["event_id"])]
    await muster.hear(*feed)
    night_may_go.set()
    await delivering
    [summary] = await store.load_summaries(muster.pool, 10)
    assert report(await store.load_recipients(muster.pool, summary.id)).missing == (ANNA, CY)


async def test_the_loop_delivers_what_comes_and_outlives_an_outage(muster: Muster, homeserver: FakeHomeserver) -> None:
    """A wake-up delivers; while the homeserver is away it waits, and goes on where it was."""
    wake = asyncio.Event()
    running = asyncio.create_task(muster.postman.run(wake))
    try:
        await muster.hear(text("The gate is closed."))
        wake.set()
        await wait_until(lambda: len(homeserver.rooms[DESK]) == 1)
        homeserver.away = True
        await muster.hear(text("The gate is open."))
        wake.set()
        await wait_until(lambda: _was_tried(muster.pool))
        homeserver.away = False
        wake.set()
        await wait_until(lambda: all(len(homeserver.rooms[room_id]) == 2 for room_id in (*ROOMS, DESK)))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert [len(homeserver.rooms[room_id]) for room_id in ROOMS] == [2, 2]


async def _was_tried(pool: Pool) -> bool:
    found: bool = await pool.fetchval("SELECT EXISTS (SELECT FROM outgoing WHERE state = 'waiting' AND attempts > 0)")
    return found


async def test_the_loop_outlives_the_loss_of_the_database(
    muster: Muster, homeserver: FakeHomeserver, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections that PostgreSQL ends are no reason to stop."""
    wake = asyncio.Event()
    running = asyncio.create_task(muster.postman.run(wake))
    try:
        await muster.hear(text("The gate is closed."))
        holding = asyncio.Event()

        async def lose(room_id: RoomId) -> None:
            if not holding.is_set():
                holding.set()
                await muster.pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                    " WHERE locktype = 'advisory' AND datname = current_database()"
                )

        homeserver.before_answer = lose
        wake.set()
        await holding.wait()
        await wait_until(lambda: "announcements wait" in caplog.text)

        def is_all_said() -> bool:
            wake.set()
            return all(homeserver.rooms[room_id] for room_id in (*ROOMS, DESK))

        await wait_until(is_all_said)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert [len(homeserver.rooms[room_id]) for room_id in ROOMS] == [1, 1]
