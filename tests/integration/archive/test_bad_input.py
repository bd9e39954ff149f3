"""Whatever is sent to the running service is archived, or set aside with its reason, and never stops the line.

`muster run` as a process of its own takes transactions over HTTP, with all its readers of events; Synapse is away.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from bridge.archive import canonical
from bridge.archive.status import status
from bridge.archive.verify import verify
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.homeserver import wire
from bridge.process import child, free_port
from tests.unit.archive.test_batch import an_event
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

NOWHERE = "http://127.0.0.1:9"
TOKEN = "hs-token"


@dataclass(frozen=True)
class Service:
    """A running Muster, and its database."""

    url: str
    pool: Pool
    log: Path

    async def deliver(self, body: bytes, *, transaction: str = "", token: str = TOKEN) -> int:
        """Send a transaction, a new one unless it is named, and return the answer's status."""
        path = f"{self.url}/_matrix/app/v1/transactions/{transaction or secrets.token_hex(4)}"
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http, http.put(path, data=BytesIO(body), headers=headers) as response:
            return response.status

    async def line_goes_on(self, event_id: str) -> None:
        """Check that the event is archived, that every reader has handled everything, and that the ledger verifies."""
        assert await self.archived(event_id)

        async def everything_is_handled() -> bool:
            found = await status(self.pool)
            return len(found.behind) >= 5 and not any(found.behind.values())

        await wait_until(everything_is_handled)
        assert (await verify(self.pool)).ok
        assert await self.pool.fetch("SELECT consumer, error FROM set_aside WHERE consumer <> 'ingest'") == []
        assert "Traceback" not in self.log.read_text()

    async def archived(self, *event_ids: str) -> list[bytes]:
        """Return the archived events, in the order of the archive."""
        rows = await self.pool.fetch("SELECT body FROM event WHERE event_id = ANY($1) ORDER BY seq", event_ids)
        return [row["body"] for row in rows]


@pytest.fixture(scope="module")
async def service(
    postgres: EmbeddedPostgres, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """One service for all of these, since it has to survive them all."""
    folder, name, address = tmp_path_factory.mktemp("service"), "bad_input", f"127.0.0.1:{free_port()}"
    await postgres.create_database(name, template=template_database)
    files = {
        "registration.yaml": f"id: m\nurl: {NOWHERE}\nas_token: a\nhs_token: {TOKEN}\nsender_localpart: muster\n",
        "policy.yaml": "version: 1\ncompany: Company\n",
        "config.yaml": f"homeserver: {{url: '{NOWHERE}', server_name: example.org}}\n"
        f"appservice: {{listen: '{address}'}}\ndatabase: {postgres.url_for(name)}\n",
    }
    for file, text in files.items():
        (folder / file).write_text(text)
    argv = [sys.executable, "-m", "bridge", "run", "-c", str(folder / "config.yaml")]
    log = folder / "muster.log"
    async with open_database(postgres.url_for(name)) as pool, child(argv, log_path=log) as process:

        async def is_up() -> bool:
            assert process.returncode is None, log.read_text()
            return "listening on" in log.read_text()

        await wait_until(is_up)
        yield Service(f"http://{address}", pool, log)
    await postgres.drop_database(name)


def transaction(*entries: bytes) -> bytes:
    """Return a transaction's body of entries as they stand on the wire."""
    return b'{"events":[' + b",".join(entries) + b"]}"


def on_wire(event: object) -> bytes:
    """Return an entry as Synapse writes it."""
    return json.dumps(event).encode()


def unique() -> str:
    """Return a new event ID."""
    return f"${secrets.token_hex(8)}"


async def arrives(service: Service, *entries: bytes) -> None:
    """Send entries between two ordinary events, and check that both are archived and handled."""
    before, after = unique(), unique()
    body = transaction(on_wire(an_event(before)), *entries, on_wire(an_event(after)))
    assert await service.deliver(body) == 200
    assert await service.archived(before)
    await service.line_goes_on(after)


async def is_archived(service: Service, **fields: Any) -> None:
    """Send a message and a state event with these fields, and check that they are archived as they were sent."""
    state: Mapping[str, Any] = {"type": "m.room.member", "state_key": "@m.tamm:example.org"}
    events = [an_event(unique(), **fields), an_event(unique(), **{**state, **fields})]
    wired = [canonical.encode_value(event) for event in events]
    await arrives(service, *wired)
    assert await service.archived(*(event["event_id"] for event in events)) == wired


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b"5", "expected an object, got int"),
        (b"null", "expected an object, got NoneType"),
        (b'"\\ud800"', "expected an object, got str"),
        (b'[{"event_id":"$x"}]', "expected an object, got list"),
        (b'{"type":"m.room.message"}', "expected an event_id"),
        (b'{"event_id":"$a\\u0000"}', "expected an event_id"),
        (b'{"event_id":"muster:0000000000000-x","type":"muster.search"}', "an entry's"),
    ],
)
async def test_a_poison_event_is_set_aside_with_its_reason(service: Service, entry: bytes, reason: str) -> None:
    """What is no event is kept with its bytes and why, and what stands before and behind it is archived."""
    await arrives(service, entry)
    expected = canonical.encode_value(wire.decode(entry))
    kept = await service.pool.fetchval("SELECT error FROM set_aside WHERE body = $1", expected)
    assert reason in kept


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "m.room.member", "state_key": "@a:x", "content": {"membership": ["join"]}},
        {"type": "m.room.power_levels", "state_key": "", "content": {"users": 5, "events": "x"}},
        {"type": "m.room.redaction", "redacts": ["$x"], "content": []},
        {"type": "m.reaction", "content": {"m.relates_to": {"rel_type": {}, "event_id": 5, "key": None}}},
        {"type": 5, "room_id": {}, "sender": None, "origin_server_ts": "now", "state_key": 7},
        {"origin_server_ts": 10**400, "depth": 1.5},
    ],
)
async def test_an_event_of_wrong_types_is_archived(service: Service, fields: dict[str, Any]) -> None:
    """Events that no server ought to send, but one might, are archived as they are and harm no reader."""
    await is_archived(service, **fields)


