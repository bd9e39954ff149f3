"""Proof: how fast the archive is verified, and how long the proof of one event takes.

`verify.leaves` is whole verification, every event read, its leaf and the tree computed again and compared with a signed
checkpoint, held against the 300,000 leaves a second that are promised. `verify.cpu` is what our process spends on each
leaf, held against what that promise leaves it: it is what bounds the pace where PostgreSQL, which reads the next block
meanwhile, has a core of its own, and says on a busy machine what the first cannot. `prove.event` is one bundle, made
and checked, held against a tenth of a second. All run on an embedded PostgreSQL with 200,000 events. The best of some
runs counts: what else the machine does makes a run slower and none faster.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.archive_ingest import make_event
from bench.report import Figure
from bridge.archive.bundle import bundle_as_text
from bridge.archive.checkpoint import origin_of
from bridge.archive.ingest import ingest
from bridge.archive.notary import Notary
from bridge.archive.prove import prove
from bridge.archive.verify import verify
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from bridge.database import Pool

_EVENTS = 200_000
_BATCH = 1000
_ROUNDS = 5
_PROOFS = 50
_PROMISED_LEAVES = 300_000.0
_PROMISED_SECONDS = 0.1


async def measure_verify() -> Figure:
    """Return how many leaves a second are verified."""
    async with _archive() as (pool, notary):
        seconds = []
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            verdict = await verify(pool, signer=notary.signer)
            seconds.append(time.perf_counter() - start)
            assert (verdict.ok, verdict.checkpoints) == (True, 1)
    return Figure("verify.leaves", _EVENTS / min(seconds), "leaves/s", "limit", _PROMISED_LEAVES)


async def measure_cpu() -> Figure:
    """Return the microseconds of CPU that our process spends on a leaf."""
    async with _archive() as (pool, notary):
        seconds = []
        for _ in range(_ROUNDS):
            start = time.process_time()
            assert (await verify(pool, signer=notary.signer)).ok
            seconds.append(time.process_time() - start)
    return Figure("verify.cpu", min(seconds) / _EVENTS * 1e6, "µs/leaf", "limit", 1e6 / _PROMISED_LEAVES)


async def measure_prove() -> Figure:
    """Return the seconds that one bundle takes."""
    async with _archive() as (pool, notary):
        note = (await notary.make()).note
        seconds = []
        for number in range(0, _EVENTS, _EVENTS // _PROOFS):
            start = time.perf_counter()
            bundle_as_text(await prove(pool, make_event(number)["event_id"], notary.signer, note))
            seconds.append(time.perf_counter() - start)
    return Figure("prove.event", min(seconds), "s", "limit", _PROMISED_SECONDS)


@asynccontextmanager
async def _archive() -> AsyncIterator[tuple[Pool, Notary]]:
    """Fill an archive and sign it."""
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder), durable=False) as server, open_database(server.url) as pool:
            for first in range(0, _EVENTS, _BATCH):
                await ingest(pool, [make_event(number) for number in range(first, first + _BATCH)])
            await pool.execute("VACUUM ANALYZE event")
            notary = Notary(pool, Ed25519PrivateKey.generate(), origin_of("example.org"))
            await notary.make()
            yield pool, notary


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {
    "prove.event": measure_prove,
    "verify.cpu": measure_cpu,
    "verify.leaves": measure_verify,
}
