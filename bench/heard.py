"""Counting acknowledgements: `heard.count` is how many reactions a second the consumer `heard` takes from the archive.

10,000 people of one announcement in 200 rooms react; their events are archived, and the consumer reads them as it does
in the service, with the board of the desk brought along. Held against the 5,000 a second that we promise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.report import Figure
from bridge.announcements.heard import HeardConsumer
from bridge.archive.feed import run_consumer
from bridge.archive.ingest import ingest
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.ids import UserId

if TYPE_CHECKING:
    from bridge.database import Pool

_PEOPLE = 10_000
_ROOMS = 200
_LIMIT = 5_000.0
_BOT = UserId("@muster:bench.example")
_DONE = "SELECT coalesce((SELECT seq FROM feed_cursor WHERE consumer = 'heard'), 0)"
_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def _prepare(pool: Pool) -> None:
    """Put an announcement into 200 rooms, 10,000 recipients and a reaction of each."""
    await pool.execute(
        "INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias)"
        " VALUES ('desk', '!desk', 'desk', 'desk', 'Desk', '', 'desk')"
    )
    await pool.execute(
        "INSERT INTO announcement (id, desk, author, author_name, created_at, opened_at, audience)"
        " VALUES ('7kq2-m9xd', 'desk', $1, 'Bench', $2, $2, '{\"rooms\": []}')",
        _BOT,
        _AT,
    )
    await pool.execute(
        'INSERT INTO announcement_text VALUES (\'7kq2-m9xd\', 1, \'\', \'{"msgtype": "m.text", "body": "News"}\','
        " false, $1)",
        _AT,
    )
    await pool.execute(
        "INSERT INTO outgoing (key, act, rank, due_at, room_id, content, announcement, version, role, state, event_id,"
        " said_in, done_at) SELECT 'copy/' || n, 'send', 3, $1, '!room' || n, '{}', '7kq2-m9xd', 1, 'copy', 'done',"
        " '$copy' || n, '!room' || n, $1 FROM generate_series(0, $2) AS n",
        _AT,
        _ROOMS - 1,
    )
    await pool.execute(
        "INSERT INTO recipient (announcement, user_id, targeted_at, delivered_at, department)"
        " SELECT '7kq2-m9xd', '@p' || n || ':bench.example', $1, $1, 'D' || n % 40 FROM generate_series(1, $2) AS n",
        _AT,
        _PEOPLE,
    )
    for first in range(0, _PEOPLE, 100):
        await ingest(pool, [_reaction(number) for number in range(first + 1, first + 101)])
    await pool.execute("ANALYZE recipient, outgoing, announcement, event")  # as autovacuum has done in any real one


def _reaction(number: int) -> dict[str, object]:
    room = number % _ROOMS
    relation = {"rel_type": "m.annotation", "event_id": f"$copy{room}", "key": "✅"}
    return {
        "event_id": f"$r{number}",
        "room_id": f"!room{room}",
        "sender": f"@p{number}:bench.example",
        "type": "m.reaction",
        "content": {"m.relates_to": relation},
        "origin_server_ts": int(_AT.timestamp() * 1000) + number,
    }


async def measure_count() -> Figure:
    """Acknowledgements a second, against what we promise."""
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as server, open_database(server.url) as pool:
            await _prepare(pool)
            wake = asyncio.Event()
            start = time.perf_counter()
            task = asyncio.create_task(run_consumer(pool, HeardConsumer(pool, bot=_BOT), wake))
            while await pool.fetchval(_DONE) < _PEOPLE:  # noqa: ASYNC110 (nothing tells us: it is polled)
                await asyncio.sleep(0.02)
            taken = time.perf_counter() - start
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return Figure("heard.count", _PEOPLE / taken, "acknowledgements/s", "limit", _LIMIT)


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {"heard.count": measure_count}
