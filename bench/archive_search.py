"""Search: how fast it answers, and what making events findable costs.

`search.p95` is the 95th percentile of queries on 1,000,000 messages (words of every frequency, two words, a part of
compounds, phrases, filters, both orders), held against the tenth of a second that is promised; `search.p95.large` the
same on 5,000,000, which takes many minutes and is measured only when it is asked for by name. `ingest.search` is the
CPU, ours and PostgreSQL's, that indexing adds to durable ingest over HTTP, in percent, held against the 35 that are
promised. As in the service another consumer has read the events before (`Newest`); what it spends on that does not
count. Each round is long enough for what it brings to leave the tail. All run on the embedded PostgreSQL. Messages that
are searched are made by PostgreSQL from words with Zipf's frequencies, and indexed as the service does.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.archive_ingest import Laboratory, laboratory, our_handler
from bench.report import Figure
from bridge import event_loop
from bridge.archive import store
from bridge.archive.direct_room import RoomFacts
from bridge.archive.newest import Newest
from bridge.archive.search.index import SearchConsumer
from bridge.archive.search.query import Order, parse
from bridge.archive.search.rooms import facts_as_json
from bridge.archive.search.search import search
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.directory.resource_store import create_user
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.homeserver import wire
from bridge.ids import UserId

if TYPE_CHECKING:
    from bridge.database import Pool


_BOT = UserId("@muster:example.org")
_PROMISED_SECONDS = 0.1
_PROMISED_PERCENT = 35.0
_TRANSACTIONS = 656
"""Of a hundred events each: what leaves the tail in each round is a block."""
_SENDERS = 97
_ROUNDS = 5
_RUNS = 6
_OTHER = "other"
"""The consumer that has read before."""
_VOCABULARY = 30_000
_SYLLABLES = {
    "latin": " ".join(f"{a}{b}{c}" for a in "bdfghklmnprstvw" for b in "aeiouäü" for c in ("", "n", "r", "s")),
    "thai": "กา ขอ คน งาน จะ ชุม ดี ตาม ทำ นี้ บริ ประ ผล พบ มี ระ ลง วัน สาย ให้",
    "chinese": "的 一 是 在 不 了 有 和 人 这 中 大 为 上 个 国 我 以 要 他 时 来 用 们 生 到 作 地 于 出 就 分",
}
_COMPOUNDS = ("vertrag", "rechnung", "leping", "report")


def make_words(dice: random.Random) -> list[str]:
    """Return the vocabulary, the most frequent word first: three quarters Latin, with compounds, then Thai, Chinese."""
    words: dict[str, None] = {}
    while len(words) < _VOCABULARY:
        script = dice.choices(("latin", "thai", "chinese"), (12, 2, 2))[0]
        word = "".join(dice.choices(_SYLLABLES[script].split(), k=dice.randint(1, 2 + len(words) // 6000)))
        if script == "latin" and dice.random() < 0.02:
            word = f"{word}s{dice.choice(_COMPOUNDS)}"
        words[word] = None
    return list(words)


def make_queries(words: list[str], phrases: list[str], dice: random.Random) -> list[tuple[str, Order]]:
    """Return queries of every kind."""
    ranks = [0, 1, 2, 5, 10, 30, 100, 300, 1000, 3000, 10_000, 25_000]
    asked = [words[rank] for rank in ranks]
    asked += [f"{words[dice.randrange(50)]} {words[dice.randrange(2000)]}" for _ in range(10)]
    asked += [f'"{phrase}"' for phrase in phrases]
    asked += [*_COMPOUNDS, "ประชุม", "会议"]
    asked += [f"{words[rank]} from:person{dice.randrange(2000)}" for rank in (0, 20, 500)]
    asked += [f"{words[rank]} room:!room{dice.randrange(1000)}" for rank in (0, 20, 500)]
    asked += [f"{words[rank]} department:dep{dice.randrange(20)} after:2023-11-20" for rank in (0, 20, 500)]
    asked += ["from:person17", "room:!room33", "kind:image", f"{words[3]} is:deleted", f"{words[40]} has:file"]
    return [(text, order) for text in asked for order in Order]


async def fill(pool: Pool, messages: int, words: list[str]) -> None:
    """Archive messages and index them as the service does; one in a hundred is deleted afterwards.

    Each is of 8 words, by one of 2,000 people, in one of 1,000 rooms of which 300 are direct.
    """
    await pool.execute("CREATE UNLOGGED TABLE word (rank integer PRIMARY KEY, word text)")
    await pool.copy_records_to_table("word", records=list(enumerate(words)))
    await pool.execute(
        "INSERT INTO search_room (room_id, open_from, facts)"
        " SELECT '!room' || n, CASE WHEN n <= 300 THEN 9223372036854775807 ELSE 0 END, $1"
        " FROM generate_series(1, 1000) n",
        facts_as_json(RoomFacts()),
    )
    await _employ(pool, 2000)
    portion = 250_000
    for first in range(1, messages, portion):
        last = min(first + portion - 1, messages)
        await pool.execute(_FILL.format(vocabulary=_VOCABULARY), first, last, timeout=3600)
    await pool.execute(_DELETE, messages)
    await pool.execute("VACUUM ANALYZE event")
    newest, consumer = Newest(pool), SearchConsumer(pool, _BOT)
    while events := (await newest.read(consumer.name, consumer.batch)).events:
        await consumer.handle(events)
        await store.move_cursor(pool, consumer.name, events[-1].seq)
    await pool.execute("VACUUM ANALYZE")


async def _employ(pool: Pool, people: int) -> None:
    """Have the directory know so many people, in twenty departments."""
    shape, enterprise = shapes_for()["User"], "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    async with pool.acquire() as connection, connection.transaction():
        for number in range(people):
            said = {"userName": f"person{number}", enterprise: {"department": f"dep{number % 20}"}}
            await create_user(connection, resource_of(said, f"person{number}", shape), "bench")
    await pool.execute(
        "INSERT INTO account (person_id, user_id, display_name, enabled)"
        " SELECT 'person' || n, '@person' || n || ':example.org', n, true FROM generate_series(0, $1 - 1) n",
        people,
    )


# The rank of a word is a power of the vocabulary's size: the density of ranks falls with the rank, which is Zipf's law.
_FILL = """
WITH said AS (
    SELECT n, k, w.word
    FROM generate_series($1::int, $2::int) n, generate_series(1, 8) k,
         LATERAL (SELECT floor(power({vocabulary}::float8, random() + 0 * (n + k)))::int - 1 AS rank) dice
         JOIN word w USING (rank)
), message AS (
    SELECT n, string_agg(word, ' ' ORDER BY k) AS body FROM said GROUP BY n
)
INSERT INTO event (seq, origin_ts, received_at, backfilled, event_id, room_id, type, sender, salt, leaf, body)
SELECT n, 1700000000000 + n * 1000::bigint, now(), false, '$' || n, '!room' || n % 1000 + 1, 'm.room.message',
       '@person' || n % 2000 || ':example.org', '', '',
       convert_to(json_build_object('event_id', '$' || n, 'room_id', '!room' || n % 1000 + 1, 'type',
           'm.room.message', 'sender', '@person' || n % 2000 || ':example.org', 'origin_server_ts',
           1700000000000 + n * 1000::bigint, 'content', json_build_object('msgtype',
               CASE WHEN n % 25 = 0 THEN 'm.image' ELSE 'm.text' END, 'body', body))::text, 'UTF8')
