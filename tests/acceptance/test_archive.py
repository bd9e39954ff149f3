"""The archive beside a real Synapse: what was said while nobody listened."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp
from aiohttp import web

from bridge.archive.backfill import OriginalsConsumer, backfill, count_missing
from bridge.archive.completeness import Standing
from bridge.archive.completeness_store import read_statements
from bridge.archive.feed import run_consumer
from bridge.archive.ingest import ingest
from bridge.archive.show import show
from bridge.archive.values import text_of
from bridge.archive.verify import verify
from bridge.database.listen import EVENTS, Listener
from bridge.demo.synapse import AccessToken, LocalSynapse
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.homeserver.transactions import routes
from bridge.ids import EventId, RoomId
from tests.acceptance.client import MatrixClient
from tests.acceptance.conftest import Address
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

Human = Callable[[str], Awaitable[MatrixClient]]


@asynccontextmanager
async def listening(
    pool: Pool, url: str, homeserver: Homeserver, registration: Registration, address: Address
) -> AsyncIterator[None]:
    """Take transactions and fetch originals, as the service does, for the length of the block."""
    application = web.Application()
    application.add_routes(routes(partial(ingest, pool), registration.hs_token))
    runner = web.AppRunner(application, access_log=None)
    listener = Listener(url)
    consumer = run_consumer(pool, OriginalsConsumer(pool, homeserver), listener.subscribe(EVENTS))
    tasks = [asyncio.create_task(consumer), asyncio.create_task(listener.run())]
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
        yield
    finally:
        await runner.cleanup()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_what_was_said_and_deleted_unheard_is_archived_as_it_was(
    pool: Pool, homeserver: Homeserver, human: Human
) -> None:
    """Comparing with Synapse brings every event of every room, private ones too, deleted ones with their text."""
    writer = await human(f"writer-{secrets.token_hex(3)}")
    room = await writer.create_room(preset="private_chat", name="Nobody listens")
    said = [await writer.send(room, f"remark {number}") for number in range(5)]
    await writer.redact(room, said[2])
    assert (await count_missing(homeserver, pool)).missing > len(said)
    found = await backfill(homeserver, pool)
    assert (found.failed, found.missing) == (0, found.compared)
    story = await show(pool, EventId(said[2]))
    assert text_of(story.original.event) == "remark 2"
    assert story.original.redaction is not None
    assert story.original.redaction.sender == writer.user_id
    assert story.backfilled
    assert (await count_missing(homeserver, pool)).missing == 0
    assert (await backfill(homeserver, pool)).missing == 0
    assert (await verify(pool)).ok


async def test_room_that_everybody_left_and_forgot_is_complete(
    pool: Pool, homeserver: Homeserver, human: Human
) -> None:
    """What was said in a room in which nobody is any more is fetched all the same."""
    writer = await human(f"leaver-{secrets.token_hex(3)}")
    room = await writer.create_room(preset="private_chat")
    said = await writer.send(room, "the last word")
    await writer.leave(room)
    await writer.request("POST", f"/_matrix/client/v3/rooms/{quote(room, safe='')}/forget")
    await backfill(homeserver, pool)
    assert (await show(pool, EventId(said))).backfilled
    [stated] = await read_statements(pool, [RoomId(room)])
    assert stated.standing is Standing.COMPLETE


async def test_room_that_was_deleted_is_frozen(
    pool: Pool,
    homeserver: Homeserver,
    human: Human,
    http: aiohttp.ClientSession,
    synapse: LocalSynapse,
    synapse_admin: AccessToken,
) -> None:
    """After a room was deleted from Synapse its archive stays, and says until when it was compared."""
    writer = await human(f"deleted-{secrets.token_hex(3)}")
    room = await writer.create_room(preset="private_chat")
    await writer.send(room, "soon gone")
    await backfill(homeserver, pool)
    [before] = await read_statements(pool, [RoomId(room)])
    admin = await MatrixClient.of_token(http, synapse.url, synapse_admin)
    place = f"/_synapse/admin/v2/rooms/{quote(room, safe='')}"
    deletion = (await admin.request("DELETE", place, {"purge": True}))["delete_id"]

    async def is_gone() -> bool:
        state = await admin.request("GET", f"/_synapse/admin/v2/rooms/delete_status/{deletion}")
        return bool(state["status"] == "complete")

    await wait_until(is_gone)
    assert (await backfill(homeserver, pool)).failed == 1
    [frozen] = await read_statements(pool, [RoomId(room)])
    assert frozen.standing is Standing.FROZEN
    assert (frozen.events, frozen.checked_at) == (before.events, before.checked_at)


async def test_original_of_what_synapse_delivers_redacted_is_fetched(
    pool: Pool,
    database_url: str,
    homeserver: Homeserver,
    human: Human,
    registration: Registration,
    appservice_address: Address,
) -> None:
    """Deleted before we could be told, a message arrives empty and is archived with its text all the same."""
    writer = await human(f"writer-{secrets.token_hex(3)}")
    room = await writer.create_room(preset="private_chat")
    regretted = await writer.send(room, "I regret this")
    redaction = await writer.redact(room, regretted)

    async def is_archived() -> bool:
        found = await pool.fetchval("SELECT count(*) FROM event WHERE event_id = ANY($1)", [regretted, redaction])
        return int(found) == 2

    async with listening(pool, database_url, homeserver, registration, appservice_address):
        await homeserver.ping("archive-test")
        await wait_until(is_archived)
    story = await show(pool, EventId(regretted))
    assert (text_of(story.original.event), story.backfilled) == ("I regret this", True)
    assert story.original.redaction is not None
