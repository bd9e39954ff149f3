"""What the homeserver asks of us, over HTTP; most of it needs no database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridge.archive.ingest import ingest
from bridge.errors import DatabaseUnavailableError
from bridge.homeserver.transactions import LARGEST_BODY, Ingest, routes
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

TOKEN = "hs-secret"
PATH = "/_matrix/app/v1/transactions/1"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
Client = TestClient[web.Request, web.Application]


class Keeper:
    """Takes transactions, or is away."""

    def __init__(self) -> None:
        self.taken: list[object] = []
        self.is_away = False

    async def __call__(self, events: Sequence[object]) -> int:
        """Keep the events."""
        if self.is_away:
            raise DatabaseUnavailableError
        self.taken += events
        return len(events)


@asynccontextmanager
async def serving(keeper: Ingest) -> AsyncIterator[Client]:
    """Serve the routes, with aiohttp's usual body limit of 1 MiB."""
    application = web.Application()
    application.add_routes(routes(keeper, TOKEN))
    async with TestClient(TestServer(application)) as client:
        yield client


async def errcode(response: Any) -> tuple[int, str]:
    """Return status and Matrix error code of an answer."""
    body = await response.json()
    assert isinstance(body["error"], str)
    return response.status, body["errcode"]


@pytest.mark.parametrize("path", [PATH, "/transactions/1"])
async def test_events_are_taken_before_the_answer(path: str) -> None:
    """A transaction on the path of today and of old is handed over whole, and answered with an empty object."""
    keeper = Keeper()
    async with serving(keeper) as client:
        response = await client.put(path, json={"events": [an_event(), 5], "ephemeral": [{}]}, headers=AUTHORIZED)
        assert (response.status, await response.json()) == (200, {})
    assert keeper.taken == [an_event(), 5]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", PATH),
        ("PUT", "/transactions/1"),
        ("POST", "/_matrix/app/v1/ping"),
        ("GET", "/_matrix/app/v1/users/%40a%3Ax"),
        ("GET", "/_matrix/app/v1/rooms/%23a%3Ax"),
    ],
)
async def test_who_does_not_know_the_token_is_refused(method: str, path: str) -> None:
    """Every route refuses a missing token with 401 and a wrong one with 403, in Matrix's shape, and takes nothing."""
    keeper = Keeper()
    body = {"events": [an_event()]}
    async with serving(keeper) as client:
        missing = await client.request(method, path, json=body)
        assert await errcode(missing) == (401, "M_MISSING_TOKEN")
        for wrong in ("wrong", TOKEN[:-1], TOKEN + "x", "\u00fc"):
            response = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {wrong}"})
            assert await errcode(response) == (403, "M_FORBIDDEN")
        response = await client.request(method, f"{path}?access_token=wrong", json=body)
        assert await errcode(response) == (403, "M_FORBIDDEN")
        both = await client.request(
            method, f"{path}?access_token={TOKEN}", json=body, headers={"Authorization": "Bearer wrong"}
        )
        assert await errcode(both) == (403, "M_FORBIDDEN")
    assert keeper.taken == []


async def test_token_of_old_in_the_query_is_accepted() -> None:
    """Homeservers before Matrix 1.4 put the token into the query."""
    keeper = Keeper()
    async with serving(keeper) as client:
        response = await client.put(f"{PATH}?access_token={TOKEN}", json={"events": []})
        assert response.status == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "M_NOT_JSON"),
        (b"{", "M_NOT_JSON"),
        (b"\xff\xfe", "M_NOT_JSON"),
        (b"[]", "M_BAD_JSON"),
        (b"null", "M_BAD_JSON"),
        (b"{}", "M_BAD_JSON"),
        (b'{"events": {}}', "M_BAD_JSON"),
    ],
)
async def test_what_is_no_transaction_is_refused(body: bytes, expected: str) -> None:
    """A body that holds no list of events is a 400 that says why."""
    async with serving(Keeper()) as client:
        assert await errcode(await client.put(PATH, data=body, headers=AUTHORIZED)) == (400, expected)


