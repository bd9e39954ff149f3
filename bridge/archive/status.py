"""How the archive is: its size and root, how complete it is, and how far its readers are behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.archive import ledger, store
from bridge.archive.ledger import Frontier
from bridge.archive.media_store import media_figures
from bridge.archive.values import Status

if TYPE_CHECKING:
    from bridge.database import Pool


async def status(pool: Pool) -> Status:
    """Return the figures; raises `DatabaseUnavailableError`."""
    async with store.snapshot(pool) as connection:
        row = await store.read_status(connection)
        cursors = await store.read_cursors(connection)
        media = await media_figures(connection)
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
        media=media,
    )
