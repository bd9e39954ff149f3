"""How fast drift is put right, and how long it takes to compare every room, on a real PostgreSQL.

Synapse is played: filling a real one with so many memberships takes hours, and its own time is not ours. For drift it
answers at once, so the figure is Muster's part: event archived, noticed, decided, audit entry written, request out. For
comparing it is an HTTP server with the admin API's answers, which a bare loop reads and decodes beside us.
"""

from __future__ import annotations

import asyncio
import functools
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from bench.report import Figure
from bridge.archive.feed import run_consumer
from bridge.archive.ingest import ingest
from bridge.clock import system_clock
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.database.listen import EVENTS, MEMBERSHIP, Listener
from bridge.directory.history_store import lock_directory, next_version, wake
from bridge.directory.resource_store import insert_resources
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.selector import parse
from bridge.homeserver.client import Homeserver
from bridge.homeserver.transport import Transport
from bridge.ids import PersonId, UserId
from bridge.membership.current import Membership
from bridge.membership.reconcile import Reconciler
from bridge.membership.room_audit import RoomAudit
from bridge.membership.upkeep import Upkeep
from bridge.policy.schema import Accounts, Brake, Policy, Room
from tests.integration.membership.homeserver import BOT, SERVER, FakeHomeserver

if TYPE_CHECKING:
    from bridge.database import Pool

STAFF = 1000
INTRUSIONS = 60
PEOPLE, ROOMS, ROOMS_EACH = 10_000, 500, 20


@asynccontextmanager
async def _database() -> AsyncIterator[tuple[Pool, str]]:
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as server, open_database(server.url) as pool:
            yield pool, server.url


async def _hire(pool: Pool) -> None:
    people = [(f"p{number}", PersonId(str(uuid.uuid4()))) for number in range(STAFF)]
    resources = [
        resource_of({"userName": name, "displayName": name}, person, shapes_for()["User"]) for name, person in people
    ]
    async with pool.acquire() as connection, connection.transaction():
        await lock_directory(connection)
        await insert_resources(connection, resources, await next_version(connection))
        await wake(connection, [person for _, person in people])


def _policy() -> Policy:
    room = Room("lab", "Lab", parse("active eq true"), exclusive=True)
    brake = Brake(removals=1_000_000, fraction=1.0)
    return Policy("Bench", Accounts(), {}, {room.id: room}, {}, brake, (), "bench")


def _intrusion(played: FakeHomeserver, number: int) -> dict[str, Any]:
    """Invite a stranger by hand, and return the event that a delivery would bring."""
    played.act(played.room("lab"), UserId(f"@p1:{SERVER}"), "invite", UserId(f"@stranger{number}:{SERVER}"))
    event = played.deliver()[-1]
    return {
        "type": event.type,
        "event_id": event.event_id,
        "room_id": event.room_id,
        "sender": event.sender,
        "state_key": event.state_key,
        "content": event.content,
        "origin_server_ts": int(time.time() * 1000),
    }


async def _latencies() -> list[float]:
    """Return the seconds from handing over each event until the request that undoes it."""
    played, removed = FakeHomeserver(), asyncio.Event()

    def look(_: int, request: str) -> None:
        if request == "kick":
            removed.set()

    played.after = look
    async with _database() as (pool, url):
        await _hire(pool)
        reconciler = Reconciler(pool, played, played, clock=system_clock)
        listener = Listener(url)
        wakes = [listener.subscribe(MEMBERSHIP)]
        membership = Membership(pool, bot=BOT, clock=system_clock)
        upkeep = Upkeep(reconciler, pool, _policy, clock=system_clock)
        await upkeep.catch_up()
        tasks = [
            asyncio.create_task(run_consumer(pool, membership, listener.subscribe(EVENTS))),
            asyncio.create_task(upkeep.run(wakes)),
            asyncio.create_task(listener.run()),
        ]
        seconds = []
        try:
            for number in range(INTRUSIONS):
                removed.clear()
                event = _intrusion(played, number)
                begun = time.perf_counter()
                await ingest(pool, [event])
                await removed.wait()
                seconds.append(time.perf_counter() - begun)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return seconds[3:]  # the first ones fill caches


