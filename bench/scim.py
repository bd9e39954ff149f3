"""SCIM over HTTP, every write durable, beside the reference command `scim2-server` with its store in memory.

`scim.single` is how many requests about one User a second are answered: POST, GET and PATCH in turn, over four
connections. `scim.page` is how many pages of 100 Users. Both servers are processes of their own that hold the same
people, and are asked in turns by the same client. `scim.create` is 10,000 Users created over eight connections, beside
the 25 requests a second that Entra ID needs. `scim.scale.*` are seconds until one answer with 100,000 people in the
store, beside the same with 1,000. Ours runs on the embedded PostgreSQL with fsync on:
`python -m bench.scim DATABASE_URL` serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from aiohttp import web

from bench.report import Figure
from bridge import event_loop
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.directory.history_store import lock_directory, next_version
from bridge.directory.resource_store import analyze, insert_resources
from bridge.directory.scim import scim_application
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE, USER
from bridge.directory.token_store import create_token
from bridge.process import free_port

_ROUNDS = 5
_SINGLE = 200
"""Users made, read and changed in one turn."""
_SINGLE_CLIENTS = 4
_PAGES = 5
_PAGE = 100
_PEOPLE = 10_000
_CREATE_CLIENTS = 8
_SMALL, _LARGE = 1_000, 100_000
_LOOKUPS = 200
_RATE = 1_000_000
_TOKEN = "reference"  # noqa: S105 - nobody's secret
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A SCIM endpoint that listens on loopback."""

    port: int
    prefix: str
    token: str


class Client:
    """One connection to an endpoint, made again when the server closes it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection = HTTPConnection("127.0.0.1", endpoint.port)
        self._headers = {"Authorization": f"Bearer {endpoint.token}", "Content-Type": "application/scim+json"}

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer's JSON, None for none; RuntimeError when it is an error."""
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, self._endpoint.prefix + path, data, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer!r}")
        return json.loads(answer) if answer else None

    def close(self) -> None:
        self._connection.close()


def make_user(name: str) -> dict[str, Any]:
    """Return a User as an identity provider sends it."""
    return {
        "schemas": [USER, ENTERPRISE],
        "userName": f"{name}@example.org",
        "externalId": name,
        "displayName": f"Kadri {name}",
        "name": {"givenName": "Kadri", "familyName": name},
        "title": "Driver",
        "active": True,
        "emails": [{"value": f"{name}@example.org", "type": "work", "primary": True}],
        ENTERPRISE: {"department": "Night Transport", "employeeNumber": name},
    }


