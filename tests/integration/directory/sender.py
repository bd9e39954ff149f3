"""A sender of webhooks on loopback, and the inbox at our end."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bridge.clock import system_clock
from bridge.directory import vendor_signature
from bridge.directory.hook_adapters import ADAPTERS, BAMBOOHR, GENERIC
from bridge.directory.hook_inbox import HookInbox
from bridge.directory.hooks import HookSource, hook_routes
from bridge.directory.refusals import Refusals
from bridge.directory.vendor_signature import SCHEMES
from bridge.hook_signature import sign

if TYPE_CHECKING:
    from bridge.database import Pool

KEY, NEXT_KEY = bytes(32), bytes(range(32))
VENDOR_KEY = b"Bearer 0123456789abcdef"
MAX_BODY = 20_000


@dataclass
class Hooks:
    """A source of webhooks, and the inbox at our end."""

    url: str
    session: ClientSession
    pool: Pool
    inbox: HookInbox
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def post(
        self,
        body: object,
        /,
        *,
        source: str = "generic",
        key: bytes = KEY,
        headers: Mapping[str, str | None] | None = None,
    ) -> tuple[int, Any]:
        """Send a body, or bytes as they are, signed; return status and answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        changes = dict(headers or {})
        delivery = changes.get("webhook-id", f"msg_{next(self.numbers)}")
        sent = system_clock()
        made: dict[str, str | None] = {
            "webhook-id": delivery,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": sign(key, delivery or "", sent, data),
            **changes,
        }
        given = {name: value for name, value in made.items() if value is not None}
        async with self.session.post(f"{self.url}/{source}", data=data, headers=given) as response:
            return response.status, await response.json()

    async def tell(self, body: object, /, **options: Any) -> None:
        """Send a body that is taken, and act on all there is."""
        status, answer = await self.post(body, **options)
        assert (status, answer) == (200, {"status": "accepted"})
        await self.work()

    async def work(self) -> None:
        while await self.inbox.handle_next():
            pass

    async def inbox_rows(self) -> list[tuple[str, str | None]]:
        rows = await self.pool.fetch("SELECT outcome, reason FROM hook_event ORDER BY seq")
        return [(row["outcome"], row["reason"]) for row in rows]

    async def post_as_vendor(self, vendor: str, body: object) -> tuple[int, Any]:
        """Send a body, or bytes as they are, signed as the vendor does it."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        scheme = SCHEMES[vendor]
        seconds = str(int(system_clock().timestamp())) if scheme.timestamp else ""
        headers = {scheme.header: vendor_signature.sign(scheme, VENDOR_KEY, data, seconds)}
        if scheme.timestamp:
            headers[scheme.timestamp] = seconds
        async with self.session.post(f"{self.url}/{vendor}", data=data, headers=headers) as response:
            return response.status, await response.json()


@asynccontextmanager
async def open_hooks(pool: Pool, refusals: Refusals) -> AsyncIterator[Hooks]:
    """Listen for the generic source, BambooHR through a gateway, and every vendor with its own signature."""
    sources = [
        HookSource("generic", GENERIC, (KEY, NEXT_KEY)),
        HookSource("bamboo", BAMBOOHR, (KEY,)),
        *(HookSource(name, ADAPTERS[name], (VENDOR_KEY,), scheme) for name, scheme in SCHEMES.items()),
    ]
    application = web.Application()
    application.add_routes(hook_routes(pool, sources, system_clock, max_body=MAX_BODY, refusals=refusals))
    async with TestServer(application) as server, ClientSession() as session:
        yield Hooks(f"{server.make_url('/hooks/hr')}", session, pool, HookInbox(pool))


def person(id_: str = "1", /, **attributes: Any) -> dict[str, Any]:
    """Return a person of the generic shape."""
    return {"externalId": id_, **attributes}
