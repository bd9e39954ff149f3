"""Answering HR's webhooks: until a signed delivery is durable and answered, while the inbox acts on those before it.

`hooks.answer` is the 95th percentile over one connection beside that of a bare aiohttp handler with one INSERT, in
turns, on the same embedded PostgreSQL with fsync on. `hooks.answer.limit` holds the same against the 100 ms that we
promise.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from aiohttp import ClientSession, web

from bench.report import Figure
from bridge.clock import system_clock
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.database.listen import HOOKS, Listener
from bridge.directory.hook_adapters import BAMBOOHR
from bridge.directory.hook_inbox import HookInbox
from bridge.directory.hooks import HookSource, hook_routes
from bridge.directory.refusals import Refusals
from bridge.directory.vendor_signature import SCHEMES, sign

if TYPE_CHECKING:
    from bridge.database import Pool

_ROUNDS = 5
_DELIVERIES = 200
_LIMIT_MS = 100.0
_KEY = b"0123456789abcdef"
_SCHEME = SCHEMES["bamboohr"]


def make_delivery(number: int) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a change of one person's title, as the vendor sends it."""
    fields = {
        "workEmail": f"p{number}@x.ee",
        "firstName": "Kadri",
        "lastName": f"Tamm {number}",
        "jobTitle": "Driver",
        "department": "Night Transport",
        "dateOfBirth": "1990-05-04",
    }
    employee = {
        "id": str(number),
        "action": "Updated",
        "timestamp": "2026-01-31T18:42:00+0000",
        "fields": {name: {"value": value} for name, value in fields.items()},
    }
    body = json.dumps({"employees": [employee]}).encode()
    seconds = str(int(time.time()))
    return body, {_SCHEME.header: sign(_SCHEME, _KEY, body, seconds), _SCHEME.timestamp: seconds}


@asynccontextmanager
async def _serving(pool: Pool) -> AsyncIterator[str]:
    """Serve our endpoint and the bare one on one port, and yield the address."""

    async def bare(request: web.Request) -> web.Response:
        await pool.execute("INSERT INTO bare (body) VALUES ($1)", await request.read())
        return web.json_response({"status": "accepted"})

    await pool.execute("CREATE TABLE bare (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
    application = web.Application()
    source = HookSource("bamboohr", BAMBOOHR, (_KEY,), _SCHEME)
    application.add_routes([*hook_routes(pool, [source], system_clock, refusals=Refusals(pool)), web.post("/b", bare)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _percentile(session: ClientSession, url: str, first: int) -> float:
    """Return the 95th percentile of the milliseconds until an answer."""
    taken = []
    for number in range(first, first + _DELIVERIES):
        body, headers = make_delivery(number)
        start = time.perf_counter()
        async with session.post(url, data=body, headers=headers) as response:
            assert (await response.json())["status"] == "accepted"
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.quantiles(taken, n=20)[-1]


async def _measured() -> tuple[float, float]:
    """Return the medians of ours and of the bare handler's."""
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as server, open_database(server.url) as pool, _serving(pool) as url:
            listener = Listener(server.url)
            inbox = asyncio.create_task(HookInbox(pool).run(listener.subscribe(HOOKS)))
            listening = asyncio.create_task(listener.run())
            ours, bare = [], []
            async with ClientSession() as session:
                for turn in range(_ROUNDS + 1):
                    ours.append(await _percentile(session, f"{url}/hooks/hr/bamboohr", turn * _DELIVERIES))
                    bare.append(await _percentile(session, f"{url}/b", turn * _DELIVERIES))
            for task in (inbox, listening):
                task.cancel()
            await asyncio.gather(inbox, listening, return_exceptions=True)
    return statistics.median(ours[1:]), statistics.median(bare[1:])


async def measure_answer() -> Figure:
    """Milliseconds until an answer, beside a bare handler."""
    value, against = await _measured()
    return Figure("hooks.answer", value, "ms", "aiohttp.insert", against)


async def measure_limit() -> Figure:
    """Milliseconds until an answer, against what we promise."""
    value, _ = await _measured()
    return Figure("hooks.answer.limit", value, "ms", "limit", _LIMIT_MS)


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {
    "hooks.answer": measure_answer,
    "hooks.answer.limit": measure_limit,
}
