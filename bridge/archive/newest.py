"""The newest events, read and decoded once for all consumers of this process that keep up.

Where a consumer is, and what has come, the database says each time: only bodies that are at hand are not asked for
again. Events are shared, so nobody may change what is in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.archive import store
from bridge.homeserver import wire
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.database import Pool


class Newest:
    """Reads events for consumers, and keeps the newest at hand."""

    def __init__(self, pool: Pool, *, kept: int = 2000) -> None:
        self._pool = pool
        self._kept = kept
        self._behind = 0
        self._events: Sequence[Event] = ()
        """Everything after the position `_behind`, without a gap."""
        # Consumers are woken together; each finds at hand what the one before it has read.
        self._turn = asyncio.Lock()

    async def read(self, consumer: str, limit: int) -> Sequence[Event]:
        """Return the next events after the consumer's cursor, at most `limit`; none when there are no more.

        What was disposed of is left out. Raises what PostgreSQL raises.
        """
        async with self._turn:
            rows = await self._ask(consumer, limit)
            if rows[0]["gone"]:
                self._events = ()
                rows = await self._ask(consumer, limit)
            last = self._behind + len(self._events)
            cursor = rows[0]["cursor"]
            new = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows if row["seq"] is not None]
            if not self._behind <= cursor <= last:
                if cursor > last:
                    self._keep(cursor, new)
                return new
            events = [*self._events[cursor - self._behind :][:limit], *new]
            self._keep(self._behind, [*self._events, *new])
        return events

    async def _ask(self, consumer: str, limit: int) -> list[store.Row]:
        """Return where the consumer is, what of that at hand was disposed of, and what is not at hand."""
        last = self._behind + len(self._events)
        return await store.read_events(self._pool, consumer, limit, at_hand=(self._behind, last))

    def _keep(self, behind: int, events: Sequence[Event]) -> None:
        """Have the last of these events at hand, which are all that there are after a position.

        None of them when something between was disposed of, so that positions count them.
        """
        last = events[-1].seq if events else behind
        self._events = events[-self._kept :] if last - behind == len(events) else ()
        self._behind = last - len(self._events)
