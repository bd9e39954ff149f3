"""Running parts of the service in a bench, woken as the service is, with a Synapse that delivers to them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bench.membership_apply import REGISTRATION
from bridge.archive.ingest import ingest
from bridge.homeserver.transactions import routes

if TYPE_CHECKING:
    from bridge.database import Pool


@asynccontextmanager
async def heard(pool: Pool, port: int) -> AsyncIterator[None]:
    """Listen for Synapse as the service does."""
    application = web.Application()
    application.add_routes(routes(functools.partial(ingest, pool), REGISTRATION.hs_token))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(*parts: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run what never ends by itself."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
