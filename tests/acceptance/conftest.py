"""Acceptance tests run against one real Synapse a session, on the session's PostgreSQL."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import asyncpg
import pytest

from bridge.database.embedded import EmbeddedPostgres
from bridge.demo.synapse import AccessToken, LocalSynapse
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration, document
from bridge.homeserver.transport import Transport
from tests.acceptance.client import MatrixClient
from tests.acceptance.company import Company, open_company

if TYPE_CHECKING:
    from bridge.database import Pool

SERVER_NAME = "company.example"


class Address(NamedTuple):
    """Where the application service listens."""

    host: str
    port: int


@pytest.fixture(autouse=True)
async def _checked_for_leaks(no_leaked_tasks: None) -> None:
    """Check every test of this folder."""


@pytest.fixture(scope="session")
def appservice_address() -> Iterator[Address]:
    """The address in the registration, kept for the session: one test's Muster after the other may listen there.

    The port is bound and not listened on; Linux lets another socket that has SO_REUSEADDR too, which asyncio sets,
    bind and listen there, and gives the port to nobody who asks for a free one.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield Address(*holder.getsockname())


@pytest.fixture(scope="session")
def registration() -> Registration:
    """The application service's identity and tokens."""
    return Registration(id="muster", as_token="as-token", hs_token="hs-token", sender_localpart="muster")


@pytest.fixture(scope="session")
async def synapse(
    postgres: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
    registration: Registration,
    appservice_address: Address,
) -> AsyncIterator[LocalSynapse]:
    """One Synapse for the session, with the application service registered."""
    await postgres.create_database("synapse")
    async with LocalSynapse(
        tmp_path_factory.mktemp("synapse"),
        server_name=SERVER_NAME,
        database_url=postgres.url_for("synapse"),
        registration=document(
            registration,
            url=f"http://{appservice_address.host}:{appservice_address.port}",
            server_name=SERVER_NAME,
        ),
    ) as server:
        yield server


@pytest.fixture
async def synapse_tables(postgres: EmbeddedPostgres, synapse: LocalSynapse) -> AsyncIterator[asyncpg.Connection]:
    """Synapse's own tables."""
    connection = await asyncpg.connect(postgres.url_for("synapse"))
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def synapse_admin(synapse: LocalSynapse) -> AccessToken:
    """The access token of a server administrator, `@admin`."""
    return await synapse.register_admin("admin", "admin-password")


@pytest.fixture
async def homeserver(
    synapse: LocalSynapse, synapse_admin: AccessToken, registration: Registration, http: aiohttp.ClientSession
) -> Homeserver:
    """The homeserver as the bot, which is its administrator, as the README asks."""
    bot = registration.bot(SERVER_NAME)
    transport = Transport(http, synapse.url, registration.as_token)
    homeserver = Homeserver(transport, bot=bot, server_name=SERVER_NAME, appservice_id=registration.id)
    await homeserver.register_bot()
    admin = await MatrixClient.of_token(http, synapse.url, synapse_admin)
    await admin.request("PUT", f"/_synapse/admin/v1/users/{bot}/admin", {"admin": True})
    return homeserver


@pytest.fixture
def accounts(synapse: LocalSynapse, registration: Registration, http: aiohttp.ClientSession) -> SynapseAccounts:
    """The homeserver's accounts."""
    return SynapseAccounts(Transport(http, synapse.url, registration.as_token))


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """HTTP for the clients of people."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="session")
def human(synapse: LocalSynapse, http: aiohttp.ClientSession) -> Callable[[str], Awaitable[MatrixClient]]:
    """A function that makes an ordinary account by localpart, unique in the session, and returns its client."""

    async def register(localpart: str) -> MatrixClient:
        token = await synapse.register_user(localpart, password=f"{localpart}-password")
        return await MatrixClient.of_token(http, synapse.url, token)

    return register


@pytest.fixture
async def company(
    tmp_path: Path,
    synapse: LocalSynapse,
    http: aiohttp.ClientSession,
    pool: Pool,
    database_url: str,
    homeserver: Homeserver,
    accounts: SynapseAccounts,
    registration: Registration,
    appservice_address: Address,
) -> AsyncIterator[Company]:
    """A company without people, its service running; the bot is a server administrator, as the README asks."""
    async with open_company(
        tmp_path,
        address=appservice_address,
        synapse=synapse,
        http=http,
        pool=pool,
        database_url=database_url,
        homeserver=homeserver,
        accounts=accounts,
        registration=registration,
    ) as opened:
        yield opened
