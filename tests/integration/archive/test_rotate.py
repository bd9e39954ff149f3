"""Replacing the archive's key, on a real PostgreSQL, and what the program that checks proofs makes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.archive import proof_store, signing
from bridge.archive.bundle import bundle_as_text
from bridge.archive.checkpoint import Checkpoint, is_signed_by, sign_checkpoint
from bridge.archive.entry import Actor
from bridge.archive.ingest import ingest
from bridge.archive.inspection import Problem
from bridge.archive.log import entries
from bridge.archive.notary import Notary
from bridge.archive.prove import prove
from bridge.archive.rotate import Rotated, rotate
from bridge.archive.verify import signer_of, verify
from bridge.errors import RefusedError
from tests.integration.archive.test_cli import muster
from tests.integration.archive.test_proof import ORIGIN, add, check, verifier
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

__all__ = ["verifier"]

NOW = datetime(2027, 3, 1, tzinfo=UTC)
ACTOR = Actor("k.saar", "root")
FIRST, SECOND, THIRD = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
PEM = signing.public_pem(FIRST.public_key())


async def replaced(pool: Pool, old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> Rotated:
    """Let one key follow on another."""
    return await rotate(pool, ORIGIN, old, new, ACTOR, NOW)


def data_folder(folder: Path) -> Path:
    """Return where the key is that commands made."""
    return next(folder.rglob("archive-key.pem")).parent


async def bundle_of(pool: Pool, event_id: str, key: Ed25519PrivateKey, older: str = "") -> str:
    """Return the proof of an event, by whoever holds the key."""
    notary = Notary(pool, key, ORIGIN)
    note = await notary.covering(event_id)
    return bundle_as_text(await prove(pool, event_id, notary.signer, note, older))


async def test_both_keys_sign_where_they_meet(pool: Pool) -> None:
    """The ledger has an entry that names the new key, and old and new have signed that ledger."""
    await add(pool, 1, 20)
    rotated = await replaced(pool, FIRST, SECOND)
    [entry] = await entries(pool, deed="rotate")
    assert (entry.seq, rotated.rotation.size) == (21, 21)
    assert entry.entry.details["public_key"] == signing.public_pem(SECOND.public_key())
    assert (entry.entry.details["lost"], entry.entry.actor) == (False, ACTOR)
    for note in (rotated.checkpoint, rotated.statement):
        assert [is_signed_by(note, ORIGIN, key.public_key()) for key in (FIRST, SECOND)] == [True, True]


async def test_an_archive_begins_with_a_rotation_as_well(pool: Pool) -> None:
    """Before anything is archived a key can be replaced too."""
    assert (await replaced(pool, FIRST, SECOND)).rotation.size == 1
    assert (await verify(pool, signer=await signer_of(pool, ORIGIN, FIRST.public_key()))).ok


async def test_checkpoints_of_every_key_are_verified(pool: Pool) -> None:
    """Whichever key of the chain is trusted, and from each checkpoint on."""
    await add(pool, 1, 20)
    await replaced(pool, FIRST, SECOND)
    await add(pool, 22, 30)
    await replaced(pool, SECOND, THIRD)
    await add(pool, 33, 40)
    await Notary(pool, THIRD, ORIGIN).make()
    for key in (FIRST, SECOND, THIRD):
        signer = await signer_of(pool, ORIGIN, key.public_key())
        whole = await verify(pool, signer=signer)
        assert (whole.ok, whole.checkpoints) == (True, 5)
        assert (await verify(pool, signer=signer, since=21)).ok


async def test_a_replaced_key_signs_no_more(pool: Pool, owner: Pool) -> None:
    """Not by itself, and what a thief puts into the table with it is named."""
    await add(pool, 1, 20)
    await replaced(pool, FIRST, SECOND)
    await add(pool, 22, 25)
    with pytest.raises(RefusedError, match="Another key"):
        await Notary(pool, FIRST, ORIGIN).make()
    await Notary(pool, SECOND, ORIGIN).make()
    [root] = [each.frontier for each in await proof_store.read_checkpoints(pool) if each.size == 25]
    forged = sign_checkpoint(Checkpoint(ORIGIN, 25, root[:32]), FIRST)
    await owner.execute("UPDATE ledger_checkpoint SET note = $1 WHERE size = 25", forged)
    verdict = await verify(pool, signer=await signer_of(pool, ORIGIN, SECOND.public_key()))
    assert (verdict.problem, verdict.first_bad) == (Problem.FORGED, 25)


async def test_removing_the_statement_is_told(pool: Pool, owner: Pool) -> None:
    """Then what the first key has signed is nobody's."""
    await add(pool, 1, 20)
    await replaced(pool, FIRST, SECOND)
    await owner.execute("DELETE FROM key_rotation")
    verdict = await verify(pool, signer=await signer_of(pool, ORIGIN, SECOND.public_key()))
    assert (verdict.problem, verdict.first_bad) == (Problem.FORGED, 20)
    await owner.execute("INSERT INTO key_rotation (size, note) VALUES (21, 'nothing')")
    with pytest.raises(RefusedError, match="keys was altered"):
        await signer_of(pool, ORIGIN, SECOND.public_key())


