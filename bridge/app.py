"""The composition root: the only place where adapters are made and joined.

`open_services` opens what a single command needs. `bridge.service` runs them all for as long as the service lives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from bridge.clock import Clock, system_clock
from bridge.config import Config, load_registration
from bridge.database import open_database, open_to_read
from bridge.database.embedded import EmbeddedPostgres
from bridge.directory.local_day import LocalDays
from bridge.directory.status_store import put_statuses, put_timezone
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.homeserver.transport import Transport
from bridge.policy.schema import Policy
from bridge.policy.source import read_policy

if TYPE_CHECKING:
    from bridge.database import Pool

_REQUEST_SECONDS = 120
"""Longer than any single answer of Synapse's takes; a request without an answer ends."""
_MOST_CONNECTIONS = 100
_MOST_DATABASE_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class Storage:
    """The database, open."""

    pool: Pool
    url: str = field(repr=False)
    """It may hold a password."""
    embedded: EmbeddedPostgres | None
    """The server, when it is our own."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a command may use, opened and connected."""

    config: Config
    registration: Registration
    storage: Storage
    homeserver: Homeserver
    accounts: SynapseAccounts
    clock: Clock

    @property
    def pool(self) -> Pool:
        """The database's connections."""
        return self.storage.pool

    def local_days(self) -> LocalDays:
        """Return which day it is now, for whom."""
        return LocalDays(self.clock(), self.config.directory.timezone)

    def policy(self) -> Policy:
        """Read the policy file; raises `DocumentError` with all its problems."""
        return read_policy(self.config.policy, self.config.attributes)


@asynccontextmanager
async def open_services(config: Config) -> AsyncIterator[Services]:
    """Open database and homeserver client for the length of the block.

    The database is brought up to date; the homeserver is not asked anything yet.
    """
    registration = load_registration(config.appservice.registration)
    async with open_storage(config) as storage, open_homeserver(config, registration) as (rooms, accounts):
        await put_timezone(storage.pool, config.directory.timezone)
        await put_statuses(storage.pool, config.directory.statuses)
        yield Services(config, registration, storage, rooms, accounts, system_clock)


@asynccontextmanager
async def open_storage(config: Config, *, to_read: bool = False) -> AsyncIterator[Storage]:
    """Open the configured database; the embedded server is started when no other process runs it.

    The database is brought up to date; `to_read` takes it as it is, or not at all, and changes nothing in it.
    """
    async with AsyncExitStack() as stack:
        embedded, url = None, config.database
        if url is None:
            embedded = await stack.enter_async_context(EmbeddedPostgres(config.data / "postgres"))
            url = embedded.url
        opened = open_to_read(url) if to_read else open_database(url, max_connections=_MOST_DATABASE_CONNECTIONS)
        pool = await stack.enter_async_context(opened)
        yield Storage(pool, url, embedded)


@asynccontextmanager
async def open_homeserver(
    config: Config, registration: Registration
) -> AsyncIterator[tuple[Homeserver, SynapseAccounts]]:
    """Yield the homeserver's rooms and accounts, through one pool of connections."""
    connector = aiohttp.TCPConnector(limit=_MOST_CONNECTIONS)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
    ) as session:
        transport = Transport(session, config.homeserver.url, registration.as_token)
        server_name = config.homeserver.server_name
        homeserver = Homeserver(
            transport, bot=registration.bot(server_name), server_name=server_name, appservice_id=registration.id
        )
        yield homeserver, SynapseAccounts(transport)
