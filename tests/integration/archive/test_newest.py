"""Events that several consumers read once, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from bridge.archive import store
from bridge.archive.canonical import encode
from bridge.archive.disposal import dispose
from bridge.archive.hold_store import held_seqs
from bridge.archive.ingest import ingest
from bridge.archive.newest import Newest
from tests.integration.archive.test_disposal import AT, ORDER
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

CONSUMERS = ("first", "second", "third")


async def fill(pool: Pool, first: int, last: int) -> None:
    """Archive the events with these numbers."""
    await ingest(pool, [an_event(f"${number}") for number in range(first, last + 1)])


async def test_consumers_that_keep_up_share_the_events(pool: Pool) -> None:
    """Consumers that read at the same time are given the very same events, which were read once."""
    await fill(pool, 1, 5)
    newest = Newest(pool)
    first, *others = [given.events for given in await asyncio.gather(*(newest.read(each, 10) for each in CONSUMERS))]
    assert [event.event_id for event in first] == ["$1", "$2", "$3", "$4", "$5"]
    assert all(mine is theirs for other in others for mine, theirs in zip(first, other, strict=True))


async def test_what_came_meanwhile_is_given(pool: Pool) -> None:
    """What is at hand does not hide what was archived since."""
    newest = Newest(pool)
    await fill(pool, 1, 2)
    await newest.read("first", 10)
    await fill(pool, 3, 3)
    assert [event.event_id for event in (await newest.read("second", 10)).events] == ["$1", "$2", "$3"]


@pytest.mark.parametrize("seed", range(8))
async def test_every_consumer_is_given_what_the_archive_holds(pool: Pool, owner: Pool, seed: int) -> None:
    """Whoever reads when and how much at a time is given the next events, and no fewer than there are."""
    dice, size = random.Random(seed), 0
    size_of_one = len(encode(an_event("$1")))
    at_once = dice.choice([1, 3, 1000])
    newest = Newest(pool, kept=dice.choice([1, 4, 30]), most_bytes=at_once * size_of_one)
    cursors, disposed = dict.fromkeys(CONSUMERS, 0), set[int]()
    for _ in range(60):
        if dice.random() < 0.4:
            grown = size + dice.randint(1, 6)
            await fill(pool, size + 1, grown)
            gone = [seq for seq in range(size + 1, grown + 1) if dice.random() < 0.05]
            await owner.execute("UPDATE event SET salt = NULL, body = NULL WHERE seq = ANY ($1)", gone)
            disposed.update(gone)
            size = grown
        consumer, limit = dice.choice(CONSUMERS), dice.randint(1, 8)
        events, is_all = await newest.read(consumer, limit)
        given = [event.seq for event in events]
        there = [seq for seq in range(cursors[consumer] + 1, size + 1) if seq not in disposed]
        assert given == there[: min(len(given), limit)]
        assert bool(given) is bool(there)
        assert at_once < limit or given == there[:limit]
        assert len(given) == len(there) or not is_all
        if given:
            cursors[consumer] = given[-1]
            await store.move_cursor(pool, consumer, given[-1])


async def test_no_more_bytes_are_read_at_once_than_there_is_room_for(pool: Pool) -> None:
    """Large events come in smaller batches, one at least, and the consumer hears that there are more."""
    newest = Newest(pool, most_bytes=100_000)
    large = {"msgtype": "m.text", "body": "x" * 60_000}
    await ingest(pool, [an_event(f"${number}", content=large) for number in range(1, 6)])
    assert await _read(newest, "first") == ([1, 2], False)
    await store.move_cursor(pool, "first", 4)
    assert await _read(newest, "first") == ([5], True)
    tiny = Newest(pool, most_bytes=10)
    assert await _read(tiny, "second") == ([1], False)
    assert await _read(tiny, "second") == ([1], False)


async def _read(newest: Newest, consumer: str) -> tuple[list[int], bool]:
    given = await newest.read(consumer, 100)
    return [event.seq for event in given.events], given.is_all


async def test_what_is_disposed_of_at_hand_is_not_given_any_more(pool: Pool) -> None:
    """A consumer that comes later is given what is left, and goes on at hand from there."""
    newest = Newest(pool)
    await fill(pool, 1, 5)
    await newest.read("first", 10)
    await dispose(pool, [2, 3], ORDER, held_seqs, AT)
    assert [event.seq for event in (await newest.read("second", 10)).events] == [1, 4, 5, 6]
    await fill(pool, 7, 7)
    assert [event.seq for event in (await newest.read("third", 10)).events] == [1, 4, 5, 6, 7]
