"""The service waits for what is away, says so once, and goes on where it was; nobody restarts it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.demo.synapse import LocalSynapse
from bridge.homeserver import registration as registration_file
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.process import Process, child, free_port
from tests.acceptance.company import Company, open_company
from tests.acceptance.conftest import SERVER_NAME, Address
from tests.acceptance.postgres import OwnPostgres
from tests.waiting import wait_until

SALES = {"square", "news", "department/Sales"}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
async def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnPostgres]:
    """A PostgreSQL for one test, which may do to it what it likes."""
    server = OwnPostgres(tmp_path_factory.mktemp("own"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def company(
    tmp_path: Path,
    own_postgres: OwnPostgres,
    synapse: LocalSynapse,
    http: aiohttp.ClientSession,
    homeserver: Homeserver,
    accounts: SynapseAccounts,
    registration: Registration,
    appservice_address: Address,
) -> AsyncIterator[Company]:
    """A company without people, whose service runs on a PostgreSQL of its own."""
    async with (
        open_database(own_postgres.url) as pool,
        open_company(
            tmp_path,
            address=appservice_address,
            synapse=synapse,
            http=http,
            pool=pool,
            database_url=own_postgres.url,
            homeserver=homeserver,
            accounts=accounts,
            registration=registration,
        ) as opened,
    ):
        yield opened


async def _answer(
    http: aiohttp.ClientSession, method: str, url: str, token: str, body: object = None
) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": f"Bearer {token}"}
    async with http.request(method, url, headers=headers, json=body) as response:
        return response.status, await response.json(content_type=None)


async def _status(http: aiohttp.ClientSession, url: str) -> int:
    try:
        async with http.get(f"{url}/healthz") as response:
            return response.status
    except aiohttp.ClientError:
        return 0


async def test_the_service_outlives_its_database(
    company: Company, own_postgres: OwnPostgres, registration: Registration, http: aiohttp.ClientSession
) -> None:
    """With PostgreSQL killed everybody is told to come again, in their protocol; once it is back the work goes on."""
    await company.hire("mari")
    await company.is_in("mari", SALES)
    await own_postgres.kill()
    transactions = f"{company.url}/_matrix/app/v1/transactions"
    event = {"event_id": "$e", "type": "m.room.message", "room_id": "!r", "sender": "@s:x", "content": {}}
    status, said = await _answer(
        http, "PUT", f"{transactions}/1", registration.hs_token, {"events": [{**event, "origin_server_ts": 1}]}
    )
    assert (status, said["errcode"]) == (503, "M_UNKNOWN")
    status, said = await _answer(http, "GET", f"{company.url}/scim/v2/Users", company.scim_token)
    assert (status, said["status"], said["schemas"]) == (503, "503", ["urn:ietf:params:scim:api:messages:2.0:Error"])
    assert await _status(http, company.url) == 503

    await own_postgres.start()
    await wait_until(lambda: _is_healthy(http, company.url))
    await company.hire("ants")
    await company.is_in("ants", SALES)
    await company.has_settled()
    await wait_until(lambda: _has_said(company.folder / "muster.log", "PostgreSQL is back"))
    assert company.log().count("PostgreSQL is away") == 1
    assert "Traceback" not in company.log()


async def _is_healthy(http: aiohttp.ClientSession, url: str) -> bool:
    return await _status(http, url) == 200


@asynccontextmanager
async def _service(folder: Path, homeserver: str) -> AsyncIterator[tuple[Process, str]]:
    """Run `muster init` and `muster run` in the folder, on an embedded database."""
    port = free_port()
    argv: list[str | Path] = [sys.executable, "-m", "bridge"]
    options = ["--server-name", SERVER_NAME, "--homeserver", homeserver, "--listen", f"127.0.0.1:{port}"]
    async with AsyncExitStack() as stack:
        if not (folder / "config.yaml").exists():
            writing = child([*argv, "init", *options, "--directory", folder], log_path=folder / "init.log")
            assert await (await stack.enter_async_context(writing)).wait() == 0
        running = child([*argv, "run", "-c", folder / "config.yaml"], log_path=folder / "muster.log")
        yield await stack.enter_async_context(running), f"http://127.0.0.1:{port}"


async def test_the_embedded_database_is_started_again(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """When the embedded PostgreSQL is killed the same Muster starts it again, and has lost nothing."""
    async with _service(tmp_path, NOWHERE) as (muster, url):
        await wait_until(lambda: _is_healthy(http, url))
        made = await _muster(tmp_path, "directory", "token", "create", "hr")
        token = json.loads(made)["token"]
        pid_file = tmp_path / "data" / "postgres" / "cluster" / "postmaster.pid"
        first = int(pid_file.read_text().split()[0])
        os.kill(first, signal.SIGKILL)

        async def is_another() -> bool:
            found = pid_file.read_text().split() if pid_file.exists() else []
            return bool(found) and int(found[0]) != first and await _is_healthy(http, url)

        await wait_until(is_another)
        assert muster.returncode is None
        assert (await _answer(http, "GET", f"{url}/scim/v2/Users", token))[0] == 200
        log = (tmp_path / "muster.log").read_text()
    assert log.count("The embedded PostgreSQL has ended") == 1
    assert "Traceback" not in log


async def test_whoever_uses_another_process_database_takes_it_over(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """A service that found the embedded PostgreSQL running goes on when the command that ran it ends."""
    async with AsyncExitStack() as stack:
        async with EmbeddedPostgres(tmp_path / "data" / "postgres"):
            muster, url = await stack.enter_async_context(_service(tmp_path, NOWHERE))
            await wait_until(lambda: _is_healthy(http, url))
        await wait_until(lambda: _has_said(tmp_path / "muster.log", "The embedded PostgreSQL has ended"))
        await wait_until(lambda: _is_healthy(http, url))
        assert muster.returncode is None


async def test_what_synapse_forgot_is_fetched_when_it_is_back(company: Company) -> None:
    """Events that Synapse had queued for a Muster that was slow, and lost when it was killed, are in the archive."""
    await company.hire("mari")
    await company.is_in("mari", SALES)
    mari, square = await company.client("mari"), (await company.managed())["square"]
    os.kill(company.pid, signal.SIGSTOP)
    said = [await mari.send(square, f"nobody heard {number}") for number in range(30)]
    await company.synapse.kill()
    os.kill(company.pid, signal.SIGCONT)
    await wait_until(lambda: _has_said(company.folder / "muster.log", "does not answer"))
    await company.synapse.start()

    async def is_archived() -> bool:
        found = await company.pool.fetchval("SELECT count(*) FROM event WHERE event_id = ANY($1)", said)
        return int(found) == len(said)

    await wait_until(is_archived)
    await company.hire("ants")
    await company.is_in("ants", SALES)
    await wait_until(lambda: _has_said(company.folder / "muster.log", "the homeserver is back"))
    told = _complaints(company.log())
    assert set(told.values()) == {1}, told


async def test_a_token_that_synapse_does_not_know_is_told(tmp_path: Path, synapse: LocalSynapse) -> None:
    """With a registration that Synapse has not loaded, the service says what to do, once, and waits."""
    async with _service(tmp_path, synapse.url) as (muster, _):
        await wait_until(lambda: _has_said(tmp_path / "muster.log", "app_service_config_files"))
        assert muster.returncode is None
    log = (tmp_path / "muster.log").read_text()
    assert log.count("app_service_config_files") == 1
    assert "M_UNKNOWN_TOKEN" in log


async def test_a_token_of_synapses_that_is_not_ours_is_told(
    tmp_path: Path, synapse: LocalSynapse, registration: Registration, appservice_address: Address
) -> None:
    """When Synapse comes with another hs_token than ours, the service says that it cannot be reached."""
    text = registration_file.text(registration, url=NOWHERE, server_name=SERVER_NAME)
    (tmp_path / "registration.yaml").write_text(text.replace(registration.hs_token, "another"))
    (tmp_path / "policy.yaml").write_text("version: 1\ncompany: Company\n")
    (tmp_path / "config.yaml").write_text(
        f"homeserver: {{url: '{synapse.url}', server_name: {SERVER_NAME}}}\n"
        f"appservice: {{listen: '{appservice_address.host}:{appservice_address.port}'}}\napply: manual\n"
    )
    async with _service(tmp_path, synapse.url) as (muster, _):
        await wait_until(lambda: _has_said(tmp_path / "muster.log", "cannot reach Muster"))
        assert muster.returncode is None
    assert "HTTP 403" in (tmp_path / "muster.log").read_text()


def _complaints(log: str) -> Counter[str]:
    """Return how often each part of Muster has said that the homeserver does not answer, whatever the reason: which of
    them wait for it depends on what they were doing."""
    lines = [line for line in log.splitlines() if "does not answer" in line]
    return Counter(re.sub(r"^\S+ \S+ \S+ |\(.*\)", "", line) for line in lines)


def _has_said(log_path: Path, words: str) -> bool:
    return log_path.exists() and words in log_path.read_text()


async def _muster(folder: Path, *arguments: str) -> str:
    """Run a command beside the service and return what it printed."""
    argv: list[str | Path] = [sys.executable, "-m", "bridge", *arguments, "--json", "-c", folder / "config.yaml"]
    async with child(argv, log_path=folder / "command.log") as command:
        assert await command.wait() == 0
    return (folder / "command.log").read_text()
