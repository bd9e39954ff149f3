"""The newest events, read and decoded once for all consumers of this process that keep up.

Where a consumer is, and what has come, the database says each time: only bodies that are at hand are not asked for
again. Events are shared, so nobody may change what is in them.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from bridge.archive import store
from bridge.homeserver import wire
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.database import Pool


class Given(NamedTuple):
    """What a consumer is given."""

    events: Sequence[Event]
    is_all: bool
    """Whether there are no more by now."""


class Newest:
    """Reads events for consumers, and keeps the newest at hand."""

    def __init__(self, pool: Pool, *, kept: int = 4000, most_bytes: int = 1 << 24) -> None:
        """Take how many events are kept at most, and how many bytes of them are read or kept."""
        self._pool = pool
        self._kept = kept
        self._most_bytes = most_bytes
        self._behind = 0
        self._events: Sequence[Event] = ()
        """Everything after the position `_behind`, without a gap."""
        self._sizes: Sequence[int] = ()
        """Of their bodies, in bytes."""
        # Consumers are woken together; each finds at hand what the one before it has read.
        self._turn = asyncio.Lock()

    async def read(self, consumer: str, limit: int) -> Given:
        """Return the next events after the consumer's cursor, at most `limit`; none when there are no more.

        What was disposed of is left out. Raises what PostgreSQL raises.
        """
        async with self._turn:
            rows = await self._ask(consumer, limit)
            if rows[0]["gone"]:
                self._events = self._sizes = ()
                rows = await self._ask(consumer, limit)
            last = self._behind + len(self._events)
            cursor = rows[0]["cursor"]
            found = [row for row in rows if row["seq"] is not None]
            new = [Event.of(wire.decode(row["body"]), row["seq"]) for row in found]
            sizes = [len(row["body"]) for row in found]
            if not self._behind <= cursor <= last:
                if cursor > last:
                    self._keep(cursor, new, sizes)
                return Given(new, len(new) < limit and sum(sizes) < self._most_bytes)
            events = [*self._events[cursor - self._behind :][:limit], *new]
            if new:
                self._keep(self._behind, [*self._events, *new], [*self._sizes, *sizes])
        return Given(events, len(events) < limit and sum(sizes) < self._most_bytes)

    async def _ask(self, consumer: str, limit: int) -> list[store.Row]:
        """Return where the consumer is, what of that at hand was disposed of, and what is not at hand."""
        at_hand = self._behind, self._behind + len(self._events)
        return await store.read_events(self._pool, consumer, limit, most_bytes=self._most_bytes, at_hand=at_hand)

    def _keep(self, behind: int, events: Sequence[Event], sizes: Sequence[int]) -> None:
        """Have the last of these events at hand, which are all that there are after a position.

        None of them when something between was disposed of, so that positions count them.
        """
        last = events[-1].seq if events else behind
        fit = bisect_right(list(accumulate(reversed(sizes[-self._kept :]))), self._most_bytes)
        kept = fit if last - behind == len(events) else 0
        self._events, self._sizes = events[len(events) - kept :], sizes[len(sizes) - kept :]
        self._behind = last - kept
