"""Records are disposed of whole or not at all, and the ledger verifies afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from bridge.archive.bundle import bundle_as_text
from bridge.archive.disposal import BATCH, Outcome, dispose
from bridge.archive.disposition import Order
from bridge.archive.entry import Actor
from bridge.archive.hold_store import held_seqs
from bridge.archive.ingest import ingest
from bridge.archive.inspection import Problem
from bridge.archive.ledger import BLOCK
from bridge.archive.log import entries
from bridge.archive.notary import Notary
from bridge.archive.prove import prove
from bridge.archive.verify import verify
from bridge.errors import InputError, MusterError
from bridge.process import child
from tests.integration.archive.test_cli import muster
from tests.integration.archive.test_proof import KEY, ORIGIN, SIGNER, add, check, signed, verifier
from tests.unit.archive.test_batch import an_event
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.database import Connection, Pool

__all__ = ["verifier"]

AT = datetime(2027, 3, 1, tzinfo=UTC)
ORDER = Order(Actor("k.saar", "root"), "retention", {"rule": "lunch"})


async def _left(pool: Pool) -> list[int]:
    rows = await pool.fetch("SELECT seq FROM event WHERE body IS NOT NULL AND room_id <> '' ORDER BY seq")
    return [row["seq"] for row in rows]


async def test_payload_and_salt_go_and_the_leaf_stays(pool: Pool) -> None:
    """The log names positions, reason and leaves; `test_blocks` says that it is not found by words any more."""
    await signed(pool, 25)
    await pool.execute("INSERT INTO set_aside (consumer, seq, error) VALUES ('desk', 7, 'quotes')")
    leaves = await pool.fetch("SELECT leaf FROM event WHERE seq <= 25 ORDER BY seq")
    assert await dispose(pool, [5, 6, 7, 20], ORDER, held_seqs, AT) == Outcome(4)
    assert await _left(pool) == [seq for seq in range(1, 26) if seq not in (5, 6, 7, 20)]
    assert await pool.fetch("SELECT leaf FROM event WHERE seq <= 25 ORDER BY seq") == leaves
    assert await pool.fetchval("SELECT count(*) FROM event WHERE salt IS NULL") == 4
    assert await pool.fetchval("SELECT count(*) FROM set_aside") == 0
    (entry,) = await entries(pool)
    assert entry.entry.details["positions"] == [[5, 7], [20, 20]]
    assert (entry.entry.details["reason"], entry.entry.details["rule"]) == ("retention", "lunch")
    verdict = await verify(pool, signer=SIGNER)
    assert (verdict.ok, verdict.size) == (True, 26)
    assert (await Notary(pool, KEY, ORIGIN).make()).checkpoint.size == 26


async def test_disposing_again_changes_nothing(pool: Pool) -> None:
    """What is gone needs no second entry, and entries themselves are never disposed of."""
    await add(pool, 1, 9)
    await dispose(pool, [2, 3], ORDER, held_seqs, AT)
    assert await dispose(pool, [2, 3, 10], ORDER, held_seqs, AT) == Outcome(0)
    assert len(await entries(pool)) == 1


async def test_what_is_held_stays(pool: Pool) -> None:
    """The hold wins over whatever is due, and is told."""
    await add(pool, 1, 9)

    async def held(_db: Connection | Pool, seqs: Collection[int]) -> frozenset[int]:
        return frozenset(seqs) & {3, 4, 8}

    assert await dispose(pool, [2, 3, 4, 5], ORDER, held, AT) == Outcome(2, (3, 4))
    assert await dispose(pool, [3], ORDER, held, AT) == Outcome(0, (3,))
    assert await _left(pool) == [1, 3, 4, 6, 7, 8, 9]
    assert len(await entries(pool)) == 1


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE event SET salt = NULL, body = NULL WHERE seq = 12",
        "UPDATE event SET salt = NULL, body = NULL WHERE seq = 12; INSERT INTO disposed VALUES (12, now(), 'x', 26)",
        "UPDATE event SET salt = NULL, body = NULL WHERE seq = 12; INSERT INTO disposed VALUES (12, now(), 'x', 3)",
    ],
)
async def test_a_record_emptied_otherwise_is_altered(pool: Pool, owner: Pool, tampering: str) -> None:
    """A note in the table excuses nothing that the entry does not name."""
    await signed(pool, 25)
    await dispose(pool, [5, 6, 20], ORDER, held_seqs, AT)
    await owner.execute(tampering)
    verdict = await verify(pool, signer=SIGNER)
    assert (verdict.problem, verdict.first_bad) == (Problem.ALTERED, 12)
    with pytest.raises(MusterError, match="altered"):
        await prove(pool, "$12", SIGNER, await pool.fetchval("SELECT note FROM ledger_checkpoint"))


async def test_a_leaf_changed_in_a_disposed_record_is_found_in_its_block(pool: Pool, owner: Pool) -> None:
    """What vouches for it is the root of its block, kept since a checkpoint."""
    await signed(pool, 2 * BLOCK + 3)
    await dispose(pool, [BLOCK + 5], ORDER, held_seqs, AT)
    await owner.execute("UPDATE event SET leaf = sha256('') WHERE seq = $1", BLOCK + 5)
    verdict = await verify(pool)
    assert (verdict.problem, verdict.first_bad) == (Problem.REWRITTEN, BLOCK + 1)


async def test_the_function_takes_only_what_an_entry_of_the_same_transaction_names(pool: Pool) -> None:
    """So nothing goes without an entry, and no old entry serves twice."""
    await add(pool, 1, 9)
    await dispose(pool, [2], ORDER, held_seqs, AT)
    for seq in (3, 10, 99):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no disposition of this transaction"):
            await pool.fetch("SELECT dispose_events($1)", seq)


async def test_a_disposed_record_is_shown_and_proven(
    pool: Pool, verifier: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left: who, when, where, why it is gone, and that its leaf stands there."""
    note = await signed(pool, 25)
    await dispose(pool, [7], ORDER, held_seqs, AT)
    await ingest(pool, [an_event("$n", type="m.room.name", state_key="", content={"name": "Hall"}, origin_server_ts=1)])
    assert await muster(pool, "show", "$7") == 0
    shown = capsys.readouterr().out
    assert "disposed" in shown
    assert "retention" in shown
    assert "muster:" in shown
    assert await muster(pool, "show", "$7", as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["event_id"], found["disposed"]["reason"]) == ("$7", "retention")
    with pytest.raises(InputError, match="proven by event 26; the checkpoint covers 25"):
        await prove(pool, "$7", SIGNER, note)
    newer = await Notary(pool, KEY, ORIGIN).covering("$7")
    bundle = bundle_as_text(await prove(pool, "$7", SIGNER, newer, note))
    assert json.loads(bundle)["event"] is None
    code, said = check(verifier, tmp_path, bundle, checkpoint=note)
    assert code == 0, said
    assert "reason  retention" in said
    assert "the entry at position 26 disposed of what stood at position 7." in said
    assert "it stood at the same position when the kept checkpoint of 25 events was signed" in said


