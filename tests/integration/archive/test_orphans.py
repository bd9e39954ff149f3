"""Files go with the last event that refers to them, whatever else happens at the same moment."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bridge.archive import media_store, orphan_store, store
from bridge.archive.blob import Blobs, open_blobs
from bridge.archive.disposal import dispose
from bridge.archive.disposition import Order
from bridge.archive.entry import Actor
from bridge.archive.ingest import ingest
from bridge.archive.log import entries
from bridge.archive.media_fetch import MediaConsumer, MediaFetcher
from bridge.archive.orphans import Orphans
from bridge.archive.verify import verify
from bridge.config_archive import MediaConfig
from bridge.errors import MediaUnavailableError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from tests.integration.archive.test_media import (
    PDF,
    FileServer,
    Moment,
    blobs,
    clock,
    drain,
    fetcher,
    homeserver,
    note,
    server,
    shared,
    the_file,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.database import Connection, Pool

__all__ = ["blobs", "clock", "fetcher", "homeserver", "server"]

AT = datetime(2027, 3, 1, tzinfo=UTC)
HASH = hashlib.sha256(PDF).digest()


async def nothing_held(db: Connection | Pool, seqs: Collection[int], /) -> frozenset[int]:
    """Hold nothing."""
    return frozenset()


async def disposed(pool: Pool, *seqs: int, reason: str = "retention") -> None:
    """Dispose of the events at these positions."""
    await dispose(pool, seqs, Order(Actor("k.saar", "root"), reason, {}), nothing_held, AT)


@pytest.fixture
def orphans(pool: Pool, blobs: Blobs, clock: Moment) -> Orphans:
    """What is tested."""
    return Orphans(pool, blobs, clock=clock)


@pytest.mark.parametrize("reason", ["retention", "erasure"])
async def test_a_file_goes_with_the_last_event_that_refers_to_it(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, blobs: Blobs, orphans: Orphans, reason: str
) -> None:
    """One that somebody else shared too stays until that is gone; how many went is recorded, and nobody's name."""
    for mxc in ("mxc://x/a", "mxc://x/b"):
        server.has(mxc, PDF)
    server.has("mxc://x/c", b"other")
    await note(pool, *(shared(f"${mxc}", f"mxc://x/{mxc}") for mxc in "abc"), shared("$again", "mxc://x/c"))
    await drain(fetcher)
    await disposed(pool, 1, 3, reason=reason)
    assert await orphans.remove() == 0
    assert await blobs.has(HASH)
    await note(pool)
    await disposed(pool, 2, reason=reason)
    assert await orphans.remove() == 1
    assert not await blobs.has(HASH)
    assert await blobs.has(hashlib.sha256(b"other").digest())
    assert await media_store.read_hashes(pool) == [hashlib.sha256(b"other").digest()]
    (entry,) = await entries(pool, deed="remove_files")
    assert entry.entry.details == {"reason": "nothing refers to them", "files": 1, "bytes": len(PDF)}
    assert await orphans.remove() == 0
    assert (await verify(pool)).ok


async def test_a_file_that_was_never_fetched_is_not_fetched_any_more(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, orphans: Orphans
) -> None:
    """Its link goes, and no entry is made."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a"))
    await disposed(pool, 1)
    assert await orphans.remove() == 0
    assert await drain(fetcher) == 0
    assert not await entries(pool, deed="remove_files")


async def test_nothing_goes_before_the_files_of_every_event_are_noted(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, blobs: Blobs, orphans: Orphans
) -> None:
    """An event that the consumer has not seen yet may refer to the file; then the file stays, and is kept."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a"))
    await drain(fetcher)
    await ingest(pool, [shared("$b", "mxc://x/a")])
    await disposed(pool, 1)
    assert await orphans.remove() == 0
    assert await blobs.has(HASH)
    await note(pool)
    assert await orphans.remove() == 0
    assert (await the_file(pool, 2)).state == "stored"
    assert await drain(fetcher) == 0


