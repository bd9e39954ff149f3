"""Whoever waits for something in the database is woken, also after the connection was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bridge.database.embedded import EmbeddedPostgres
from bridge.database.listen import DIRECTORY, EVENTS, Listener
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

_LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@asynccontextmanager
async def _running(listener: Listener, *wakes: asyncio.Event) -> AsyncIterator[None]:
    """Run the listener, and put everybody whom it wakes once it is connected back to sleep."""
    for wake in wakes:
        wake.clear()
    task = asyncio.create_task(listener.run())
    try:
        await _all_wake(*wakes)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _all_wake(*wakes: asyncio.Event) -> None:
    for wake in wakes:
        await asyncio.wait_for(wake.wait(), 30)
        wake.clear()


async def test_a_subscriber_is_awake_from_the_beginning(database_url: str) -> None:
    """What was written before somebody subscribed is looked for once."""
    assert Listener(database_url).subscribe(EVENTS).is_set()


async def test_a_notification_wakes_those_of_its_channel_alone(pool: Pool, database_url: str) -> None:
    """All of them, and nobody else."""
    listener = Listener(database_url)
    first, second, other = listener.subscribe(EVENTS), listener.subscribe(EVENTS), listener.subscribe(DIRECTORY)
    async with _running(listener, first, second, other):
        await pool.execute("SELECT pg_notify($1, '')", EVENTS)
        await _all_wake(first, second)
        assert not other.is_set()


async def test_a_notification_comes_with_the_commit(pool: Pool, database_url: str) -> None:
    """Who is woken finds what was written."""
    listener = Listener(database_url)
    wake = listener.subscribe(EVENTS)
    async with _running(listener, wake):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_notify($1, '')", EVENTS)
            await connection.execute("SELECT 1")
            assert not wake.is_set()
        await _all_wake(wake)


async def test_everybody_is_woken_once_the_connection_is_back(
    pool: Pool, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A notification that was lost with the connection costs nothing but time; the absence is told once."""
    caplog.set_level("INFO", logger="bridge")
    listener = Listener(database_url)
    wakes = [listener.subscribe(EVENTS), listener.subscribe(DIRECTORY)]
    async with _running(listener, *wakes):
        (before,) = await pool.fetch(_LISTENERS)
        await pool.execute("SELECT pg_terminate_backend($1)", before["pid"])
        await _all_wake(*wakes)
        (after,) = await pool.fetch(_LISTENERS)
        assert after["pid"] != before["pid"]
        await pool.execute("SELECT pg_notify($1, '')", DIRECTORY)
        await _all_wake(wakes[1])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_listener_waits_for_a_database_that_is_away(
    postgres: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    """It tries until it is there, and says so once."""
    name = "listener_waits"
    listener = Listener(postgres.url_for(name))
    wake = listener.subscribe(EVENTS)
    wake.clear()
    async with _running(listener):
        await wait_until(lambda: "is away" in caplog.text)
        await postgres.create_database(name)
        await _all_wake(wake)
    await postgres.drop_database(name)
    assert caplog.text.count("is away") == 1
