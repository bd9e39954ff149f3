"""The composition root: the only place where adapters are made and joined.

`open_services` opens what a single command needs. `bridge.service` runs them all for as long as the service lives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from bridge.clock import Clock, system_clock
from bridge.config import Config, load_registration
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.homeserver.transport import Transport
from bridge.policy.file import read_policy
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

_REQUEST_SECONDS = 120
"""Longer than any single answer of Synapse's takes; a request without an answer ends."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a command may use, opened and connected."""

    config: Config
    registration: Registration
    database_url: str
    pool: Pool
    homeserver: Homeserver
    accounts: SynapseAccounts
    clock: Clock

    def policy(self) -> Policy:
        """Read the policy file; raises `DocumentError` with all its problems."""
        return read_policy(self.config)


@asynccontextmanager
async def open_services(config: Config) -> AsyncIterator[Services]:
    """Open database and homeserver client for the length of the block.

    The database is brought up to date; the homeserver is not asked anything yet.
    """
    async with AsyncExitStack() as stack:
        database_url = config.database
        if database_url is None:
            database_url = (await stack.enter_async_context(EmbeddedPostgres(config.data / "postgres"))).url
        pool = await stack.enter_async_context(open_database(database_url, max_connections=20))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100), timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
            )
        )
        registration = load_registration(config.appservice.registration)
        transport = Transport(session, config.homeserver.url, registration.as_token)
        yield Services(
            config=config,
            registration=registration,
            database_url=database_url,
            pool=pool,
            homeserver=Homeserver(
                transport,
                bot=registration.bot(config.homeserver.server_name),
                server_name=config.homeserver.server_name,
                appservice_id=registration.id,
            ),
            accounts=SynapseAccounts(transport),
            clock=system_clock,
        )
