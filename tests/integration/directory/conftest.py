"""A SCIM endpoint on loopback, with a client that bears its token; and one for webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bridge.directory.refusals import Refusals
from bridge.directory.scim import scim_application
from bridge.directory.token_store import create_token
from tests.integration.directory.sender import Hooks, open_hooks

if TYPE_CHECKING:
    from bridge.database import Pool

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(repr=False)

    @property
    def names(self) -> list[str]:
        """The userNames of a list, in its order."""
        return [resource["userName"] for resource in self.body["Resources"]]


@dataclass(frozen=True, slots=True)
class Scim:
    """A client of the endpoint."""

    url: str
    session: ClientSession
    token: str

    async def ask(
        self, method: str, path: str, body: object = None, /, *, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Answer:
        async with self.session.request(
            method,
            self.url + path,
            json=body,
            params=query,
            headers={"Authorization": f"Bearer {self.token}", **(headers or {})},
        ) as response:
            return Answer(response.status, await response.json(content_type=None), response.headers)

    async def user(self, user_name: str, /, **attributes: Any) -> str:
        """Create a user and return the id."""
        answer = await self.ask("POST", "/Users", {"userName": user_name, **attributes})
        assert answer.status == 201, answer
        return str(answer.body["id"])

    async def group(self, name: str, *members: str) -> str:
        """Create a group and return the id."""
        answer = await self.ask(
            "POST", "/Groups", {"displayName": name, "members": [{"value": member} for member in members]}
        )
        assert answer.status == 201, answer
        return str(answer.body["id"])

    async def patch(self, path: str, *operations: Mapping[str, Any]) -> Answer:
        return await self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})

    async def read(self, path: str, **query: Any) -> Any:
        answer = await self.ask("GET", path, **query)
        assert answer.status == 200, answer
        return answer.body


@pytest.fixture
async def refusals(pool: Pool) -> Refusals:
    """What the endpoints have counted and nobody has written yet."""
    return Refusals(pool)


@pytest.fixture
async def scim(pool: Pool, refusals: Refusals) -> AsyncIterator[Scim]:
    application = web.Application()
    application.add_subapp("/scim/v2", scim_application(pool, secret="s", custom=("shift",), refusals=refusals))
    async with TestServer(application) as server, ClientSession() as session:
        yield Scim(f"{server.make_url('/scim/v2')}", session, await create_token(pool, "hr"))


@pytest.fixture
async def hooks(pool: Pool, refusals: Refusals) -> AsyncIterator[Hooks]:
    async with open_hooks(pool, refusals) as opened:
        yield opened
