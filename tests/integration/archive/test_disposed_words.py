"""Words of what is disposed of go with it, also those that are being indexed meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.archive import disposal_store, store
from bridge.archive.disposal import dispose
from bridge.archive.hold_store import held_seqs
from bridge.archive.ingest import ingest
from bridge.archive.search import posting_store
from bridge.archive.search.index import SearchConsumer
from bridge.archive.search.postings import Tail, stored
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from tests.integration.archive.test_blocks import indexed
from tests.integration.archive.test_disposal import AT, ORDER
from tests.integration.archive.test_search import BOT, archived, said
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool


async def test_words_of_what_was_disposed_of_are_not_indexed(pool: Pool) -> None:
    """A consumer that was given an event before it was disposed of leaves it out, also when it comes again."""
    await archived(pool, said("$a", "arved", 1))
    await ingest(pool, [said(f"${number}", "arved", number) for number in range(2, 5)])
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    events = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]
    await dispose(pool, [1, 3], ORDER, held_seqs, AT)
    consumer = SearchConsumer(pool, BOT)
    for given in (events[1:], events):
        await consumer.handle(given)
        assert await indexed(pool) == {2, 4}


async def test_disposal_waits_for_words_that_are_being_indexed(pool: Pool) -> None:
    """Words are written either before an event is disposed of, and go with it, or not at all."""
    await archived(pool, said("$a", "arved", 1))
    async with store.transaction(pool) as connection:
        await disposal_store.hold_off_disposal(connection)
        disposing = asyncio.create_task(dispose(pool, [1], ORDER, held_seqs, AT))
        await wait_until(lambda: _somebody_waits(pool))
        assert await disposal_store.read_gone(connection, 1, 1) == set()
        await posting_store.add_to_tail(connection, Tail.of([1], stored(7) + stored(0)).columns(), 1, {})
    await disposing
    assert await indexed(pool) == set()


async def _somebody_waits(pool: Pool) -> bool:
    found: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    return found
