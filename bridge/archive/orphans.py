"""Removing files that nothing refers to any more, once the events that did were disposed of.

Disposition leaves the links of its events in `media_orphan`. A link to which no other event refers goes first; then its
file, when no other link leads there, and an entry of the ledger says how many files went. What is on hold is referred
to by its events, which stay. The hashes are not recorded: whoever has a file could find out from its hash that it was
there.

Neither a fetch nor a new event is in the way: while links and files are looked at, their rows are locked, which keeps
references and links from coming; who comes afterwards has the file fetched anew. Nothing is removed before the files of
every event are noted. When it is cut off between removing and recording, it is done again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bridge.archive import orphan_store, store
from bridge.archive.blob import Blobs
from bridge.archive.entry import Entry
from bridge.archive.log import append_entry
from bridge.archive.nightly import SERVICE
from bridge.clock import Clock
from bridge.database.turns import take_turns

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

DEED = "remove_files"
_AT_ONCE = 100
_PAUSE = 60.0
"""Seconds between two looks."""


class Orphans:
    """Who removes them; any number of processes may."""

    def __init__(self, pool: Pool, blobs: Blobs, *, clock: Clock) -> None:
        self._pool = pool
        self._blobs = blobs
        self._clock = clock

    async def run(self) -> None:
        """Remove them until cancelled; what is away is tried again."""

        async def turn() -> float:
            await self.remove()
            return _PAUSE

        await take_turns(turn, None, what="removing files", action="media.remove")

    async def remove(self) -> int:
        """Remove what nothing refers to; return how many files went.

        Raises `DatabaseUnavailableError` or `MediaUnavailableError`: what is removed and not recorded is so next time.
        """
        while await self._drop_links():
            pass
        removed = 0
        while found := await self._remove_files():
            removed += found[1]
        return removed

    async def _drop_links(self) -> int:
        """Remove links that lost their last reference; return how many were looked at."""
        async with store.transaction(self._pool) as connection:
            links = await orphan_store.lock_orphans(connection, _AT_ONCE)
            if not links or not await orphan_store.is_media_noted(connection):
                return 0
            await orphan_store.drop_orphans(connection, links)
        return len(links)

    async def _remove_files(self) -> tuple[int, int] | None:
        """Remove files that lost their last link; return how many were looked at and how many went, or None."""
        async with store.transaction(self._pool) as connection:
            leaving = await orphan_store.lock_leaving(connection, _AT_ONCE)
            if not leaving:
                return None
            gone = await orphan_store.read_unlinked(connection, leaving)
            for sha256, _ in gone:
                await self._blobs.remove(sha256)
            if gone:
                details = {
                    "reason": "nothing refers to them",
                    "files": len(gone),
                    "bytes": sum(size for _, size in gone),
                }
                await append_entry(connection, Entry(DEED, SERVICE, details), self._clock())
            await orphan_store.drop_files(connection, [sha256 for sha256, _ in gone], leaving)
        if gone:
            log.info("files that nothing refers to were removed: %d", len(gone), extra={"action": "media.remove"})
        return len(leaving), len(gone)
