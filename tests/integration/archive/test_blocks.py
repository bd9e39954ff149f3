"""Search's index as it grows: from the tail into blocks, and what goes again, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bridge.archive import store
from bridge.archive.disposal import dispose
from bridge.archive.hold_store import held_seqs
from bridge.archive.ingest import ingest
from bridge.archive.search import posting_store
from bridge.archive.search.forget import sweep
from bridge.archive.search.index import SearchConsumer, close_before
from bridge.archive.search.postings import BLOCK, CHUNK, Shelf, Tail
from bridge.archive.search.query import Order, Scope, parse
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from tests.integration.archive.test_disposal import AT, ORDER
from tests.integration.archive.test_search import BOT, ROOMS, archived, edited, found, looked_up, redacted, said
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

TEXTS = [
    "Arbeitsvertrag und Vertragsentwurf",
    "der Vertrag von 2026",
    "我们明天在北京开会",
    "the annual report",
    "a report, annual",
    "Lepingud 2026",
]
QUERIES = ["vertrag", "leping", "2026", "北京开会", '"annual report"', "report annual", "from:m.tamm", "kind:message"]


async def indexed(pool: Pool) -> set[int]:
    """Return the positions that the index holds."""
    async with pool.acquire() as connection:
        tail = Tail.read([columns for _, columns in await posting_store.read_tail(connection)])
        held = set(tail.seqs.tolist())
        for row in await connection.fetch("SELECT DISTINCT block FROM search_bucket"):
            shelf = Shelf.read(await posting_store.read_block(connection, row["block"]))
            held |= {row["block"] * BLOCK + place for place in shelf.places.tolist()}
    return held


async def words(pool: Pool) -> set[str]:
    """Return the words that the index knows."""
    return {row["word"] for row in await pool.fetch("SELECT word FROM search_word WHERE word NOT LIKE '=%'")}


async def closed(pool: Pool, block: int = 1) -> None:
    """Have what is before a block looked up in blocks."""
    async with store.transaction(pool) as connection:
        await connection.execute("UPDATE search_state SET closed = 0")
        await close_before(connection, block)


async def placed(pool: Pool, *events: tuple[int, dict[str, Any]]) -> None:
    """Archive events at these positions, as if so much else had been archived between them, and index them."""
    await pool.executemany(
        "INSERT INTO event (seq, origin_ts, received_at, backfilled, event_id, room_id, type, sender, relates_to, salt,"
        " leaf, body) VALUES ($1, $2, now(), false, $3, $4, $5, $6, $7, '', '', $8)",
        [
            (
                seq,
                raw["origin_server_ts"],
                raw["event_id"],
                raw["room_id"],
                raw["type"],
                raw["sender"],
                raw["content"].get("redacts"),
                json.dumps(raw).encode(),
            )
            for seq, raw in events
        ],
    )
    consumer = SearchConsumer(pool, BOT)
    for seq, raw in events:
        await consumer.handle([Event.of(raw, seq)])
        await store.move_cursor(pool, "search", seq)


@pytest.mark.parametrize("order", Order)
async def test_what_is_old_is_found_like_what_is_new(pool: Pool, order: Order) -> None:
    """Words, parts, numbers, phrases, filters and flags find the same in the tail as in a block."""
    await archived(
        pool,
        *(said(f"${number}", text, number) for number, text in enumerate(TEXTS)),
        redacted("$r", "$3"),
        edited("$e", "$5", "Lepingut ei ole", origin_server_ts=9),
    )
    queries = [*QUERIES, "is:deleted", "is:edited"]
    new = [await found(pool, query, order=order) for query in queries]
    assert all(new)
    await closed(pool)
    assert [await found(pool, query, order=order) for query in queries] == new
    assert (await looked_up(pool, replace(parse("report"), scope=Scope(opened=ROOMS)))).hits[-1].deleted


@pytest.mark.parametrize("limit", [1, 2, 3, 20])
async def test_hits_of_many_blocks_come_in_the_order_of_time(pool: Pool, limit: int) -> None:
    """The newest comes first though older ones were archived after it, and pages join."""
    at = {1: 50, 2: 10, CHUNK: 49, CHUNK + 1: 3, BLOCK - 1: 60, BLOCK: 2, 3 * BLOCK + 5: 100, 3 * BLOCK + 6: 1}
    at |= {40 * BLOCK: 70, 40 * BLOCK + CHUNK: 20, 41 * BLOCK: 55}
    await placed(pool, *((seq, said(f"${seq}", "arved", moment)) for seq, moment in at.items()))
    wanted = [f"${seq}" for seq in sorted(at, key=lambda seq: -at[seq])]
    query = replace(parse("arved"), scope=Scope(opened=ROOMS))
    pages, token = [], None
    while True:
        page = await looked_up(pool, query, limit=limit, page=token)
        pages += [hit.event_id for hit in page.hits]
        token = page.next_page
        if token is None:
            break
    assert pages == wanted
    assert await found(pool, "arved after:1970-01-01T00:00:00.050") == wanted[:5]
    assert await found(pool, "arved before:1970-01-01T00:00:00.003") == wanted[-2:]


async def test_blocks_are_closed_when_they_are_over(pool: Pool) -> None:
    """With the first event behind it a block leaves the tail, and what is known of it later comes with the next one."""
    await placed(pool, (1, said("$a", "arved", 1)), (BLOCK - 1, said("$b", "arved", 2)))
    assert not await pool.fetchval("SELECT count(*) FROM search_bucket")
    deletion = redacted("$r", "$a")
    await placed(pool, (BLOCK, said("$c", "arved", 3)), (BLOCK + 1, deletion))
    assert {row["block"] for row in await pool.fetch("SELECT DISTINCT block FROM search_bucket")} == {0}
    assert await found(pool, "is:deleted") == ["$a"]
    await placed(pool, (5 * BLOCK, said("$d", "arved", 4)))
    assert await found(pool, "arved") == ["$d", "$c", "$b", "$a"]
    assert await found(pool, "is:deleted") == ["$a"]
    assert {row["block"] for row in await pool.fetch("SELECT DISTINCT block FROM search_bucket")} == {0, 1}


async def test_block_in_which_nothing_was_said_closes_too(pool: Pool) -> None:
    """Thousands of people may join before anybody says a word."""
    joins = {"type": "m.room.member", "state_key": "@m.tamm:example.org", "content": {"membership": "join"}}
    await placed(pool, *((seq, an_event(f"${seq}", **joins)) for seq in (1, BLOCK, 2 * BLOCK)))
    assert await pool.fetchval("SELECT closed FROM search_state") == 2
    await placed(pool, (2 * BLOCK + 1, said("$a", "arved", 1)), (3 * BLOCK, an_event("$b", **joins)))
    assert await found(pool, "arved") == ["$a"]


async def test_few_parts_hold_what_came_one_by_one(pool: Pool) -> None:
    """A quiet company's messages come singly; the tail is looked through in few parts, and holds each once."""
    await ingest(pool, [said(f"${number}", "arved", number) for number in range(300)])
    consumer = SearchConsumer(pool, BOT)
    for row in await pool.fetch("SELECT seq, body FROM event ORDER BY seq"):
        await consumer.handle([Event.of(wire.decode(row["body"]), row["seq"])])
    await store.move_cursor(pool, "search", 300)
    assert await pool.fetchval("SELECT count(*) FROM search_tail") <= 31
    assert len(await found(pool, "arved", limit=400)) == 300


