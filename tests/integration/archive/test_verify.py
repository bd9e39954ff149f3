"""Verifying the archive, on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.archive.filing import Filed, first_misfiled
from bridge.archive.ingest import ingest
from bridge.archive.inspection import Problem
from bridge.archive.rendering import verdict_as_text
from bridge.archive.verify import verify
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

SIZE = 25
RESEAT = """
    UPDATE event SET seq = -seq WHERE seq IN (5, 9);
    UPDATE event SET seq = CASE seq WHEN -5 THEN 9 ELSE 5 END WHERE seq < 0
"""


@pytest.fixture(autouse=True)
async def _filled(pool: Pool) -> None:
    """Archive some events, in several transactions."""
    for start in range(0, SIZE, 10):
        await ingest(pool, [an_event(f"${number}") for number in range(start, min(start + 10, SIZE))])


async def test_untouched_archive_verifies(pool: Pool) -> None:
    """The verdict on an archive as written is good, and progress reaches its end."""
    seen: list[tuple[int, int]] = []
    verdict = await verify(pool, lambda done, of: seen.append((done, of)))
    assert (verdict.ok, verdict.size, verdict.first_bad, verdict.problem) == (True, SIZE, None, None)
    assert len(verdict.root) == 32
    assert seen[-1] == (SIZE, SIZE)


async def test_empty_archive_verifies(pool: Pool, owner: Pool) -> None:
    """An archive without events is whole."""
    await owner.execute("DELETE FROM event; UPDATE ledger_head SET size = 0, frontier = ''")
    assert (await verify(pool)).ok


@pytest.mark.parametrize(
    ("tampering", "problem", "first_bad"),
    [
        ("UPDATE event SET body = body || ' ' WHERE seq = 7", Problem.ALTERED, 7),
        ("UPDATE event SET salt = '' WHERE seq = 1", Problem.ALTERED, 1),
        ("UPDATE event SET leaf = sha256(body) WHERE seq = 25", Problem.ALTERED, 25),
        ("DELETE FROM event WHERE seq = 12", Problem.MISSING, 12),
        ("DELETE FROM event WHERE seq > 20", Problem.MISSING, 21),
        ("TRUNCATE event CASCADE", Problem.MISSING, 1),
        ("DELETE FROM event WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 25", Problem.REORDERED, 3),
        (RESEAT, Problem.REORDERED, 5),
        ("UPDATE ledger_head SET size = 24, frontier = substr(frontier, 1, 64)", Problem.SURPLUS, 25),
        ("UPDATE ledger_head SET frontier = sha256('') || substr(frontier, 33)", Problem.REWRITTEN, 1),
        ("UPDATE ledger_head SET frontier = substr(frontier, 1, 64) || sha256('')", Problem.REWRITTEN, 25),
        ("UPDATE ledger_head SET frontier = ''", Problem.REWRITTEN, 1),
        (
            "UPDATE event SET body = '{}', leaf = sha256('\\x00'::bytea || salt || '{}') WHERE seq = 20",
            Problem.REWRITTEN,
            17,
        ),
    ],
)
async def test_tampering_is_named(pool: Pool, owner: Pool, tampering: str, problem: Problem, first_bad: int) -> None:
    """Whatever is changed behind Muster's back, the verdict says what and where."""
    await owner.execute(tampering)
    verdict = await verify(pool)
    assert (verdict.ok, verdict.problem, verdict.first_bad) == (False, problem, first_bad)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("origin_ts", "7"),
        ("event_id", "'$other'"),
        ("room_id", "'!other'"),
        ("type", "'m.room.other'"),
        ("sender", "'@other:x'"),
        ("state_key", "''"),
        ("relates_to", "'$3'"),
    ],
)
async def test_hidden_event_is_named(pool: Pool, owner: Pool, column: str, value: str) -> None:
    """A changed column leaves the ledger as it was; who asks for it is told the first, and which column."""
    assert (await verify(pool, filing=True)).ok
    await owner.execute(f"UPDATE event SET {column} = {value} WHERE seq = 12")  # noqa: S608
    assert (await verify(pool)).ok
    verdict = await verify(pool, filing=True)
    assert verdict.finding is not None
    assert (verdict.problem, verdict.first_bad, verdict.finding.column) == (Problem.MISFILED, 12, column)
    assert f"position 12 is whole, but hidden: its {column} was altered" in verdict_as_text(verdict)


async def test_odd_events_are_filed_rightly(pool: Pool) -> None:
    """Whatever shape an event has, what archiving made of it agrees."""
    odd = [
        an_event("$odd1", sender=7, room_id="a\x00b", type=None, origin_server_ts=2**60),
        an_event("$odd2", state_key="\ud83d", content="none", origin_server_ts="now"),
        an_event("$odd3", type="m.room.redaction", redacts="$odd1", sender="x" * 300),
    ]
    await ingest(pool, odd)
    assert (await verify(pool, filing=True)).ok


async def test_what_was_never_written_is_misfiled(pool: Pool) -> None:
    """Bytes that are no event agree with no column, whatever the ledger was made to say of them."""
    rows = [Filed(4, (0, "$4", "!r", "m.x", "@a:x", None, None), body) for body in (b"{", b"[]", b"{}")]
    assert [first_misfiled([row]) for row in rows] == [(4, "event_id")] * 3
