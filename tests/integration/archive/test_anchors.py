"""Checkpoints given out of the house: to a room, a file, a time-stamping authority made with openssl."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from bridge.archive import proof_store
from bridge.archive.anchors import FileAnchor, RoomAnchor, TimestampAnchor, publish
from bridge.archive.checkpoint import split_notes
from bridge.archive.ingest import ingest
from bridge.archive.notary import LEAVES, Notary
from bridge.errors import HomeserverUnavailableError, MusterError
from bridge.ids import EventId, RoomId, UserId
from tests.integration.archive.test_cli import muster
from tests.integration.archive.test_proof import KEY, ORIGIN, signed
from tests.unit.archive.test_batch import an_event
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

HOUR = timedelta(hours=1)


class Room:
    """A room that takes what is said; the same transaction is the same event."""

    def __init__(self) -> None:
        self.said: dict[str, Mapping[str, object]] = {}
        self.is_away = False

    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId:
        if self.is_away:
            raise HomeserverUnavailableError("away")
        assert (room_id, event_type, as_user) == ("!audit", "m.room.message", None)
        self.said[transaction_id] = content
        return EventId(f"${transaction_id}")

    async def find(self) -> RoomId | None:
        return RoomId("!audit")

    @property
    def bodies(self) -> list[object]:
        return [content["body"] for content in self.said.values()]


async def test_room_gets_each_checkpoint_once(pool: Pool, owner: Pool) -> None:
    """Also when a crash comes before that is recorded, and only the newest of those that waited."""
    room = Room()
    anchors = [RoomAnchor(room, room.find)]
    await publish(pool, anchors)
    assert room.said == {}
    note = await signed(pool, 5)
    await publish(pool, anchors)
    await owner.execute("DELETE FROM checkpoint_anchor")
    await publish(pool, anchors)
    await publish(pool, anchors)
    assert room.bodies == [note]
    room.is_away = True
    await signed(pool, 6)
    with pytest.raises(HomeserverUnavailableError):
        await publish(pool, anchors)
    room.is_away = False
    newest = await signed(pool, 7)
    await publish(pool, anchors)
    assert room.bodies == [note, newest]


async def test_file_holds_one_checkpoint_after_another(pool: Pool, owner: Pool, tmp_path: Path) -> None:
    """Appended, each once, in the form that verifying reads, and after whatever stood there."""
    anchor = FileAnchor(tmp_path / "kept")
    notes = []
    for size in (5, 9, 12):
        notes.append(await signed(pool, size))
        await publish(pool, [anchor])
        await owner.execute("DELETE FROM checkpoint_anchor")
        await publish(pool, [anchor])
    assert split_notes((tmp_path / "kept").read_text()) == notes


async def test_one_anchor_does_not_hold_up_another(pool: Pool, tmp_path: Path) -> None:
    """What cannot be written is told, and the others have it."""
    room = Room()
    note = await signed(pool, 5)
    with pytest.raises(MusterError, match=r"Mend `archive\.anchors\.file`"):
        await publish(pool, [FileAnchor(tmp_path / "none" / "kept"), RoomAnchor(room, room.find)])
    assert room.bodies == [note]


async def test_a_room_that_is_not_there_is_waited_for(pool: Pool) -> None:
    """The administrators' room for instance is made by the first plan."""

    async def find() -> RoomId | None:
        return None

    await signed(pool, 5)
    with pytest.raises(MusterError, match="no room yet"):
        await publish(pool, [RoomAnchor(Room(), find)])


# When


async def is_due(pool: Pool) -> bool:
    """Return whether there is a reason to sign."""
    return await proof_store.is_checkpoint_due(pool, HOUR, LEAVES)


async def test_a_checkpoint_is_due_when_something_came_and_time_passed(pool: Pool, owner: Pool) -> None:
    """Not without anything new, not for the events by which checkpoints are anchored, at once after many events."""
    assert not await is_due(pool)
    await ingest(pool, [an_event("$1")])
    assert await is_due(pool)
    await signed(pool, 2)
    assert not await is_due(pool)
    await owner.execute("UPDATE ledger_checkpoint SET made_at = now() - interval '2 h'")
    assert not await is_due(pool)
    await proof_store.add_anchor(pool, 2, "room", "$anchor", None)
    await ingest(pool, [an_event("$anchor")])
    assert not await is_due(pool)
    await ingest(pool, [an_event("$3")])
    assert await is_due(pool)
    await owner.execute("UPDATE ledger_checkpoint SET made_at = now()")
    assert not await is_due(pool)
    assert await proof_store.is_checkpoint_due(pool, HOUR, 2)


