"""Taking events into the archive: durable, deduplicated and hashed when `ingest` returns.

One database transaction holds the events, their leaves and the ledger's head, so a crash leaves all or nothing of a
delivery, and delivering again changes nothing. Usually it is one statement, which goes through only if the ledger
still ends where it ended when the known events were looked up; otherwise both are done again. What events mean is left
to the consumers of `feed`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from bridge.archive import canonical, ledger, store
from bridge.archive.batch import columns_of, room_columns, sort_out
from bridge.archive.completeness import STRIPPED

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

Source = Literal["live", "backfill"]


async def ingest(pool: Pool, events: Sequence[object], source: Source = "live") -> int:
    """Archive the events that are new, in this order, and return how many were.

    Entries that are no events are set aside with their bytes. Messages that are delivered redacted are kept until
    `backfill` has looked for the original; what it brings is archived as it is. Raises `DatabaseUnavailableError` or
    `DatabaseError`, and nothing is stored.
    """
    arrivals = sort_out(events, keep_redacted=source == "live")
    # Alone, the statement that appends is a database transaction of its own.
    is_plain = not (arrivals.redacted or arrivals.stripped or arrivals.malformed)
    async with store.connection_of(pool) if is_plain else store.transaction(pool) as connection:
        if arrivals.stripped:
            rooms = room_columns(arrivals.stripped.values())
            await store.note_lost(connection, list(arrivals.stripped), rooms, STRIPPED)
        stored = await _append(connection, arrivals.events, backfilled=source == "backfill") if arrivals.events else 0
        if arrivals.redacted:
            kept = arrivals.redacted.values()
            bodies = [canonical.encode_value(event) for event in kept]
            await store.keep_redacted(connection, list(arrivals.redacted), room_columns(kept), bodies)
        if arrivals.malformed:
            await store.set_aside_entries(connection, arrivals.malformed)
    for entry in arrivals.malformed:
        log.warning("An entry of a transaction is no event: %s", entry.reason, extra={"action": "archive.set_aside"})
    return stored


async def _append(connection: Connection, events: Mapping[str, Mapping[str, Any]], *, backfilled: bool) -> int:
    while True:
        head, known = await store.head_and_known(connection, list(events))
        new = [event for event_id, event in events.items() if event_id not in known]
        if not new:
            return 0
        columns = columns_of(new, os.urandom(ledger.SALT_SIZE * len(new)))
        grown = ledger.append(head, columns.leaves)
        if await store.append_events(connection, head, grown, columns, backfilled=backfilled):
            return len(new)
