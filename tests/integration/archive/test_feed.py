"""Giving events to consumers, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from bridge.archive import feed
from bridge.archive.feed import Consumer, run_consumer
from bridge.archive.ingest import ingest
from bridge.database.listen import EVENTS, Listener
from bridge.errors import DatabaseError, DatabaseUnavailableError, HomeserverUnavailableError
from tests.unit.archive.test_batch import an_event
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool
    from bridge.homeserver.event import Event


class Recorder:
    """A consumer that remembers what it was given, and fails where it is told to."""

    name = "recorder"

    def __init__(self, fails: Callable[[Event], Exception | None] = lambda _: None) -> None:
        self.fails = fails
        self.handled: list[str] = []
        self.batches: list[int] = []
        self.failures = 0

    async def handle(self, events: Sequence[Event]) -> None:
        """Remember the events, or raise without remembering any."""
        for event in events:
            if error := self.fails(event):
                self.failures += 1
                raise error
        self.handled += [event.event_id for event in events]
        self.batches.append(len(events))


@asynccontextmanager
async def running(
    pool: Pool, consumer: Consumer, *, wake: asyncio.Event | None = None, batch: int = 500, rest: float = 0.0
) -> AsyncIterator[None]:
    """Run the consumer for the length of the block."""
    task = asyncio.create_task(run_consumer(pool, consumer, wake or asyncio.Event(), batch=batch, rest=rest))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def cursor(pool: Pool) -> int:
    """Return how far the recorder has come."""
    return await pool.fetchval("SELECT seq FROM feed_cursor WHERE consumer = 'recorder'") or 0


def ids(first: int, last: int) -> list[str]:
    """Return the event IDs with these numbers."""
    return [f"${number}" for number in range(first, last + 1)]


async def fill(pool: Pool, first: int, last: int) -> None:
    """Archive the events with these numbers."""
    await ingest(pool, [an_event(event_id) for event_id in ids(first, last)])


async def reached(pool: Pool, seq: int) -> None:
    """Wait until the recorder's cursor is there."""

    async def there() -> bool:
        return await cursor(pool) == seq

    await wait_until(there)


async def test_consumer_is_given_everything_in_order_and_in_batches(pool: Pool) -> None:
    """What was archived before the consumer existed comes first, in the order of the archive."""
    await fill(pool, 1, 25)
    recorder = Recorder()
    async with running(pool, recorder, batch=10):
        await reached(pool, 25)
    assert recorder.handled == ids(1, 25)
    assert recorder.batches == [10, 10, 5]


async def test_consumer_that_rests_is_given_together_what_came_meanwhile(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first event at once, and those after it in one batch, though it was woken for each."""
    wake, recorder, is_over, rests = asyncio.Event(), Recorder(), asyncio.Event(), list[float]()

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        await is_over.wait()

    monkeypatch.setattr(feed, "sleep", rest)
    await fill(pool, 1, 1)
    async with running(pool, recorder, wake=wake, rest=7.0):
        await reached(pool, 1)
        for number in range(2, 6):
            await fill(pool, number, number)
            wake.set()
        is_over.set()
        await reached(pool, 5)
    assert recorder.handled == ids(1, 5)
    assert recorder.batches == [1, 4]
    assert set(rests) == {7.0}


async def test_consumer_goes_on_where_it_was(pool: Pool) -> None:
    """A new process continues behind the stored cursor."""
    await fill(pool, 1, 3)
    async with running(pool, Recorder()):
        await reached(pool, 3)
    await fill(pool, 4, 5)
    second = Recorder()
    async with running(pool, second):
        await reached(pool, 5)
    assert second.handled == ids(4, 5)


async def test_consumer_is_woken_by_a_notification(pool: Pool, database_url: str) -> None:
    """New events reach a waiting consumer through PostgreSQL's notification, without polling."""
    listener = Listener(database_url)
    recorder = Recorder()
    wake = listener.subscribe(EVENTS)
    listening = asyncio.create_task(listener.run())
    try:
        async with running(pool, recorder, wake=wake):
            await wait_until(lambda: not wake.is_set())
            for number in range(1, 6):
                await fill(pool, number, number)
                await reached(pool, number)
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
    assert recorder.handled == ids(1, 5)


@pytest.mark.parametrize("poison", [{"$1"}, {"$100"}, {"$7", "$8", "$61"}])
async def test_poison_is_set_aside_and_the_rest_goes_on(pool: Pool, poison: set[str]) -> None:
    """Exactly the events that fail alone are set aside, with their error; all others are handled once, in order."""
    await fill(pool, 1, 100)
    recorder = Recorder(lambda event: ValueError("bad \0 \ud800") if event.event_id in poison else None)
    async with running(pool, recorder):
        await reached(pool, 100)
    assert recorder.handled == [event_id for event_id in ids(1, 100) if event_id not in poison]
    rows = await pool.fetch("SELECT * FROM set_aside JOIN event USING (seq) ORDER BY seq")
    assert {row["event_id"] for row in rows} == poison
    assert all(row["consumer"] == "recorder" for row in rows)
    assert rows[0]["error"].startswith("ValueError: bad")


async def test_refusal_of_the_database_is_poison(pool: Pool) -> None:
    """A value that PostgreSQL does not take concerns one event and does not stop the feed."""
    await fill(pool, 1, 3)
    recorder = Recorder(lambda event: DatabaseError("no") if event.event_id == "$2" else None)
    async with running(pool, recorder):
        await reached(pool, 3)
    assert recorder.handled == ["$1", "$3"]


@pytest.mark.parametrize("error", [HomeserverUnavailableError("away"), ConnectionRefusedError("away")])
async def test_consumer_waits_for_what_is_away(pool: Pool, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """While homeserver or database are away nothing is set aside, it is said once, and then all is handled."""
    await fill(pool, 1, 4)
    recorder = Recorder(lambda event: error if recorder.failures < 3 and event.event_id == "$3" else None)
    async with running(pool, recorder):
        await reached(pool, 4)
    assert recorder.handled == ids(1, 4)
    assert recorder.failures == 3
    assert await pool.fetchval("SELECT count(*) FROM set_aside") == 0
    assert [record.levelname for record in caplog.records if record.name == "bridge.archive.feed"].count("WARNING") == 1


async def test_feed_outlives_its_connections(pool: Pool) -> None:
    """When PostgreSQL ends every connection, the consumer waits and goes on."""
    wake = asyncio.Event()
    recorder = Recorder()
    async with running(pool, recorder, wake=wake):
        await fill(pool, 1, 2)
        wake.set()
        await reached(pool, 2)
        with suppress(Exception):
            await pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            )

        async def filled() -> bool:
            with suppress(DatabaseUnavailableError):
                await fill(pool, 3, 4)
                return True
            return False

        await wait_until(filled)
        wake.set()
        await reached(pool, 4)
    assert recorder.handled == ids(1, 4)
