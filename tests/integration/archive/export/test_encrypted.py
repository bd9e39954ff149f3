"""Exports of encrypted rooms: what the archive has read stands there as it was meant."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from bridge.archive import canonical, signing, store
from bridge.archive.checkpoint import origin_of
from bridge.archive.crypto_store import put_plaintext
from bridge.archive.entry import Actor
from bridge.archive.export import ordering
from bridge.archive.export.order import Format
from bridge.archive.export.run import Report, carry_out
from bridge.archive.export.values import Filed
from bridge.archive.export.verification import verify_export
from bridge.archive.ingest import ingest
from bridge.archive.notary import Notary
from bridge.archive.scope import Scope
from bridge.homeserver import wire
from bridge.membership.acquaintance import Acquaintance
from tests.gate import everything
from tests.integration.archive.export.test_export import Shelf, records_of
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

PLAN = b"%PDF the plan of the merger"
KEY, COUNTER = bytes(range(32)), bytes(8) + b"\xff" * 8
_SEALER = Cipher(AES(KEY), CTR(COUNTER)).encryptor()
SEALED = _SEALER.update(PLAN)
AGAINST = sha256(SEALED).digest()


def text(content: bytes) -> str:
    """Return base64 as clients write it."""
    return base64.b64encode(content).decode().rstrip("=")


def file_of(digest: bytes = AGAINST) -> dict[str, Any]:
    """Return what a message says of an encrypted file."""
    key = {"alg": "A256CTR", "kty": "oct", "k": base64.urlsafe_b64encode(KEY).decode().rstrip("="), "ext": True}
    return {"v": "v2", "url": "mxc://x/plan", "key": key, "iv": text(COUNTER), "hashes": {"sha256": text(digest)}}


def sealed(event_id: str, at: int, **content: Any) -> dict[str, Any]:
    """Return an event as the homeserver delivers it."""
    content = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": f"AwgA{event_id}"} | content
    return an_event(event_id, type="m.room.encrypted", content=content, origin_server_ts=1_700_000_000_000 + at)


async def read(pool: Pool, event: dict[str, Any], seq: int, content: dict[str, Any]) -> None:
    """Note what an event says, as the archive's device does."""
    body = canonical.encode_value({**event, "type": "m.room.message", "content": content})
    async with store.transaction(pool) as connection:
        assert await put_plaintext(connection, seq, body, "curve", "session", seq, "verified")


async def exported(pool: Pool, tmp_path: Path, form: Format, shelf: Shelf | None = None) -> tuple[Path, Report]:
    """Export everything, a moment after it was read."""
    folder, key = tmp_path / "export", signing.open_key(tmp_path)
    at = datetime.now(UTC) + timedelta(seconds=5)
    notary = Notary(pool, key, origin_of("x"))
    journal = await ordering.order(pool, notary, folder, ordering.Wish(form, Scope()), Actor("k", "k"), at)
    return folder, await carry_out(pool, journal, folder, key, Acquaintance(pool, "UTC"), everything, shelf)


@pytest.fixture(autouse=True)
async def _filled(pool: Pool) -> None:
    relation = {"rel_type": "m.replace", "event_id": "$said"}
    said, edit = sealed("$said", 1), sealed("$edit", 2, **{"m.relates_to": relation})
    plan = sealed("$plan", 4)
    await ingest(pool, [said, edit, sealed("$unread", 3), plan])
    await read(pool, said, 1, {"msgtype": "m.text", "body": "the merger is Walnut"})
    new = {"body": "the merger is Hazel"}
    await read(pool, edit, 2, {"body": "* Hazel", "m.new_content": new, "m.relates_to": relation})
    await read(pool, plan, 4, {"msgtype": "m.file", "body": "plan.pdf", "file": file_of()})


@pytest.mark.parametrize("form", list(Format))
async def test_what_was_read_stands_as_it_was_meant(pool: Pool, tmp_path: Path, form: Format) -> None:
    """In every form; the record keeps what was archived, which gives its leaf; what was not read stays as it came."""
    folder, _ = await exported(pool, tmp_path, form)
    records = {record["event_id"]: record for record in records_of(folder)}
    assert records["$said"]["said"]["content"]["body"] == "the merger is Walnut"
    assert records["$said"]["type"] == records["$said"]["event"]["type"] == "m.room.encrypted"
    assert (records["$edit"]["replaces"], records["$unread"]["said"]) == ("$said", None)
    manifest = wire.decode((folder / "manifest.json").read_bytes())
    assert manifest["encrypted_events"] == {"read": 3, "unread": 1}
    assert verify_export(folder).ok
    others = [path for path in folder.rglob("*") if path.is_file() and "records" not in path.parts]
    if form not in (Format.JSONL, Format.RSMF, Format.EML):  # the last two are compressed and in base64
        assert any(b"Hazel" in path.read_bytes() for path in others)


async def test_records_are_as_the_schema_says(pool: Pool, tmp_path: Path) -> None:
    """Those with what they said, too."""
    jsonschema = pytest.importorskip("jsonschema")
    folder, _ = await exported(pool, tmp_path, Format.JSONL)
    schema = wire.decode((folder / "schema.json").read_bytes())
    for record in records_of(folder):
        jsonschema.validate(record, schema)


async def test_files_are_opened_with_the_key_that_the_message_brings(pool: Pool, tmp_path: Path) -> None:
    """Called by the hash of what is inside."""
    shelf = Shelf({AGAINST: SEALED}, {(4, "mxc://x/plan"): Filed(AGAINST)})
    folder, report = await exported(pool, tmp_path, Format.HTML, shelf)
    assert not report.missing
    assert (folder / "media" / sha256(PLAN).hexdigest()).read_bytes() == PLAN
    assert verify_export(folder).ok


async def test_a_file_that_its_key_does_not_open_is_missing(pool: Pool, tmp_path: Path) -> None:
    """When it is another than the message says; the manifest says why."""
    other = sha256(b"other").digest()
    shelf = Shelf({other: b"other"}, {(4, "mxc://x/plan"): Filed(other)})
    folder, report = await exported(pool, tmp_path, Format.HTML, shelf)
    (missing,) = report.missing
    assert missing.problem == "it is encrypted, and the message brings no key that opens it"
    assert not (folder / "media").exists()


async def test_what_is_read_after_the_order_does_not_count(pool: Pool, tmp_path: Path) -> None:
    """An export is of one moment, so that going on gives the same."""
    await pool.execute("UPDATE plaintext SET decrypted_at = now() + interval '1 day' WHERE seq = 1")
    folder, _ = await exported(pool, tmp_path, Format.JSONL)
    assert [record["said"] is None for record in records_of(folder)] == [True, False, True, False]