@functools.cache
def _measured() -> list[float]:
    return asyncio.run(_latencies())


def corrected_p50() -> Figure:
    """Event → request that undoes it, the median, beside the second that is promised."""
    return Figure("drift.corrected.p50", statistics.median(_measured()), "s", "limit", 1.0)


def corrected_p95() -> Figure:
    """The same, of which one in twenty is slower."""
    return Figure("drift.corrected.p95", statistics.quantiles(_measured(), n=20)[-1], "s", "limit", 1.0)


def _members(room: int) -> list[str]:
    """Return who is in a room: everybody is in as many."""
    each = PEOPLE * ROOMS_EACH // ROOMS
    return [f"@p{(room * each + place) % PEOPLE}:{SERVER}" for place in range(each)]


def _state(room: int) -> bytes:
    """Return the admin API's answer for a room."""
    events = [
        {
            "type": "m.room.member",
            "event_id": f"$m{room}-{at}",
            "room_id": f"!r{room}",
            "sender": user,
            "state_key": user,
            "content": {"membership": "join", "displayname": user},
            "origin_server_ts": 1_700_000_000_000,
            "unsigned": {"age": 1},
        }
        for at, user in enumerate(_members(room))
    ]
    return json.dumps({"state": events}).encode()


@asynccontextmanager
async def _served() -> AsyncIterator[Homeserver]:
    """Serve the rooms and their states over HTTP, as Synapse's admin API does."""
    states = {f"!r{room}": _state(room) for room in range(ROOMS)}

    async def rooms(_: web.Request) -> web.Response:
        return web.json_response({"rooms": [{"room_id": room_id} for room_id in states]})

    async def state(request: web.Request) -> web.Response:
        return web.Response(body=states[request.match_info["room"]], content_type="application/json")

    application = web.Application()
    application.router.add_get("/_synapse/admin/v1/rooms", rooms)
    application.router.add_get("/_synapse/admin/v1/rooms/{room}/state", state)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as session:
            yield Homeserver(Transport(session, address, "token"), bot=BOT, server_name=SERVER, appservice_id="muster")
    finally:
        await runner.cleanup()


async def _fill(pool: Pool) -> None:
    moment = datetime(2023, 1, 1, tzinfo=UTC)
    rows = [(f"!r{room}", user, "join", "$e", moment) for room in range(ROOMS) for user in _members(room)]
    columns = ("room_id", "user_id", "membership", "event_id", "changed_at")
    async with pool.acquire() as connection:
        await connection.copy_records_to_table("room_member", records=rows, columns=columns)
        await connection.execute(
            """INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias)
               SELECT r, r, 'r', 'chat', r, '', r FROM (SELECT DISTINCT room_id AS r FROM room_member) AS rooms"""
        )


async def scan() -> Figure:
    """A comparison of 500 rooms with 200,000 memberships of 10,000 people, beside reading the same answers alone."""
    async with _database() as (pool, _), _served() as homeserver:
        await _fill(pool)
        begun = time.perf_counter()
        for room_id in await homeserver.room_ids():
            await homeserver.state(room_id)
        bare = time.perf_counter() - begun
        membership = Membership(pool, bot=BOT, clock=system_clock)
        begun = time.perf_counter()
        found = await RoomAudit(pool, homeserver, membership, clock=system_clock).scan()
        taken = time.perf_counter() - begun
    assert (found.rooms, found.members, found.repaired) == (ROOMS, PEOPLE * ROOMS_EACH, 0)
    return Figure("drift.scan.10000x500", taken, "s", "played.admin_api.read", bare)


FIGURES = {
    "drift.corrected.p50": corrected_p50,
    "drift.corrected.p95": corrected_p95,
    "drift.scan.10000x500": scan,
}