async def test_an_event_that_comes_while_its_link_goes_has_the_file_fetched_anew(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, orphans: Orphans
) -> None:
    """The consumer waits for whoever looks at the link, and finds it gone."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a"))
    await drain(fetcher)
    await disposed(pool, 1)
    await note(pool)
    async with store.transaction(pool) as connection:
        assert await orphan_store.lock_orphans(connection, 10) == ["mxc://x/a"]
        noting = asyncio.create_task(note(pool, shared("$b", "mxc://x/a")))
        await wait_until(lambda: somebody_waits(pool))
        await orphan_store.drop_orphans(connection, ["mxc://x/a"])
    await noting
    assert (await the_file(pool, 3)).state == "waiting"
    await drain(fetcher)
    assert await orphans.remove() == 0
    assert (await the_file(pool, 3)).sha256 == HASH


async def test_a_link_to_which_an_event_just_refers_is_left_alone(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, blobs: Blobs, orphans: Orphans
) -> None:
    """Also while that is not finished."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a"))
    await drain(fetcher)
    await disposed(pool, 1)
    await note(pool, shared("$b", "mxc://x/other"))
    async with store.transaction(pool) as connection:
        (reference,) = await pool.fetch("SELECT seq FROM event WHERE event_id = '$b'")
        await connection.execute("SELECT FROM media_link WHERE mxc = 'mxc://x/a' FOR KEY SHARE")
        await connection.execute(
            "INSERT INTO media_reference VALUES ($1, 'mxc://x/a', 'file', '', '', NULL)", reference["seq"]
        )
        assert await orphans.remove() == 0
    assert await orphans.remove() == 0
    assert await blobs.has(HASH)


async def test_the_same_bytes_fetched_while_they_are_removed_are_fetched_again(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, blobs: Blobs
) -> None:
    """Who stores them before they are removed, and notes it afterwards, sees that they are gone."""
    for mxc in ("mxc://x/a", "mxc://x/b"):
        server.has(mxc, PDF)
    await note(pool, shared("$a", "mxc://x/a"))
    await drain(fetcher)
    await note(pool, shared("$b", "mxc://x/b"))
    await disposed(pool, 1)
    await note(pool)
    async with store.transaction(pool) as connection:
        await orphan_store.drop_orphans(connection, await orphan_store.lock_orphans(connection, 10))
    async with store.transaction(pool) as connection:
        assert await orphan_store.lock_leaving(connection, 10) == [HASH]
        fetching = asyncio.create_task(fetcher.fetch_next())
        await wait_until(lambda: somebody_waits(pool))
        await blobs.remove(HASH)
        await orphan_store.drop_files(connection, [HASH], [HASH])
    with pytest.raises(MediaUnavailableError):
        await fetching
    assert await drain(fetcher) == 1
    assert (await the_file(pool, 2)).sha256 == HASH
    assert await blobs.has(HASH)


async def test_what_was_removed_and_not_recorded_is_recorded_later(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, clock: Moment, tmp_path: Path
) -> None:
    """When the store goes away in between, the file's row stays, and the next look finishes."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a"))
    await drain(fetcher)
    await disposed(pool, 1)
    await note(pool)

    class Failing(Blobs):
        async def remove(self, sha256: bytes) -> None:
            await super().remove(sha256)
            raise MediaUnavailableError("away")

    there = open_blobs(MediaConfig(), tmp_path)
    failing = Failing(there._store, tmp_path)
    with pytest.raises(MediaUnavailableError):
        await Orphans(pool, failing, clock=clock).remove()
    assert await media_store.read_hashes(pool) == [HASH]
    assert await Orphans(pool, there, clock=clock).remove() == 1
    assert len(await entries(pool, deed="remove_files")) == 1


async def test_files_of_what_was_disposed_of_are_not_noted(pool: Pool) -> None:
    """A consumer that was given an event before it was disposed of notes neither its file nor the name of it."""
    await ingest(pool, [shared("$a", "mxc://x/a"), shared("$b", "mxc://x/b")])
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    given = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]
    await disposed(pool, 1)
    await MediaConsumer(pool, "x").handle(given)
    assert [row["mxc"] for row in await pool.fetch("SELECT mxc FROM media_reference")] == ["mxc://x/b"]


async def test_links_that_somebody_disposes_of_while_they_are_looked_at_are_looked_at_again(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, blobs: Blobs, orphans: Orphans
) -> None:
    """Whoever sees the reference still does not strike the link off the list for good."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a"), shared("$b", "mxc://x/a"))
    await drain(fetcher)
    await disposed(pool, 1)
    async with store.transaction(pool) as connection:
        locked = await orphan_store.lock_orphans(connection, 10)
        disposing = asyncio.create_task(disposed(pool, 2))
        await wait_until(lambda: somebody_waits(pool))
        await orphan_store.drop_orphans(connection, locked)
    await disposing
    await note(pool)
    assert await orphans.remove() == 1
    assert not await blobs.has(HASH)


async def somebody_waits(pool: Pool) -> bool:
    """Return whether a database transaction waits for another one's rows."""
    found: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return found
