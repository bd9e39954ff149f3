"""Checkpoints, proofs and the program that checks them, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cryptography
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.archive import signing
from bridge.archive.bundle import bundle_as_text
from bridge.archive.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from bridge.archive.ingest import ingest
from bridge.archive.inspection import Problem
from bridge.archive.ledger import BLOCK
from bridge.archive.notary import Notary
from bridge.archive.prove import prove
from bridge.archive.verify import Signer, verify
from bridge.errors import InputError, RefusedError, UnknownNameError
from tests.integration.archive.test_cli import muster
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

ORIGIN = "x/muster"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(ORIGIN, KEY.public_key())
FORGE = "UPDATE event SET body = '{}', leaf = sha256('\\x00'::bytea || salt || '{}') WHERE seq = %d"
REWIND = "UPDATE ledger_head SET size = 24, frontier = substr(frontier, 1, 64); DELETE FROM event WHERE seq > 24"


async def add(pool: Pool, first: int, last: int) -> None:
    """Archive the events of these numbers, which are their positions."""
    await ingest(pool, [an_event(f"${number}") for number in range(first, last + 1)])


async def signed(pool: Pool, size: int) -> str:
    """Grow the archive to that size and sign it."""
    have = await pool.fetchval("SELECT size FROM ledger_head")
    await add(pool, have + 1, size)
    return (await Notary(pool, KEY, ORIGIN).make()).note


async def bundle_of(pool: Pool, number: int, note: str, older: str = "") -> str:
    """Return the proof of an event."""
    return bundle_as_text(await prove(pool, f"${number}", SIGNER, note, older))


# Checkpoints


async def test_checkpoint_states_size_and_root(pool: Pool) -> None:
    """What is signed is what verifying computes; without anything new there is no other."""
    note = await signed(pool, 25)
    checkpoint = SIGNER.check(note)
    verdict = await verify(pool, signer=SIGNER)
    assert (checkpoint.size, checkpoint.root) == (25, verdict.root)
    assert (verdict.ok, verdict.checkpoints) == (True, 1)
    again = await Notary(pool, KEY, ORIGIN).make()
    assert (again.note, again.is_new) == (note, False)


async def test_empty_archive_is_not_signed(pool: Pool) -> None:
    """There is nothing to say of it."""
    with pytest.raises(InputError, match="Nothing is archived"):
        await Notary(pool, KEY, ORIGIN).make()


async def test_checkpoints_over_many_blocks_agree(pool: Pool) -> None:
    """At, before and behind the end of a block."""
    sizes = [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5, 3 * BLOCK + 6, 4 * BLOCK]
    for size in sizes:
        await signed(pool, size)
    assert await pool.fetchval("SELECT count(*) FROM ledger_block") == 4
    whole = await verify(pool, signer=SIGNER)
    assert (whole.ok, whole.checkpoints) == (True, len(sizes))
    for place, size in enumerate(sizes):
        part = await verify(pool, signer=SIGNER, since=size)
        assert (part.ok, part.root, part.checkpoints) == (True, whole.root, len(sizes) - place)


@pytest.mark.parametrize(
    "tampering",
    [
        FORGE % 7,
        FORGE % 7 + "; UPDATE ledger_head SET size = 25, frontier = '\\x' || substr(frontier, 1)",
        "UPDATE event SET body = body || ' ' WHERE seq = 24",
        "DELETE FROM event WHERE seq = 23",
        "UPDATE ledger_head SET frontier = sha256('') || substr(frontier, 33)",
        "UPDATE ledger_head SET frontier = ''",
        "UPDATE ledger_checkpoint SET frontier = sha256('') || substr(frontier, 33)",
        "UPDATE ledger_checkpoint SET note = replace(note, '20', '19')",
        "UPDATE ledger_head SET size = 16, frontier = substr(frontier, 1, 32); DELETE FROM event WHERE seq > 16",
    ],
)
async def test_changed_history_is_never_signed(pool: Pool, owner: Pool, tampering: str) -> None:
    """Neither what was signed before nor what came since may have changed; the administrators are told, once."""
    await signed(pool, 20)
    await add(pool, 21, 25)
    await owner.execute(tampering)
    for _ in range(2):
        with pytest.raises(RefusedError):
            await Notary(pool, KEY, ORIGIN).make()
    assert await pool.fetchval("SELECT count(*) FROM ledger_checkpoint") == 1
    assert await pool.fetchval("SELECT count(*) FROM notice WHERE topic = 'archive.checkpoint'") == 1


async def test_another_key_does_not_go_on(pool: Pool) -> None:
    """A key that was lost is not replaced in silence."""
    await signed(pool, 5)
    await add(pool, 6, 7)
    with pytest.raises(RefusedError, match=r"put back the archive-key\.pem"):
        await Notary(pool, Ed25519PrivateKey.generate(), ORIGIN).make()


async def test_two_processes_make_one_checkpoint(pool: Pool) -> None:
    """They take turns."""
    await add(pool, 1, 30)
    made = await asyncio.gather(*(Notary(pool, KEY, ORIGIN).make() for _ in range(3)))
    assert sorted(one.is_new for one in made) == [False, False, True]


# Verifying against checkpoints


@pytest.mark.parametrize(
    ("tampering", "problem", "first_bad"),
    [
        ("UPDATE event SET body = body || ' ' WHERE seq = 7", Problem.ALTERED, 7),
        ("UPDATE event SET leaf = sha256(body) WHERE seq = 25", Problem.ALTERED, 25),
        ("DELETE FROM event WHERE seq = 12", Problem.MISSING, 12),
        (
            "UPDATE event SET seq = -seq WHERE seq IN (5, 9);"
            "UPDATE event SET seq = CASE seq WHEN -5 THEN 9 ELSE 5 END WHERE seq < 0",
            Problem.REORDERED,
            5,
        ),
        (FORGE % 13, Problem.CONTRADICTED, 11),
        (FORGE % 3, Problem.CONTRADICTED, 1),
        (REWIND, Problem.MISSING, 25),
        ("UPDATE ledger_checkpoint SET note = replace(note, '20', '19') WHERE size = 20", Problem.FORGED, 20),
        ("UPDATE ledger_checkpoint SET size = 19 WHERE size = 20", Problem.FORGED, 19),
        ("UPDATE ledger_checkpoint SET frontier = '' WHERE size = 10", Problem.FORGED, 10),
    ],
)
async def test_tampering_is_named(pool: Pool, owner: Pool, tampering: str, problem: Problem, first_bad: int) -> None:
    """The first record that was altered, removed or moved; a rewritten one between the checkpoints around it."""
    for size in (10, 20, 25):
        await signed(pool, size)
    await owner.execute(tampering)
    verdict = await verify(pool, signer=SIGNER)
    assert (verdict.ok, verdict.problem, verdict.first_bad) == (False, problem, first_bad)
    if verdict.finding and problem not in (Problem.MISSING, Problem.FORGED):
        found = await pool.fetchrow("SELECT event_id, room_id FROM event WHERE seq = $1", first_bad)
        assert (verdict.finding.event_id, verdict.finding.room_id) == tuple(found or ())


async def test_rewriting_everything_is_told_by_what_is_kept_elsewhere(pool: Pool, owner: Pool) -> None:
    """Whoever owns the database can begin anew and delete the checkpoints; a copy of one outside tells."""
    kept = SIGNER.check(await signed(pool, 25))
    await owner.execute("DELETE FROM ledger_checkpoint; DELETE FROM ledger_block; DELETE FROM event")
    await owner.execute("UPDATE ledger_head SET size = 0, frontier = ''")
    await ingest(pool, [an_event(f"$forged{number}") for number in range(30)])
    assert (await verify(pool, signer=SIGNER)).ok
    verdict = await verify(pool, signer=SIGNER, kept=[kept])
    assert (verdict.problem, verdict.first_bad) == (Problem.CONTRADICTED, 1)
    assert verdict.finding is not None
    assert verdict.finding.checkpoint == 25


async def test_truncated_tail_is_told_by_what_is_kept_elsewhere(pool: Pool, owner: Pool) -> None:
    """Also when the checkpoints of the tail are gone with it."""
    kept = SIGNER.check(await signed(pool, 25))
    await owner.execute("DELETE FROM ledger_checkpoint")
    await owner.execute(REWIND)
    assert (await verify(pool, signer=SIGNER)).ok
    verdict = await verify(pool, signer=SIGNER, kept=[kept])
    assert (verdict.problem, verdict.first_bad) == (Problem.MISSING, 25)


async def test_verifying_since_believes_what_was_signed(pool: Pool, owner: Pool) -> None:
    """Whole blocks below the checkpoint are not read; what came since is."""
    await signed(pool, BLOCK + 3)
    await add(pool, BLOCK + 4, BLOCK + 9)
    await owner.execute("UPDATE event SET body = '' WHERE seq = 5")
    assert (await verify(pool, signer=SIGNER, since=BLOCK + 3)).ok
    await owner.execute("UPDATE event SET body = '' WHERE seq = $1", BLOCK + 5)
    assert (await verify(pool, signer=SIGNER, since=BLOCK + 3)).first_bad == BLOCK + 5
    with pytest.raises(UnknownNameError, match=f"no checkpoint of 7 events.*There are: {BLOCK + 3}"):
        await verify(pool, signer=SIGNER, since=7)
    with pytest.raises(InputError, match="Verify without --since"):
        await verify(pool, signer=SIGNER, since=BLOCK + 3, kept=[Checkpoint(ORIGIN, 4, bytes(32))])


# Proofs


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the command that checks proofs: a bare Python, and a folder with cryptography and what that needs."""
    folder = tmp_path_factory.mktemp("verifier")
    program = subprocess.run(
        [sys.executable, "-c", "from bridge.cli import execute; raise SystemExit(execute(['archive', 'verifier']))"],
        check=True,
        capture_output=True,
    ).stdout
    (folder / "verify.py").write_bytes(program)
    packages = Path(cryptography.__file__).parents[1]
    (folder / "packages").mkdir()
    for name in ("cryptography", "_cffi_backend*", "cffi"):
        for found in packages.glob(name):
            (folder / "packages" / found.name).symlink_to(found)
    start = (
        "import runpy, sys; sys.path.append(sys.argv[1]); del sys.argv[:2]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return [sys.executable, "-I", "-S", "-c", start, str(folder / "packages"), str(folder / "verify.py")]


def check(verifier: list[str], folder: Path, bundle: str, **kept: str) -> tuple[int, str]:
    """Return what the program says of a bundle, beside the files that are given."""
    (folder / "bundle.json").write_text(bundle)
    words = [str(folder / "bundle.json")]
    for name, text in kept.items():
        (folder / name).write_text(text)
        words += [f"--{name}", str(folder / name)]
    done = subprocess.run([*verifier, *words], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stderr == ""
    return done.returncode, done.stdout


async def test_proof_is_accepted_without_muster(pool: Pool, verifier: list[str], tmp_path: Path) -> None:
    """A bare Python with cryptography says what is proven, for the first event, the last and one in between."""
    note = await signed(pool, 2 * BLOCK + 30)
    pem = signing.public_pem(KEY.public_key())
    for number in (1, BLOCK, BLOCK + 1, 2 * BLOCK + 30):
        code, said = check(verifier, tmp_path, await bundle_of(pool, number, note), key=pem, checkpoint=note)
        assert code == 0, said
        assert f"stands at position {number} of {2 * BLOCK + 30} in the archive x/muster" in said
        assert "exactly the bytes that were archived" in said
        assert "a kept checkpoint says the same" in said
        assert "NOTE" not in said
    assert "NOTE: the key came with the bundle" in check(verifier, tmp_path, await bundle_of(pool, 1, note))[1]


async def test_proof_speaks_of_an_older_checkpoint(pool: Pool, verifier: list[str], tmp_path: Path) -> None:
    """The bundle proves that the ledger is the one of a checkpoint that was kept, and whether the event was in it."""
    old = await signed(pool, 20)
    note = await signed(pool, BLOCK + 7)
    bundle = await bundle_of(pool, 3, note, old)
    code, said = check(verifier, tmp_path, bundle, checkpoint=old)
    assert (code, "at the same position when the kept checkpoint of 20 events" in said) == (0, True)
    code, said = check(verifier, tmp_path, await bundle_of(pool, 30, note, old), checkpoint=old)
    assert (code, "the event came later" in said) == (0, True)
    code, said = check(verifier, tmp_path, await bundle_of(pool, 3, note), checkpoint=old)
    assert (code, "Have it made with --checkpoint FILE" in said) == (1, True)
    forked = sign_checkpoint(Checkpoint(ORIGIN, 20, bytes(32)), KEY)
    with pytest.raises(RefusedError, match="it was rewritten"):
        await bundle_of(pool, 3, note, forked)
    with pytest.raises(RefusedError, match="events are missing"):
        await bundle_of(pool, 3, note, sign_checkpoint(Checkpoint(ORIGIN, 9999, bytes(32)), KEY))
    code, said = check(verifier, tmp_path, bundle, checkpoint=forked)
    assert (code, "not among the kept" in said) == (1, True)


def altered(text: str, **changes: Any) -> str:
    """Return the bundle with other fields."""
    return json.dumps({**json.loads(text), **changes})


async def test_altered_proof_is_refused(pool: Pool, verifier: list[str], tmp_path: Path) -> None:
    """Whatever is changed, the program says why nothing is proven, and ends with 1."""
    note = await signed(pool, 25)
    good = await bundle_of(pool, 7, note)
    fields = json.loads(good)
    body = base64.b64decode(fields["event"])
    other = Ed25519PrivateKey.generate()
    bad = [
        altered(good, event=base64.b64encode(body.replace(b"$7", b"$8")).decode()),
        altered(good, event_id="$8"),
        altered(good, salt="AAAA"),
        altered(good, leaf_index=7),
        altered(good, leaf_index="6"),
        altered(good, inclusion=fields["inclusion"][:-1]),
        altered(good, inclusion=[*fields["inclusion"], fields["leaf"]]),
        altered(good, inclusion=["AA=="]),
        altered(good, checkpoint=note.replace("\n25\n", "\n26\n")),
        altered(good, checkpoint=sign_checkpoint(read_checkpoint(note), other)),
        altered(good, public_key=signing.public_pem(other.public_key())),
        altered(good, public_key="none"),
        altered(good, leaf="AA==", event=None),
        altered(good, format="muster-proof-2"),
        "{",
        "[]",
    ]
    for bundle in bad:
        code, said = check(verifier, tmp_path, bundle)
        assert (code, said.startswith("NOT PROVEN: ")) == (1, True), (said, bundle)
    code, said = check(verifier, tmp_path, good, key=signing.public_pem(other.public_key()))
    assert (code, "not signed with this key" in said) == (1, True)
    code, said = check(verifier, tmp_path, good, checkpoint=sign_checkpoint(Checkpoint(ORIGIN, 25, bytes(32)), KEY))
    assert (code, "the archive was rewritten" in said) == (1, True)
    code, said = check(verifier, tmp_path, altered(good, event=None, salt=None))
    assert (code, "neither the event nor the entry that disposed of it" in said) == (1, True)


async def test_poison_is_proven(pool: Pool, verifier: list[str], tmp_path: Path) -> None:
    """A lone surrogate, a NUL, and nesting without end are bytes like others."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    await ingest(pool, [an_event("$1", content={"body": "\ud83d\x00\udead"}), an_event("$2", content={"deep": deep})])
    note = await signed(pool, 2)
    for number in (1, 2):
        code, said = check(verifier, tmp_path, await bundle_of(pool, number, note))
        assert (code, "exactly the bytes" in said) == (0, True)


async def test_altered_event_is_not_proven(pool: Pool, owner: Pool) -> None:
    """Neither one that does not give its leaf nor one that is no longer in the tree, nor what never was."""
    note = await signed(pool, 25)
    with pytest.raises(UnknownNameError, match=r"\$none"):
        await prove(pool, "$none", SIGNER, note)
    await owner.execute("UPDATE event SET body = body || ' ' WHERE seq = 7")
    await owner.execute("UPDATE event SET event_id = '$moved' WHERE seq = 9")
    for name in ("$7", "$moved"):
        with pytest.raises(RefusedError, match="muster archive verify"):
            await prove(pool, name, SIGNER, note)
    await owner.execute(FORGE % 8)
    with pytest.raises(RefusedError, match="cannot be proven"):
        await prove(pool, "$5", SIGNER, note)
    await add(pool, 26, 26)
    with pytest.raises(InputError, match="Make another with `muster archive checkpoint`"):
        await prove(pool, "$26", SIGNER, note)


async def test_proofs_do_not_need_the_stored_blocks(pool: Pool, owner: Pool) -> None:
    """They are only quicker with them."""
    note = await signed(pool, 2 * BLOCK + 1)
    with_blocks = await bundle_of(pool, 5, note)
    await owner.execute("DELETE FROM ledger_block")
    assert await bundle_of(pool, 5, note) == with_blocks


# The command line


async def test_the_commands_go_together(
    pool: Pool, owner: Pool, verifier: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checkpoint, prove, verify: as an administrator types them, with the key of the data folder."""
    await add(pool, 1, 10)
    assert await muster(pool, "checkpoint", folder=tmp_path) == 0
    note = capsys.readouterr().out
    (tmp_path / "kept").write_text(note)
    await add(pool, 11, 12)
    await ingest(pool, [an_event("$n", type="m.room.name", state_key="", content={"name": "Hall"}, origin_server_ts=1)])
    out = tmp_path / "proof.json"
    words = ["prove", "$12", "-o", str(out), "--checkpoint", str(tmp_path / "kept")]
    assert await muster(pool, *words, folder=tmp_path) == 0
    assert "python verify.py" in capsys.readouterr().out
    pem = (tmp_path / "data" / "archive-key.pub.pem").read_text()
    assert check(verifier, tmp_path, out.read_text(), key=pem, checkpoint=note)[0] == 0
    for extra in (["--since", "10"], ["--since", str(tmp_path / "kept")], ["--checkpoints", str(tmp_path / "kept")]):
        assert await muster(pool, "verify", *extra, folder=tmp_path) == 0
        assert "signed checkpoints that agree: 2" in capsys.readouterr().out
    await owner.execute(FORGE % 11)
    assert await muster(pool, "verify", folder=tmp_path) == 1
    said = capsys.readouterr().out
    assert "between position 11 and 13, events were rewritten" in said
    assert "event $11" in said
    with pytest.raises(RefusedError):
        await muster(pool, "checkpoint", folder=tmp_path)
    (tmp_path / "empty").write_text("")
    with pytest.raises(InputError, match="holds no checkpoint"):
        await muster(pool, "verify", "--checkpoints", str(tmp_path / "empty"), folder=tmp_path)
