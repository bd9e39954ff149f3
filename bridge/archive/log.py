"""The archive's own log: what people did with it, recorded before they see the answer.

`record` is durable when it returns; whoever answers a search or shows an event calls it first, so that there is no
answer without an entry. What entries look like is left to `entry`.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive import ledger, store
from bridge.archive.batch import columns_of
from bridge.archive.entry import Entry, Recorded, entry_event, entry_of
from bridge.homeserver import wire
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def record(pool: Pool, entry: Entry, at: datetime) -> None:
    """Append the entry to the ledger; raises `DatabaseUnavailableError` or `DatabaseError`, and nothing is stored."""
    async with store.connection_of(pool) as connection:
        await append_entry(connection, entry, at)


async def append_entry(connection: Connection, entry: Entry, at: datetime) -> int:
    """Do so within the caller's database transaction, which holds the ledger's end until it is over.

    Returns the entry's position.
    """
    event = entry_event(entry, at, os.urandom(8).hex())
    columns = columns_of([event], os.urandom(ledger.SALT_SIZE))
    while True:
        head, _ = await store.head_and_known(connection, [])
        if await store.append_events(connection, head, ledger.append(head, columns.leaves), columns, backfilled=False):
            return head.size + 1


async def entries(
    pool: Pool,
    *,
    deed: str | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> list[Recorded]:
    """Return what was done, the newest first; `actor` is a userName or a user of the operating system.

    From `since` on and before `until`. Raises `DatabaseUnavailableError`.
    """
    with store.database_errors():
        rows = await store.read_entries(
            pool, deed and f"muster.{deed}", actor, _milliseconds(since), _milliseconds(until), limit
        )
    found = (entry_of(Event.of(wire.decode(row["body"]), row["seq"])) for row in rows)
    return [one for one in found if one]


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