async def test_the_service_signs_and_publishes(pool: Pool) -> None:
    """By itself, and goes on after it could not."""
    await ingest(pool, [an_event("$1")])
    room = Room()
    notary = Notary(pool, KEY, ORIGIN)
    task = asyncio.create_task(notary.run(HOUR, lambda: publish(pool, [RoomAnchor(room, room.find)])))
    try:
        await wait_until(lambda: bool(room.said))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# RFC 3161

_TSA = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(*words: str, **more: bytes) -> bytes:
    """Run openssl and return what it says."""
    return subprocess.run(["openssl", *words], check=True, capture_output=True, **more).stdout  # type: ignore[call-overload, no-any-return] # noqa: S603, S607


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate that may stamp, and return the folder of it."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(_TSA.format(folder=folder))
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(folder / "tsa.key"))
    usage = ("-addext", "extendedKeyUsage=critical,timeStamping", "-addext", "keyUsage=critical,digitalSignature")
    openssl("req", "-x509", *key, "-subj", "/CN=TSA", "-days", "30", *usage, "-out", str(folder / "tsa.pem"))
    return folder


@pytest.fixture
async def stamping(authority: Path) -> AsyncIterator[str]:
    """The address of a time-stamping authority."""

    async def answer(request: web.Request) -> web.Response:
        (authority / "query").write_bytes(await request.read())
        query = ("-queryfile", str(authority / "query"), "-config", str(authority / "tsa.cnf"))
        body = openssl("ts", "-reply", *query)
        if request.path == "/old":
            (authority / "old").touch()
            openssl("ts", "-query", "-data", str(authority / "old"), "-sha256", "-out", str(authority / "query"))
            body = openssl("ts", "-reply", *query)
        return web.Response(body=body, content_type="application/timestamp-reply")

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(body=b"no", content_type="text/plain")

    application = web.Application()
    application.router.add_post("/tsr", answer)
    application.router.add_post("/old", answer)
    application.router.add_post("/broken", refuse)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_time_stamp_is_accepted_by_openssl(
    pool: Pool, authority: Path, stamping: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The authority's answer over the checkpoint's text is kept, and an independent program verifies it."""
    pytest.importorskip("rfc3161_client")
    note = await signed(pool, 5)
    await publish(pool, [TimestampAnchor(f"{stamping}/tsr")])
    assert await muster(pool, "timestamp", str(tmp_path / "stamp.tsr")) == 0
    assert capsys.readouterr().out == note
    (tmp_path / "note").write_text(note)
    words = ["-data", str(tmp_path / "note"), "-in", str(tmp_path / "stamp.tsr"), "-CAfile", str(authority / "tsa.pem")]
    assert b"Verification: OK" in openssl("ts", "-verify", *words)
    (tmp_path / "note").write_text(note.replace("5", "6", 1))
    with pytest.raises(subprocess.CalledProcessError):
        openssl("ts", "-verify", *words)


@pytest.mark.parametrize(
    ("path", "said"),
    [("/old", "stamped something else"), ("/broken", "gave no time stamp"), ("/none", "answered 404")],
)
async def test_what_is_no_time_stamp_is_not_kept(pool: Pool, stamping: str, path: str, said: str) -> None:
    """An answer to another question, no answer at all, another page."""
    pytest.importorskip("rfc3161_client")
    await signed(pool, 5)
    with pytest.raises(MusterError, match=said):
        await publish(pool, [TimestampAnchor(f"{stamping}{path}")])
    assert await pool.fetchval("SELECT count(*) FROM checkpoint_anchor") == 0


async def test_an_authority_that_is_away_is_told(pool: Pool) -> None:
    """And tried again by the service."""
    pytest.importorskip("rfc3161_client")
    await signed(pool, 5)
    with pytest.raises(MusterError, match="does not answer"):
        await publish(pool, [TimestampAnchor("http://127.0.0.1:9/")])


async def test_without_a_stamp_there_is_none_to_write(pool: Pool, tmp_path: Path) -> None:
    """The message says what to set."""
    with pytest.raises(MusterError, match=r"archive\.anchors\.rfc3161"):
        await muster(pool, "timestamp", str(tmp_path / "x"))
