"""Counting the attributes that come and are dropped, without a cost for the request that brought them.

Counts are collected in memory and written every few seconds; a process that is killed loses those of the last ones,
which a counter bears. Names are bounded by `refusal`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bridge.database import AWAY
from bridge.directory.refusal import bounded
from bridge.directory.refused_store import add_refused, known_names

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

_EVERY: Final = 5.0
"""Seconds between two writings."""


class Refusals:
    """What was counted and is not written yet."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._wake = asyncio.Event()

    def count(self, source: str, names: Mapping[str, int]) -> None:
        """Count what a source has sent in vain; `names` are of `refusal`."""
        if names:
            self._counts[source] = bounded(names, self._counts[source])
            self._wake.set()

    async def run(self) -> None:
        """Write what is counted until cancelled, and then once more."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(_EVERY)
                with suppress(*AWAY):
                    await self.flush()
        finally:
            with suppress(*AWAY):
                await self.flush()

    async def flush(self) -> None:
        """Write what is counted; it is kept for the next time while the database is away, and then raises `AWAY`."""
        self._wake.clear()
        counts, self._counts = self._counts, defaultdict(Counter)
        try:
            for source, names in counts.items():
                await write_refused(self._pool, source, names)
        except AWAY:
            for source, names in counts.items():
                self.count(source, names)
            raise


async def write_refused(db: Connection | Pool, source: str, names: Mapping[str, int]) -> None:
    """Add what a source has sent in vain to what is counted of it."""
    if names:
        known = (await known_names(db, [source]))[source]
        total = bounded(names, dict.fromkeys(known, 0))
        await add_refused(db, {(source, name): times for name, times in total.items() if times})