async def test_a_changed_history_is_not_handed_over(pool: Pool, owner: Pool) -> None:
    """The new key vouches for what the old one signed, so it must be that still."""
    await add(pool, 1, 20)
    await Notary(pool, FIRST, ORIGIN).make()
    await owner.execute("UPDATE event SET body = body || ' ' WHERE seq = 7")
    with pytest.raises(RefusedError, match="position 7"):
        await replaced(pool, FIRST, SECOND)
    assert await pool.fetchval("SELECT count(*) FROM key_rotation") == 0
    assert await entries(pool, deed="rotate") == []


async def test_the_auditors_first_key_is_enough(pool: Pool, verifier: list[str], tmp_path: Path) -> None:
    """The program follows the chain from it, and checkpoints that were kept from then on still count."""
    await add(pool, 1, 20)
    kept = (await Notary(pool, FIRST, ORIGIN).make()).note
    await replaced(pool, FIRST, SECOND)
    await add(pool, 22, 30)
    bundle = await bundle_of(pool, "$25", SECOND, kept)
    code, said = check(verifier, tmp_path, bundle, key=PEM, checkpoint=kept)
    assert code == 0, said
    assert "as the one after it, from event 21 on" in said
    assert "this is the archive of the kept checkpoint of 20 events" in said
    code, said = check(verifier, tmp_path, bundle, checkpoint=kept)
    assert (code, "as the one before it, up to event 21" in said) == (0, True)
    fields = json.loads(bundle)
    without = json.dumps({name: value for name, value in fields.items() if name != "rotations"})
    code, said = check(verifier, tmp_path, without, key=PEM)
    assert (code, "not signed with this key" in said) == (1, True)


async def test_a_thief_with_the_old_key_proves_nothing(pool: Pool, verifier: list[str], tmp_path: Path) -> None:
    """A checkpoint from after its end is refused, and a changed or broken statement leads nowhere."""
    await add(pool, 1, 20)
    await replaced(pool, FIRST, SECOND)
    await add(pool, 22, 30)
    bundle = await bundle_of(pool, "$25", SECOND)
    fields = json.loads(bundle)
    root = (await signer_of(pool, ORIGIN, SECOND.public_key())).check(fields["checkpoint"])
    stolen = {**fields, "checkpoint": sign_checkpoint(root, FIRST)}
    code, said = check(verifier, tmp_path, json.dumps(stolen), key=PEM)
    assert (code, "replaced, or stolen" in said) == (1, True)
    note = fields["rotations"][0]
    for rotations in ([note.replace("\n21\n", "\n22\n")], ["none"], [7], "none"):
        code, said = check(verifier, tmp_path, json.dumps({**fields, "rotations": rotations}), key=PEM)
        assert (code, said.startswith("NOT PROVEN: ")) == (1, True), said


# The command


