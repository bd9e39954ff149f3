"""Information barriers on a real Synapse: undone by the service, and refused beforehand with the real module."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from bridge.clock import system_clock
from bridge.database.embedded import EmbeddedPostgres
from bridge.demo.synapse import LocalSynapse
from bridge.directory.selector import parse
from bridge.homeserver import registration as registration_file
from bridge.homeserver import transactions
from bridge.homeserver.registration import Registration
from bridge.ids import UserId
from bridge.membership import barrier_store, prevention
from bridge.membership.barriers import Seat
from bridge.policy.schema import Barrier
from tests.acceptance.client import ClientError, MatrixClient
from tests.acceptance.company import POLICY, Company
from tests.acceptance.conftest import SERVER_NAME
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

WALL = """
barriers:
  - {between: department eq "Research", and: department eq "Trading", reason: research independence, except: [news]}
"""


@pytest.fixture
async def company(company: Company) -> Company:
    """A company with somebody on each side of a barrier."""
    company.policy.write_text(POLICY + WALL)
    await company.hire("ann", department="Research")
    await company.is_in("ann", {"square", "news", "department/Research"})
    await wait_until(lambda: _has_barrier(company))
    await company.hire("bob", department="Trading")
    await company.is_in("bob", {"news", "department/Trading"})
    return company


async def _has_barrier(company: Company) -> bool:
    return bool(await company.pool.fetchval("SELECT EXISTS (SELECT FROM barrier)"))


@pytest.mark.parametrize("version", ["11", "12"])
async def test_a_chat_across_a_barrier_ends_and_says_why(company: Company, version: str) -> None:
    """Who is invited across a barrier does not stay invited, in a room that the bot is not in, and is told why."""
    ann, bob = await company.client("ann"), await company.client("bob")
    chat = await ann.create_room(
        preset="trusted_private_chat", is_direct=True, invite=[bob.user_id], room_version=version
    )

    async def is_declined() -> bool:
        return bool((await ann.state(chat, "m.room.member", bob.user_id))["membership"] == "leave")

    await wait_until(is_declined)

    async def is_told() -> bool:
        for room in await bob.joined_rooms() - set((await company.managed()).values()):
            bodies = [str(event["content"].get("body", "")) for event in await bob.messages(room)]
            if any("research independence" in body for body in bodies):
                return True
        return False

    await wait_until(is_told)
    assert await ann.members(chat) == {ann.user_id}
    ended = await company.muster("barriers")
    assert (ended.code, ended.out) == (0, "Nobody shares a room across a barrier.\n")
    audit = await company.muster("audit", "--room", chat)
    assert "barriers: research independence" in audit.out
    (own,) = [each for each in json.loads((await company.muster("rooms", "--json")).out) if each["room_id"] == chat]
    assert own["since"] is not None
    shown = {key: own[key] for key in ("creator", "members", "version", "is_encrypted")}
    assert shown == {"creator": ann.user_id, "members": 1, "version": version, "is_encrypted": False}


@dataclass
class Guarded:
    """A Synapse that asks before it lets people do something."""

    synapse: LocalSynapse
    http: aiohttp.ClientSession

    async def person(self, name: str) -> MatrixClient:
        token = await self.synapse.register_user(name, password="password")
        return await MatrixClient.of_token(self.http, self.synapse.url, token)


@pytest.fixture
async def guarded(
    tmp_path: Path, postgres: EmbeddedPostgres, pool: Pool, registration: Registration, http: aiohttp.ClientSession
) -> AsyncIterator[Guarded]:
    """A Synapse with `synapse-http-antispam`, and what answers it."""

    async def take(events: Sequence[object]) -> int:
        return len(events)

    application = web.Application()
    application.add_routes(prevention.routes(pool, registration.hs_token, bot=registration.bot(SERVER_NAME)))
    application.add_routes(transactions.routes(take, registration.hs_token))
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    await postgres.create_database("guarded")
    module = {
        "module": "synapse_http_antispam.HTTPAntispam",
        "config": {
            "base_url": url + prevention.PREFIX,
            "authorization": registration.hs_token,
            "enabled_callbacks": ["user_may_invite", "user_may_join_room", "user_may_create_room"],
            "do_ping": True,
        },
    }
    try:
        async with LocalSynapse(
            tmp_path / "guarded",
            server_name=SERVER_NAME,
            database_url=postgres.url_for("guarded"),
            registration=registration_file.document(registration, url=url, server_name=SERVER_NAME),
            settings={"modules": [module], "ip_range_whitelist": ["127.0.0.1"]},
        ) as synapse:
            yield Guarded(synapse, http)
    finally:
        await runner.cleanup()
        await postgres.drop_database("guarded")


async def test_synapse_refuses_beforehand_what_a_barrier_forbids(guarded: Guarded, pool: Pool) -> None:
    """With the module, invitations across a barrier are refused in the barrier's words, and others go through."""
    ann, bob, cid = [await guarded.person(name) for name in ("ann", "bob", "cid")]
    barrier = Barrier(parse('department eq "Research"'), parse('department eq "Trading"'), "research independence")
    await barrier_store.put_barriers(pool, [barrier], system_clock())
    seats = {UserId(who.user_id): frozenset([Seat(barrier.id, side)]) for side, who in enumerate((ann, bob))}
    await barrier_store.put_sides(pool, seats, None)
    chat = await ann.create_room(preset="private_chat", invite=[cid.user_id])
    await cid.join(chat)

    with pytest.raises(ClientError, match="research independence") as refused:
        await ann.invite(chat, bob.user_id)
    assert refused.value.errcode == "M_FORBIDDEN"
    with pytest.raises(ClientError, match="research independence"):
        await ann.create_room(preset="trusted_private_chat", is_direct=True, invite=[bob.user_id])
    assert await ann.members(chat) == {ann.user_id, cid.user_id}


async def test_who_does_not_know_the_token_learns_nothing(
    guarded: Guarded, http: aiohttp.ClientSession, pool: Pool
) -> None:
    """Without the homeserver's token every question is refused."""
    module = (guarded.synapse.log_path.parent / "homeserver.yaml").read_text()
    url = module.split('"base_url": "')[1].split('"')[0]
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic hs-token"}):
        async with http.post(f"{url}/user_may_invite", json={}, headers=headers) as response:
            assert response.status == 401
            assert (await response.json())["errcode"] == "M_UNAUTHORIZED"