async def test_archive_away_is_503_once_logged(caplog: pytest.LogCaptureFixture) -> None:
    """While PostgreSQL is away Synapse is told to come again, the log says so once, and then it goes on."""
    keeper = Keeper()
    async with serving(keeper) as client:
        keeper.is_away = True
        for _ in range(3):
            response = await client.put(PATH, json={"events": [1]}, headers=AUTHORIZED)
            assert await errcode(response) == (503, "M_UNKNOWN")
        keeper.is_away = False
        assert (await client.put(PATH, json={"events": [1]}, headers=AUTHORIZED)).status == 200
    assert keeper.taken == [1]
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1


async def test_largest_transaction_is_taken_and_a_larger_one_refused() -> None:
    """Bodies far above aiohttp's limit arrive; beyond 64 MiB is a 413."""
    keeper = Keeper()
    event = an_event(content={"body": "x" * 60_000})
    async with serving(keeper) as client:
        response = await client.put(
            PATH, data=BytesIO(json.dumps({"events": [event] * 150}).encode()), headers=AUTHORIZED
        )
        assert response.status == 200
        response = await client.put(PATH, data=BytesIO(b" " * (LARGEST_BODY + 1)), headers=AUTHORIZED)
        assert await errcode(response) == (413, "M_TOO_LARGE")
    assert len(keeper.taken) == 150


async def test_questions_for_users_and_rooms_are_answered() -> None:
    """We make neither users nor rooms on demand, and a ping is answered."""
    async with serving(Keeper()) as client:
        for path in ("/_matrix/app/v1/users/%40a%3Ax", "/_matrix/app/v1/rooms/%23a%3Ax", "/users/x", "/rooms/x"):
            assert await errcode(await client.get(path, headers=AUTHORIZED)) == (404, "M_NOT_FOUND")
        response = await client.post("/_matrix/app/v1/ping", json={"transaction_id": "x"}, headers=AUTHORIZED)
        assert (response.status, await response.json()) == (200, {})


async def test_transaction_of_poison_is_answered_and_archived(pool: Pool) -> None:
    """Nesting deeper than Python reads, lone surrogates and huge numbers on the wire do not block the rest."""
    poison = [
        b'{"event_id":"$deep","type":"m.room.message","content":%s1%s}' % (b'{"a":' * 20_000, b"}" * 20_000),
        b'{"event_id":"$number","origin_server_ts":%s}' % (b"9" * 10_000),
        b'{"event_id":"$surrogate","sender":"\\ud800","content":{"\\udfff":"\\u0000"}}',
        b'"\\ud800"',
        b"1e999",
    ]
    body = b'{"events":[%s]}' % b",".join([*poison, json.dumps(an_event("$after")).encode()])
    async with serving(partial(ingest, pool)) as client:
        response = await client.put(PATH, data=body, headers=AUTHORIZED)
        assert response.status == 200
    rows = await pool.fetch("SELECT event_id FROM event ORDER BY seq")
    assert [row["event_id"] for row in rows] == ["$deep", "$number", "$surrogate", "$after"]
    assert await pool.fetchval("SELECT count(*) FROM set_aside") == 2


@pytest.mark.parametrize("key", ["ephemeral", "de.sorunome.msc2409.ephemeral"])
async def test_ephemeral_data_is_noted_after_the_events(key: str) -> None:
    """What passes is handed on once the events are kept; a body without any hands on nothing."""
    happened: list[object] = []

    async def keep(events: Sequence[object]) -> int:
        happened.append(("kept", *events))
        return len(events)

    async def note(ephemeral: Sequence[object]) -> None:
        happened.append(("noted", *ephemeral))

    application = web.Application()
    application.add_routes(routes(keep, TOKEN, note))
    async with TestClient(TestServer(application)) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for body in ({"events": ["a"], key: ["typing"]}, {"events": [], key: "odd"}):
            answer = await client.put("/_matrix/app/v1/transactions/1", json=body, headers=headers)
            assert answer.status == 200
    assert happened == [("kept", "a"), ("noted", "typing"), ("kept",)]