FROM message ORDER BY n
"""
_DELETE = """
INSERT INTO event (seq, origin_ts, received_at, backfilled, event_id, room_id, type, sender, relates_to, salt,
                   leaf, body)
SELECT $1 + k, 1700000000000 + ($1 + k) * 1000::bigint, now(), false, '$deletes' || n, '!room' || n % 1000 + 1,
       'm.room.redaction', '@person0:example.org', '$' || n, '', '',
       convert_to(json_build_object('event_id', '$deletes' || n, 'room_id', '!room' || n % 1000 + 1, 'type',
           'm.room.redaction', 'sender', '@person0:example.org', 'origin_server_ts',
           1700000000000 + ($1 + k) * 1000::bigint, 'content', json_build_object('redacts', '$' || n))::text, 'UTF8')
FROM generate_series(1, $1::bigint / 100) k, LATERAL (SELECT k * 100 - 99 AS n)
"""


async def measure_p95(messages: int = 1_000_000) -> Figure:
    """Return the 95th percentile of the seconds of a query, the best of some runs: others use the machine too."""
    dice = random.Random(1)
    words = make_words(dice)
    async with _archive(messages, words) as pool:
        seconds: list[float] = []
        phrases = await _phrases(pool, messages, dice)
        for text, order in make_queries(words, phrases, dice):
            query = parse(text)
            runs = []
            for _ in range(_RUNS):
                start = time.perf_counter()
                await search(pool, query, server_name="example.org", order=order)
                runs.append(time.perf_counter() - start)
            seconds.append(min(runs))
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return Figure("search.p95" if messages == 1_000_000 else "search.p95.large", p95, "s", "limit", _PROMISED_SECONDS)


async def _phrases(pool: Pool, messages: int, dice: random.Random) -> list[str]:
    """Return neighbouring words of some messages."""
    seqs = [dice.randint(1, messages) for _ in range(5)]
    bodies = await pool.fetch("SELECT convert_from(body, 'UTF8') AS body FROM event WHERE seq = ANY ($1)", seqs)
    texts = [wire.decode(row["body"].encode())["content"]["body"].split(" ") for row in bodies]
    return [" ".join(text[2:4]) for text in texts]


async def measure_p95_large() -> Figure:
    """Return the same of five million messages."""
    return await measure_p95(5_000_000)


@asynccontextmanager
async def _archive(messages: int, words: list[str]) -> AsyncIterator[Pool]:
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder), durable=False) as server, open_database(server.url) as pool:
            await fill(pool, messages, words)
            yield pool


def measure_overhead() -> Figure:
    """Return the percent of CPU that indexing adds to ingest, on the event loop that the service has."""
    return event_loop.run(_measure_overhead())


async def _measure_overhead() -> Figure:
    ingest, index = list[float](), list[float]()
    async with laboratory() as lab, our_handler(lab.pool) as port:
        await _employ(lab.pool, _SENDERS)
        newest, consumer = Newest(lab.pool), SearchConsumer(lab.pool, _BOT)
        for _ in range(_ROUNDS):
            ingest.append(await lab.answer(port, _TRANSACTIONS))
            index.append(await _index(lab, newest, consumer))
    percent = 100 * statistics.median(index) / statistics.median(ingest)
    return Figure("ingest.search", percent, "%", "limit", _PROMISED_PERCENT)


async def _index(lab: Laboratory, newest: Newest, consumer: SearchConsumer) -> float:
    """Give the consumer what has come, as the feed does, and return the CPU seconds of it."""

    async def give() -> None:
        events, _ = await newest.read(consumer.name, consumer.batch)
        await consumer.handle(events)
        await store.move_cursor(lab.pool, consumer.name, events[-1].seq)

    spent = 0.0
    while events := (await newest.read(_OTHER, consumer.batch)).events:
        spent += await lab.spent(give)
        await store.move_cursor(lab.pool, _OTHER, events[-1].seq)
    return spent


FIGURES: Mapping[str, Callable[[], Awaitable[Figure] | Figure]] = {
    "ingest.search": measure_overhead,
    "search.p95": measure_p95,
}
WHEN_NAMED: Mapping[str, Callable[[], Awaitable[Figure]]] = {"search.p95.large": measure_p95_large}