async def test_what_comes_after_its_redaction_or_edit_is_known_as_such(pool: Pool) -> None:
    """Of what is archived later only that counts which was done in its room, an edit by its sender; then it is done."""
    await archived(
        pool,
        redacted("$r", "$o"),
        edited("$e", "$o", "second"),
        redacted("$elsewhere", "$p", room_id="!other"),
        edited("$forged", "$p", "never said", sender="@x:x"),
    )
    assert await pool.fetchval("SELECT count(*) FROM search_pending") == 4
    await archived(pool, said("$o", "first"), said("$p", "other"))
    assert set(await found(pool, "is:deleted")) == {"$o", "$e"}
    assert set(await found(pool, "is:edited")) == {"$o", "$e", "$forged"}
    assert await pool.fetchval("SELECT count(*) FROM search_pending") == 0


async def test_words_go_with_what_was_disposed_of(pool: Pool) -> None:
    """From the tail and from blocks, and no word stays that nothing says any more; what is said again is found."""
    await archived(pool, *(said(f"${number}", f"walnut word{number}", number) for number in range(1, 7)))
    await closed(pool)
    await archived(pool, *(said(f"${number}", f"walnut word{number}", number) for number in range(7, 10)))
    consumer = SearchConsumer(pool, BOT)
    await consumer.handle([Event.of(said("$9", "walnut word9", 9), 9)])
    assert await dispose(pool, [1, 2, 3, 8], ORDER, held_seqs, AT)
    assert await indexed(pool) == {4, 5, 6, 7, 9}
    assert await found(pool, "word2") == await found(pool, "word8") == []
    assert await found(pool, "walnut") == ["$9", "$7", "$6", "$5", "$4"]
    assert await sweep(pool) == 4
    assert await words(pool) == {"walnut", *(f"word{number}" for number in (4, 5, 6, 7, 9))}
    assert await pool.fetchval("SELECT count(*) FROM search_form WHERE word NOT IN (SELECT id FROM search_word)") == 0
    await ingest(pool, [said("$again", "word2 walnut", 20)])
    await consumer.handle([Event.of(said("$again", "word2 walnut", 20), 11)])
    await store.move_cursor(pool, "search", 11)
    assert await found(pool, "word2") == ["$again"]
    assert len(await found(pool, "walnut")) == 6


