"""Whatever is killed while people write: afterwards the archive has what Synapse has, once, and verifies.

What Synapse has is read from Synapse's own tables.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from bridge.database import open_database
from bridge.demo.synapse import LocalSynapse
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from tests.acceptance.client import MatrixClient
from tests.acceptance.company import Company, open_company
from tests.acceptance.conftest import Address
from tests.acceptance.postgres import OwnPostgres
from tests.waiting import wait_until

Human = Callable[[str], Awaitable[MatrixClient]]
_POLICY = "version: 1\ncompany: Company\n"
_ROOMS = 2
_PAUSE = 0.1


@pytest.fixture
async def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnPostgres]:
    """A PostgreSQL of the test's own, as durable as in production."""
    server = OwnPostgres(tmp_path_factory.mktemp("own"), durable=True)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def company(
    tmp_path: Path,
    own_postgres: OwnPostgres,
    synapse: LocalSynapse,
    http: aiohttp.ClientSession,
    homeserver: Homeserver,
    accounts: SynapseAccounts,
    registration: Registration,
    appservice_address: Address,
) -> AsyncIterator[Company]:
    """A Muster that archives and does nothing else, on a PostgreSQL of its own."""
    async with (
        open_database(own_postgres.url) as pool,
        open_company(
            tmp_path,
            address=appservice_address,
            synapse=synapse,
            http=http,
            pool=pool,
            database_url=own_postgres.url,
            homeserver=homeserver,
            accounts=accounts,
            registration=registration,
            policy=_POLICY,
            settings={"compare_every": "1d"},  # what comes, comes because it was delivered, or after a restart
        ) as opened,
    ):
        yield opened


@asynccontextmanager
async def chatter(writer: MatrixClient, rooms: Sequence[str]) -> AsyncIterator[None]:
    """Have somebody write into these rooms, as fast as people may, for the length of the block."""
    over = asyncio.Event()

    async def write(room: str) -> None:
        number = 0
        while not over.is_set():
            sent = await writer.send(room, f"word {number}")
            if number % 5 == 0:
                await writer.react(room, sent)
            number += 1
            await asyncio.sleep(_PAUSE)  # leave the machine to what is started again

    async with asyncio.TaskGroup() as group:
        for room in rooms:
            group.create_task(write(room))
        try:
            yield
        finally:
            over.set()


async def archived(company: Company, rooms: Sequence[str]) -> list[str]:
    """Return the IDs of the rooms' archived events, in their order; as often as they are there."""
    rows = await company.pool.fetch("SELECT event_id FROM event WHERE room_id = ANY($1)", rooms)
    return sorted(row["event_id"] for row in rows)


async def has_grown(company: Company, rooms: Sequence[str], by: int) -> None:
    """Wait until so many more events of the rooms are archived."""
    before = len(await archived(company, rooms))

    async def grown() -> bool:
        return len(await archived(company, rooms)) >= before + by

    await wait_until(grown)


async def agrees(company: Company, synapse_tables: asyncpg.Connection, rooms: Sequence[str]) -> int:
    """Wait until the archive has every event of the rooms, once, and nothing else; return how many."""
    rows = await synapse_tables.fetch("SELECT event_id FROM events WHERE room_id = ANY($1)", rooms)
    expected = sorted(row["event_id"] for row in rows)

    async def same() -> bool:
        return await archived(company, rooms) == expected

    await wait_until(same)
    verified = await company.muster("archive", "verify")
    assert verified.code == 0, verified.out
    return len(expected)


async def test_a_thousand_queued_events_survive_the_death_of_synapse(
    company: Company, human: Human, synapse_tables: asyncpg.Connection
) -> None:
    """Killed with a thousand events queued for Muster, Synapse forgets them; they are in the archive all the same."""
    writer = await human(f"thousand-{secrets.token_hex(3)}")
    os.kill(company.pid, signal.SIGSTOP)
    state = [{"type": "org.example.item", "state_key": str(number), "content": {}} for number in range(1000)]
    room = await writer.create_room(initial_state=state)
    for number in range(20):
        await writer.send(room, f"nobody heard {number}")

    async def is_queued() -> bool:
        return bool(
            await synapse_tables.fetchval(
                "SELECT (SELECT max(stream_ordering) FROM events WHERE room_id = $1)"
                " <= (SELECT stream_ordering FROM appservice_stream_position)",
                room,
            )
        )

    await wait_until(is_queued)
    await company.synapse.kill()
    os.kill(company.pid, signal.SIGCONT)
    await wait_until(lambda: "does not answer" in company.log())
    await company.synapse.start()
    assert await agrees(company, synapse_tables, [room]) > 1020
    stated = json.loads((await company.muster("archive", "status", room, "--json")).out)
    assert stated["standing"] == "complete"
    assert stated["backfilled"] > 500


async def test_nothing_is_lost_when_muster_is_killed(
    company: Company, human: Human, synapse_tables: asyncpg.Connection
) -> None:
    """Killed again and again, at any point, while events stream in, Muster has everything in the end, once."""
    dice = random.Random(1)
    writer = await human(f"kill-{secrets.token_hex(3)}")
    rooms = [await writer.create_room() for _ in range(_ROOMS)]
    async with chatter(writer, rooms):
        for _ in range(3):
            await has_grown(company, rooms, dice.randrange(1, 12))
            await company.kill()
            await company.start()
    assert await agrees(company, synapse_tables, rooms) > len(rooms)


async def test_nothing_is_lost_when_postgresql_is_killed(
    company: Company, own_postgres: OwnPostgres, human: Human, synapse_tables: asyncpg.Connection
) -> None:
    """Killed while events stream in, and back, PostgreSQL has everything in the end, once."""
    writer = await human(f"power-{secrets.token_hex(3)}")
    rooms = [await writer.create_room() for _ in range(_ROOMS)]
    async with chatter(writer, rooms):
        await has_grown(company, rooms, 7)
        await own_postgres.kill()
        await own_postgres.start()
        await has_grown(company, rooms, 1)
    assert await agrees(company, synapse_tables, rooms) > len(rooms)


async def test_nothing_is_lost_when_postgresql_ends_its_connections(
    company: Company, own_postgres: OwnPostgres, human: Human, synapse_tables: asyncpg.Connection
) -> None:
    """Whenever PostgreSQL ends Muster's connections while events stream in, everything is there in the end, once."""
    dice = random.Random(5)
    writer = await human(f"cut-{secrets.token_hex(3)}")
    rooms = [await writer.create_room() for _ in range(_ROOMS)]
    async with chatter(writer, rooms):
        for _ in range(5):
            await has_grown(company, rooms, dice.randrange(1, 6))
            await _end_connections(own_postgres)
            await company.pool.expire_connections()  # these are ours
    assert await agrees(company, synapse_tables, rooms) > len(rooms)


async def _end_connections(postgres: OwnPostgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
