"""The other side of second channels: a real SMS gateway on loopback, and a real SMTP server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Gateway:
    """Takes short messages, and answers as it is told."""

    url: str = ""
    status: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Take one message."""
        body = await request.read()
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, body))
        if self.status < 300:
            self.taken.append(json.loads(body))
        return web.Response(status=self.status)


@asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    """Serve a gateway for the length of the block."""
    found, application = Gateway(), web.Application()
    application.router.add_post("/send", found.take)
    server = TestServer(application)
    await server.start_server()
    found.url = str(server.make_url("/send"))
    try:
        yield found
    finally:
        await server.close()


@dataclass
class Mailbox:
    """Takes mail, and refuses as it is told."""

    port: int = 0
    refusal: str = ""
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the message."""
        assert isinstance(envelope.content, bytes)
        read = message_from_bytes(envelope.content, policy=policy.default)
        self.taken.append((envelope.rcpt_tos[0], read))
        return "250 OK"


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Serve a mailbox for the length of the block."""
    found = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(found), "127.0.0.1", 0)
    try:
        found.port = server.sockets[0].getsockname()[1]
        yield found
    finally:
        server.close()
        await server.wait_closed()