async def serve(database_url: str) -> None:
    """Serve the database's directory until standard input ends; say the port and a token first."""
    async with open_database(database_url) as pool:
        application = web.Application()
        application.add_subapp("/scim/v2", scim_application(pool, secret="bench", rate=_RATE))  # noqa: S106
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps({"port": runner.addresses[0][1], "token": await create_token(pool, uuid4().hex)}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await runner.cleanup()


@contextmanager
def ours(database_url: str) -> Iterator[Endpoint]:
    """Run our endpoint as a process."""
    command = [sys.executable, "-m", "bench.scim", database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield Endpoint(said["port"], "/scim/v2", said["token"])
        finally:
            process.terminate()


@contextmanager
def reference() -> Iterator[Endpoint]:
    """Run the reference server as a process, with its store in memory."""
    port = free_port()
    program = Path(sys.executable).with_name("scim2-server")
    command: list[str | Path] = [program, "--port", str(port), "--bearer-token", _TOKEN]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            endpoint = Endpoint(port, "", _TOKEN)
            _await_answer(endpoint, process)
            yield endpoint
        finally:
            process.terminate()


def _await_answer(endpoint: Endpoint, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            Client(endpoint).ask("GET", "/ServiceProviderConfig")
        except ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("scim2-server ended before it answered")


def work_alone(endpoint: Endpoint, users: int) -> None:
    """Make, read and change Users over one connection."""
    client = Client(endpoint)
    for _ in range(users):
        made = client.ask("POST", "/Users", make_user(uuid4().hex))
        path = f"/Users/{made['id']}"
        client.ask("GET", path)
        operation = {"op": "replace", "path": "title", "value": "Dispatcher"}
        client.ask("PATCH", path, {"schemas": [_PATCH], "Operations": [operation]})
    client.close()


def create(endpoint: Endpoint, names: Sequence[str]) -> None:
    """Create Users over one connection."""
    client = Client(endpoint)
    for name in names:
        client.ask("POST", "/Users", make_user(name))
    client.close()


def together(work: Callable[[int], None], clients: int) -> float:
    """Return the seconds until every client has done its share."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for _ in pool.map(work, range(clients)):
            pass
    return time.perf_counter() - start


def in_turns(sides: Sequence[Callable[[], float]], rounds: int = _ROUNDS) -> list[float]:
    """Return the median of each side, measured in turns after one turn that does not count."""
    measured = [[side() for side in sides] for _ in range(rounds + 1)][1:]
    return [statistics.median(values) for values in zip(*measured, strict=True)]


@asynccontextmanager
async def _postgres() -> AsyncIterator[EmbeddedPostgres]:
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as postgres:
            yield postgres


async def _prepared(url: str, people: int) -> list[str]:
    """Put people into a database, and return their ids."""
    shape = shapes_for()["User"]
    ids = [str(uuid4()) for _ in range(people)]
    async with open_database(url) as pool, pool.acquire() as connection:
        for first in range(0, people, 5_000):
            async with connection.transaction():
                await lock_directory(connection)
                version = await next_version(connection)
                numbers = range(first, min(first + 5_000, people))
                rows = [resource_of(make_user(f"u{number}"), ids[number], shape) for number in numbers]
                await insert_resources(connection, rows, version)
        await analyze(connection)
    return ids


async def measure_single() -> Figure:
    """Requests about one User a second, against the reference."""

    def rate(endpoint: Endpoint) -> float:
        share = _SINGLE // _SINGLE_CLIENTS
        return 3 * _SINGLE / together(lambda _: work_alone(endpoint, share), _SINGLE_CLIENTS)

    async with _postgres() as postgres:
        await _prepared(postgres.url, _SMALL)
        with ours(postgres.url) as mine, reference() as theirs:
            await asyncio.to_thread(create, theirs, [f"u{number}" for number in range(_SMALL)])
            value, against = await asyncio.to_thread(in_turns, [partial(rate, mine), partial(rate, theirs)])
    return Figure("scim.single", value, "requests/s", "scim2-server", against)


async def measure_page() -> Figure:
    """Pages of 100 Users a second, against the reference."""

    def rate(endpoint: Endpoint) -> float:
        client = Client(endpoint)
        start = time.perf_counter()
        for _ in range(_PAGES):
            found = client.ask("GET", f"/Users?startIndex=1&count={_PAGE}")
            assert len(found["Resources"]) == _PAGE
        return _PAGES / (time.perf_counter() - start)

    names = [f"u{number}" for number in range(_PAGE)]
    async with _postgres() as postgres:
        await _prepared(postgres.url, 0)
        with ours(postgres.url) as mine, reference() as theirs:
            for endpoint in (mine, theirs):
                await asyncio.to_thread(create, endpoint, names)
            value, against = await asyncio.to_thread(in_turns, [partial(rate, mine), partial(rate, theirs)])
    return Figure("scim.page", value, "pages/s", "scim2-server", against)


async def measure_create() -> Figure:
    """Users created a second, when 10,000 come over eight connections."""
    names = [f"u{number}" for number in range(_PEOPLE)]
    async with _postgres() as postgres:
        await _prepared(postgres.url, 0)
        with ours(postgres.url) as endpoint:
            shares = [names[first::_CREATE_CLIENTS] for first in range(_CREATE_CLIENTS)]
            seconds = await asyncio.to_thread(
                together, lambda client: create(endpoint, shares[client]), _CREATE_CLIENTS
            )
    return Figure("scim.create", _PEOPLE / seconds, "requests/s", "entra.minimum", 25)


async def _measure_scale(name: str, path: Callable[[Sequence[str], int], str]) -> Figure:
    def seconds(endpoint: Endpoint, ids: Sequence[str]) -> float:
        client = Client(endpoint)
        taken = []
        for number in range(_LOOKUPS):
            wanted = path(ids, number * 7919 % len(ids))
            start = time.perf_counter()
            client.ask("GET", wanted)
            taken.append(time.perf_counter() - start)
        client.close()
        return statistics.median(taken)

    async with _postgres() as postgres:
        with ExitStack() as stack:
            sides = []
            for people in (_LARGE, _SMALL):
                await postgres.create_database(f"people_{people}")
                url = postgres.url_for(f"people_{people}")
                ids = await _prepared(url, people)
                sides.append(partial(seconds, stack.enter_context(ours(url)), ids))
            value, against = await asyncio.to_thread(in_turns, sides)
    return Figure(name, value, "s", "with 1,000 people", against)


FIGURES = {
    "scim.create": measure_create,
    "scim.page": measure_page,
    "scim.scale.filter": lambda: _measure_scale(
        "scim.scale.filter", lambda _, number: f"/Users?filter=userName%20eq%20%22u{number}%40example.org%22"
    ),
    "scim.scale.get": lambda: _measure_scale("scim.scale.get", lambda ids, number: f"/Users/{ids[number]}"),
    "scim.single": measure_single,
}

if __name__ == "__main__":
    event_loop.run(serve(sys.argv[1]))
