"""Disposing of records: payload and salt go, the leaf stays, an entry of the ledger says why. All or nothing, a
thousand at a time.

The ledger's end is held first, so that whoever puts something on hold, which is an entry too, does so before or after
and never in between. What is held stays. What is due is left to `retention` and `erasure`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bridge.archive import disposal_store, store
from bridge.archive.disposition import Order, entry_for
from bridge.archive.log import append_entry
from bridge.archive.search.forget import forget
from bridge.errors import RefusedError

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

BATCH = 1000
"""Records that are disposed of at once."""


class Held(Protocol):
    """Who knows what is on hold."""

    async def __call__(self, db: Connection | Pool, seqs: Collection[int], /) -> frozenset[int]:
        """Return which of the records at these positions are held."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of records that were to be disposed of."""

    disposed: int = 0
    held: tuple[int, ...] = ()
    """Positions that stay because of a hold."""

    def __add__(self, other: Outcome) -> Outcome:
        """Return both together."""
        return Outcome(self.disposed + other.disposed, self.held + other.held)


async def dispose(pool: Pool, seqs: Sequence[int], order: Order, held: Held, at: datetime) -> Outcome:
    """Dispose of the records at these positions, at most `BATCH`, that are there and are not held.

    Files that no other event refers to are left to `orphans`.
    Raises `DatabaseUnavailableError` or `DatabaseError`, and nothing is disposed of.
    """
    async with store.transaction(pool) as connection:
        await disposal_store.lock_ledger(connection)
        await disposal_store.lock_traces(connection)
        kept = await held(connection, seqs)
        free = await disposal_store.read_leaves(connection, set(seqs) - kept)
        if not free:
            return Outcome(0, tuple(sorted(kept)))
        positions = [seq for seq, _ in free]
        entry = await append_entry(connection, entry_for(order, positions, [leaf for _, leaf in free]), at)
        gone = await disposal_store.dispose_events(connection, entry.seq)
        if gone != len(positions):
            raise RefusedError(f"Expected to dispose of {len(positions)} records, PostgreSQL of {gone}; nothing was.")
        await disposal_store.forget_quotes(connection, positions)
        await forget(connection, positions)
    return Outcome(gone, tuple(sorted(kept)))
