"""Handing out the archive: how fast, and in how much memory.

`export.jsonl` is a whole export to JSON Lines, from the order to the signed manifest, with what amends each message,
who sent it, every leaf's proof, and every file on the disk; it is held against the 20,000 messages a second that are
promised. `export.cpu` is what our process spends on each message, held against what that promise leaves it: what
counts where PostgreSQL has a core of its own. `export.memory` is by how much the largest resident size of a process
that exports 200,000 messages exceeds that of one that exports 50,000. The best of some runs counts: what else the
machine does makes a run slower and none faster.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.archive_ingest import make_event
from bench.report import Figure
from bridge.archive import signing
from bridge.archive.checkpoint import origin_of
from bridge.archive.entry import Actor
from bridge.archive.export import ordering
from bridge.archive.export.journal import Journal
from bridge.archive.export.order import Format
from bridge.archive.export.run import carry_out
from bridge.archive.ingest import ingest
from bridge.archive.notary import Notary
from bridge.archive.scope import Scope
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.membership.acquaintance import Acquaintance
from tests.gate import everything

if TYPE_CHECKING:
    from bridge.database import Pool

_FEW, _MANY = 50_000, 200_000
_BATCH = 1000
_ROUNDS = 3
_PROMISED = 20_000.0
_PROMISED_MEGABYTES = 10.0
_CHILD = """
import asyncio, pathlib, resource, sys
from bridge.archive import signing
from bridge.archive.export.journal import Journal
from bridge.archive.export.run import carry_out
from bridge.database import open_database
from bridge.membership.acquaintance import Acquaintance
from tests.gate import everything

async def main(url, folder):
    async with open_database(url) as pool:
        folder = pathlib.Path(folder)
        key = signing.open_key(folder.parent)
        await carry_out(pool, Journal.open(folder), folder, key, Acquaintance(pool, "UTC"), everything)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

asyncio.run(main(*sys.argv[1:]))
"""


async def measure_export() -> Figure:
    """Return how many messages a second are exported."""
    return Figure("export.jsonl", _FEW / min(await _timed(time.perf_counter)), "messages/s", "limit", _PROMISED)


async def measure_cpu() -> Figure:
    """Return the microseconds of CPU that our process spends on a message."""
    microseconds = min(await _timed(time.process_time)) / _FEW * 1e6
    return Figure("export.cpu", microseconds, "µs/message", "limit", 1e6 / _PROMISED)


async def measure_memory() -> Figure:
    """Return how many MB more four times as many messages need."""
    few, many = [await _largest(events) for events in (_FEW, _MANY)]
    return Figure("export.memory", max(many - few, 0) / 1024, "MB", "limit", _PROMISED_MEGABYTES)


async def _timed(clock: Callable[[], float]) -> list[float]:
    seconds = []
    with TemporaryDirectory(prefix="muster-bench-") as name:
        async with _archive(Path(name), _FEW) as (pool, _):
            key = signing.open_key(Path(name))
            for number in range(_ROUNDS):
                folder = Path(name) / f"export-{number}"
                start = clock()
                journal = await _ordered(pool, folder)
                report = await carry_out(pool, journal, folder, key, Acquaintance(pool, "UTC"), everything)
                seconds.append(clock() - start)
                assert report.events == _FEW
    return seconds


async def _largest(events: int) -> int:
    """Return the largest resident size, in KiB, of a process that exports so many events."""
    with TemporaryDirectory(prefix="muster-bench-") as name:
        async with _archive(Path(name), events) as (pool, url):
            folder = Path(name) / "export"
            await _ordered(pool, folder)
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _CHILD, url, str(folder), stdout=asyncio.subprocess.PIPE
            )
            said, _ = await child.communicate()
            assert child.returncode == 0
            return int(said)


async def _ordered(pool: Pool, folder: Path) -> Journal:
    notary = Notary(pool, signing.open_key(folder.parent), origin_of("example.org"))
    wish = ordering.Wish(Format.JSONL, Scope())
    return await ordering.order(pool, notary, folder, wish, Actor("bench", "bench"), datetime.now(UTC))


@asynccontextmanager
async def _archive(folder: Path, events: int) -> AsyncIterator[tuple[Pool, str]]:
    """Fill an archive."""
    async with EmbeddedPostgres(folder / "postgres", durable=False) as server, open_database(server.url) as pool:
        for first in range(0, events, _BATCH):
            await ingest(pool, [make_event(number) for number in range(first, first + _BATCH)])
        await pool.execute("VACUUM ANALYZE event")
        yield pool, server.url


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {
    "export.cpu": measure_cpu,
    "export.jsonl": measure_export,
    "export.memory": measure_memory,
}