async def test_two_may_write_the_index(pool: Pool) -> None:
    """What could be read of encrypted rooms is indexed beside the feed: words are numbered once, and all is found."""
    await ingest(pool, [said(f"${n}", f"common word{n % 40} other{n}", n) for n in range(400)])
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    events = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]

    async def index(part: list[Event]) -> None:
        consumer = SearchConsumer(pool, BOT)
        for first in range(0, len(part), 20):
            await consumer.handle(part[first : first + 20])

    await asyncio.gather(*(index(events[turn::4]) for turn in range(4)))
    await store.move_cursor(pool, "search", 400)
    assert len(await found(pool, "common", limit=500)) == 400
    assert len(await found(pool, "word7", limit=500)) == 10


async def test_those_who_write_the_index_do_not_wait_for_each_other(pool: Pool) -> None:
    """Whatever is new to several of them at once, in whatever order, one waits for another and not the other for it."""
    people = [f"@p{number}:x" for number in range(40)]
    events = [
        said(f"${turn}-{n}", "arved", n, sender=people[(n * (turn + 3)) % 40]) for turn in range(4) for n in range(40)
    ]
    await archived(pool, said("$first", "arved", 1))
    await ingest(pool, events)
    rows = await pool.fetch("SELECT seq, body FROM event WHERE seq > 1 ORDER BY seq")
    known = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]
    await asyncio.gather(*(SearchConsumer(pool, BOT).handle(known[first : first + 40]) for first in range(0, 160, 40)))
    await store.move_cursor(pool, "search", len(events) + 1)
    assert len(await found(pool, "arved", limit=500)) == 161


async def test_closing_twice_at_once_closes_once(pool: Pool) -> None:
    """The second who comes to it leaves it to the first."""
    await archived(pool, *(said(f"${number}", "arved", number) for number in range(5)))

    async def close() -> None:
        async with store.transaction(pool) as connection:
            await close_before(connection, 1)

    await asyncio.gather(close(), close(), close())
    assert await found(pool, "arved") == ["$4", "$3", "$2", "$1", "$0"]
    assert (
        await pool.fetchval("SELECT sum(length(places)) FROM search_bucket WHERE words = $1", await _number(pool)) == 10
    )


async def _number(pool: Pool) -> bytes:
    number: int = await pool.fetchval("SELECT id FROM search_word WHERE word = 'arved'")
    return np.int32(number).tobytes()


async def test_what_was_not_stored_is_not_remembered(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """When storing fails, the numbers that words were given with it are given anew."""
    await ingest(pool, [said("$a", "walnut", 1), an_event("$b", content={"msgtype": "m.file", "body": "walnut.pdf"})])
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    events = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]
    consumer = SearchConsumer(pool, BOT)
    with monkeypatch.context() as patch:
        patch.setattr(posting_store, "add_to_tail", _fail)
        with pytest.raises(RuntimeError):
            await consumer.handle(events)
    await pool.execute("SELECT nextval(pg_get_serial_sequence('search_word', 'id')) FROM generate_series(1, 10)")
    await consumer.handle(events)
    await store.move_cursor(pool, "search", 2)
    assert await found(pool, "walnut") == ["$b", "$a"]
    assert await found(pool, "has:file") == ["$b"]


async def _fail(*_: object) -> None:
    raise RuntimeError
