"""Proving to ourselves that the archive is whole: every row read, every leaf and the root computed again.

It sees the archive as of one moment, streams it, and needs the memory of a few thousand events whatever the size.
What counts as wrong is left to `inspection`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.archive import store
from bridge.archive.inspection import Finding, Inspection, Problem, Verdict
from bridge.archive.ledger import EMPTY, Frontier, root

if TYPE_CHECKING:
    from bridge.database import Pool

_PORTION = 2000


def _ignore(_done: int, _of: int) -> None:
    """Show no progress."""


async def verify(pool: Pool, progress: Callable[[int, int], None] = _ignore) -> Verdict:
    """Recompute the ledger from the stored events and name the first position that does not agree.

    `progress` is called with the events done and the events of the ledger. Raises `DatabaseUnavailableError`.
    """
    async with store.snapshot(pool) as connection:
        size, joined = await store.read_head(connection)
        try:
            head = Frontier.of(size, joined)
        except ValueError:
            return Verdict(size, root(EMPTY), Finding(Problem.REWRITTEN, 1))
        inspection = Inspection(head)
        done = 0
        async for rows in store.stream_leaves(connection, _PORTION):
            inspection.look_at(rows)
            if inspection.finding:
                break
            done += len(rows)
            progress(done, size)
        if inspection.finding and inspection.finding.problem is Problem.REORDERED:
            seq = await store.first_arrived_after(connection, inspection.finding.seq)
            inspection.finding = Finding(Problem.REORDERED, seq)
        verdict = inspection.conclude()
        if verdict.finding is None:
            return verdict
        event_id = await store.event_at(connection, verdict.finding.seq)
        return replace(verdict, finding=replace(verdict.finding, event_id=event_id))