async def test_a_false_disposal_proves_nothing(pool: Pool, verifier: list[str], tmp_path: Path) -> None:
    """The entry must be one of Muster's, stand in the same ledger, and name that very position."""
    await add(pool, 1, 25)
    await dispose(pool, [7, 9], ORDER, held_seqs, AT)
    notary = Notary(pool, KEY, ORIGIN)
    note = (await notary.make()).note
    good = json.loads(bundle_as_text(await prove(pool, "$7", SIGNER, note)))
    there = json.loads(bundle_as_text(await prove(pool, "$8", SIGNER, note)))
    entry = good["disposition"]
    said_by_somebody = {name: there[name] for name in ("event", "salt", "leaf_index", "inclusion")}
    bad = [
        {**good, "disposition": None},
        {**good, "disposition": {**entry, "leaf_index": 24}},
        {**good, "disposition": {**entry, "salt": there["salt"]}},
        {**good, "disposition": said_by_somebody},
        {**there, "event": None, "salt": None, "disposition": entry},
    ]
    for bundle in bad:
        code, said = check(verifier, tmp_path, json.dumps(bundle))
        assert (code, said.startswith("NOT PROVEN: ")) == (1, True), said
    code, said = check(verifier, tmp_path, json.dumps(good))
    assert code == 0, said
    assert (await verify(pool, signer=notary.signer, filing=True)).ok


_KILLED = """
import asyncio, sys
from datetime import UTC, datetime
from bridge.archive.disposal import BATCH, dispose
from bridge.archive.hold_store import held_seqs
from bridge.archive.disposition import Order
from bridge.archive.entry import Actor
from bridge.database import open_database

async def main():
    async with open_database(sys.argv[1]) as pool:
        for first in range(1, 10_001, BATCH):
            seqs = range(first, first + BATCH)
            await dispose(pool, seqs, Order(Actor("a", "a"), "retention", {}), held_seqs, datetime.now(UTC))

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1, 4])
async def test_killed_in_the_middle_each_batch_is_gone_or_there(
    pool: Pool, database_url: str, tmp_path: Path, after: int
) -> None:
    """`kill -9` while 10,000 records are disposed of: every batch whole, with its entry; the ledger verifies."""
    for first in range(1, 10_001, BATCH):
        await add(pool, first, first + BATCH - 1)
    argv = [sys.executable, "-c", _KILLED, database_url]
    async with child(argv, log_path=tmp_path / "log") as process:

        async def far_enough() -> bool:
            found: int = await pool.fetchval("SELECT count(*) FROM disposed")
            return found >= after * BATCH

        await wait_until(far_enough)
        await asyncio.sleep(0)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    # The killed connection's transaction ends when PostgreSQL notices; taking the same lock waits for it.
    await pool.execute("SELECT size FROM ledger_head FOR UPDATE")
    gone = 10_000 - len(await _left(pool))
    assert gone % BATCH == 0
    assert gone >= after * BATCH
    assert len(await entries(pool, deed="dispose")) == gone // BATCH
    assert await pool.fetchval("SELECT count(*) FROM disposed") == gone
    assert (await verify(pool)).ok