async def test_an_event_of_60_kb_is_archived(service: Service) -> None:
    """The largest that the specification allows, a transaction of a hundred of them too."""
    await is_archived(service, content={"msgtype": "m.text", "body": "word " * 12_000})
    ids = [unique() for _ in range(100)]
    large = [on_wire(an_event(event_id, content={"body": "x" * 60_000})) for event_id in ids]
    assert await service.deliver(transaction(*large)) == 200
    assert len(await service.archived(*ids)) == 100
    await service.line_goes_on(ids[-1])


async def test_a_lone_surrogate_is_archived(service: Service) -> None:
    """Half of a character in a text, a name, an ID, as text that no UTF-8 can hold."""
    await is_archived(service, content={"msgtype": "m.text", "body": "half \ud83d", "\udfff": "\ud800"})
    await is_archived(service, sender="@\ud800:example.org", room_id="!\udfff")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
async def test_deep_nesting_is_archived(service: Service, opening: bytes, closing: bytes) -> None:
    """Nesting that Python's own reader refuses."""
    event_id, depth = unique(), 20_000
    nested = opening * depth + b"1" + closing * depth
    entry = b'{"content":{"body":%s},"event_id":"%s","type":"m.room.message"}' % (nested, event_id.encode())
    await arrives(service, entry)
    assert await service.archived(event_id) == [entry]


async def test_a_nul_in_text_is_archived(service: Service) -> None:
    """PostgreSQL's text cannot hold it; the archive does."""
    await is_archived(service, content={"msgtype": "m.text", "body": "a\0b", "\0": "\0"})
    await is_archived(service, sender="@a\0:example.org", room_id="!\0", content={"membership": "join\0"})


@pytest.mark.parametrize("content", [{}, {"msgtype": "m.text"}, {"body": None}, {"body": {"x": 1}}, None, "text", []])
async def test_an_event_without_a_body_is_archived(service: Service, content: Any) -> None:
    """A message that says nothing, or has no content at all, is an event like others."""
    await is_archived(service, content=content)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1]])
async def test_a_forged_transaction_is_refused(service: Service, token: str) -> None:
    """Who does not know the homeserver's token puts nothing into the archive."""
    event_id = unique()
    forged = await service.deliver(transaction(on_wire(an_event(event_id))), token=token)
    assert forged == (403 if token else 401)
    assert await service.archived(event_id) == []
    await arrives(service)


async def test_a_replayed_transaction_changes_nothing(service: Service) -> None:
    """The same transaction again, and its events under another ID, are answered and stored once."""
    ids = [unique(), unique()]
    entries = [on_wire(an_event(event_id)) for event_id in ids]
    for name in ("replayed", "replayed", ""):
        assert await service.deliver(transaction(*entries, b'"replayed"'), transaction=name) == 200
    assert len(await service.archived(*ids)) == 2
    assert await service.pool.fetchval("SELECT count(*) FROM set_aside WHERE body = $1", b'"replayed"') == 1
    other = unique()
    assert await service.deliver(transaction(on_wire(an_event(other))), transaction="replayed") == 200
    await service.line_goes_on(other)


async def test_an_event_under_a_known_id_changes_nothing(service: Service) -> None:
    """Another event under the ID of an archived one does not take its place."""
    first = an_event(unique(), content={"body": "as it was said"})
    assert await service.deliver(transaction(on_wire(first))) == 200
    assert await service.deliver(transaction(on_wire({**first, "content": {"body": "forged"}}))) == 200
    assert await service.archived(first["event_id"]) == [canonical.encode(first)]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"events":{}}', b"\xff"])
async def test_what_is_no_transaction_is_refused(service: Service, body: bytes) -> None:
    """A body that is not a transaction is a 400, and the next one is taken."""
    assert await service.deliver(body) == 400
    await arrives(service)
