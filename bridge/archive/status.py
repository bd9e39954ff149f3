"""How the archive is: its size and root, how complete it is, and how far its readers are behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive import ledger, store
from bridge.archive.ledger import Frontier

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass(frozen=True, slots=True)
class Status:
    """Figures of one moment."""

    size: int
    """Events, which is leaves."""
    root: bytes
    newest: datetime | None
    """When the newest event was archived."""
    rooms: int
    """Rooms that were compared with the homeserver."""
    checked_at: datetime | None
    """When the room that waits longest was compared."""
    backfilled: int
    """Events that were missing and were fetched."""
    awaiting: int
    """Events that arrived redacted and whose original is still to be fetched."""
    set_aside: int
    """Entries that could not be archived, and events that a consumer could not handle."""
    behind: Mapping[str, int]
    """Consumer → events that it has not handled yet."""


async def status(pool: Pool) -> Status:
    """Return the figures; raises `DatabaseUnavailableError`."""
    async with store.snapshot(pool) as connection:
        row = await store.read_status(connection)
        cursors = await store.read_cursors(connection)
    return Status(
        size=row["size"],
        root=ledger.root(Frontier.of(row["size"], row["frontier"])),
        newest=row["newest"],
        rooms=row["rooms"],
        checked_at=row["checked_at"],
        backfilled=row["backfilled"],
        awaiting=row["awaiting"],
        set_aside=row["set_aside"],
        behind={cursor["consumer"]: row["size"] - cursor["seq"] for cursor in cursors},
    )