async def test_command_puts_the_new_key_in_its_place(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old public half stays under its name, so that reports still check; the next proof is by the new key."""
    await add(pool, 1, 20)
    assert await muster(pool, "checkpoint", folder=tmp_path) == 0
    data = data_folder(tmp_path)
    old = signing.open_public_key(data)
    assert await muster(pool, "rotate-key", folder=tmp_path, as_json=True) == 0
    capsys.readouterr()
    new = signing.open_public_key(data)
    assert signing.key_id(signing.open_key(data).public_key()) == signing.key_id(new) != signing.key_id(old)
    assert signing.key_id(signing.open_public_key(data, signing.key_id(old))) == signing.key_id(old)
    assert sorted(path.name for path in data.glob("archive-key*")) == [
        f"archive-key.{signing.key_id(old)}.pub.pem",
        "archive-key.pem",
        "archive-key.pub.pem",
    ]
    assert (data / "archive-key.pem").stat().st_mode & 0o777 == 0o600
    await add(pool, 22, 25)
    assert await muster(pool, "checkpoint", folder=tmp_path) == 0
    assert await muster(pool, "verify", folder=tmp_path) == 0
    assert "signed checkpoints that agree: 3" in capsys.readouterr().out


async def test_crash_before_the_file_is_in_its_place(pool: Pool, tmp_path: Path) -> None:
    """Whoever signs next puts it there; the command again only finishes what it began."""
    await add(pool, 1, 20)
    old, new = signing.open_key(tmp_path), signing.open_next_key(tmp_path)
    made = await replaced(pool, old, new)
    assert await replaced(pool, old, new) == made
    await add(pool, 22, 25)
    notary = Notary(pool, signing.open_key(tmp_path), ORIGIN, lambda key: signing.open_key_of(tmp_path, key))
    await notary.make()
    assert signing.key_id(signing.open_key(tmp_path).public_key()) == signing.key_id(new.public_key())
    assert not (tmp_path / "archive-key.next.pem").exists()
    assert (await verify(pool, signer=notary.signer)).ok


async def test_a_running_service_takes_up_the_new_key(pool: Pool, tmp_path: Path) -> None:
    """It holds the old one and is not restarted."""
    await add(pool, 1, 20)
    old = signing.open_key(tmp_path)
    notary = Notary(pool, old, ORIGIN, lambda key: signing.open_key_of(tmp_path, key))
    await notary.make()
    new = signing.open_next_key(tmp_path)
    await replaced(pool, old, new)
    signing.open_key_of(tmp_path, new.public_key())
    await add(pool, 22, 25)
    note = (await notary.make()).note
    assert is_signed_by(note, ORIGIN, new.public_key())


async def test_a_lost_key(pool: Pool, tmp_path: Path, verifier: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Muster goes on with a new key that vouches for the old checkpoints; the old public key does not lead to it."""
    await add(pool, 1, 19)
    await ingest(pool, [an_event("$n", type="m.room.name", state_key="", content={"name": "Hall"}, origin_server_ts=1)])
    assert await muster(pool, "checkpoint", folder=tmp_path) == 0
    capsys.readouterr()
    data = data_folder(tmp_path)
    auditors = tmp_path / "auditors.pem"
    auditors.write_text((data / "archive-key.pub.pem").read_text())
    (data / "archive-key.pem").unlink()
    await add(pool, 21, 22)
    with pytest.raises(RefusedError, match="not signed with this key"):
        await muster(pool, "checkpoint", folder=tmp_path)
    assert await muster(pool, "rotate-key", "--lost", str(auditors), folder=tmp_path) == 0
    assert "in person" in capsys.readouterr().out
    assert await muster(pool, "verify", folder=tmp_path) == 0
    assert await muster(pool, "prove", "$5", "-o", str(tmp_path / "proof"), folder=tmp_path) == 0
    bundle = (tmp_path / "proof").read_text()
    code, said = check(verifier, tmp_path, bundle, key=auditors.read_text())
    assert (code, "not signed with this key" in said) == (1, True)
    code, said = check(verifier, tmp_path, bundle, key=(data / "archive-key.pub.pem").read_text())
    assert (code, "as the one before it" in said) == (0, True), said
