"""Verifying the archive, on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.archive.ingest import ingest
from bridge.archive.inspection import Problem
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
