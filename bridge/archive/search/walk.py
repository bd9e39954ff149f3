"""What matches a query, the newest first, as far back as somebody wants to look.

Chunks of the archive come in the order of their newest event. What they hold is asked of the index, then of the events
themselves: when they were sent, in which room, and whether they hold a phrase.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bridge.archive.search import store
from bridge.archive.search.document import document_of
from bridge.archive.search.lexemes import Group
from bridge.archive.search.lookup import Lookup
from bridge.archive.search.phrase import holds
from bridge.archive.search.postings import BLOCK, CHUNK
from bridge.archive.search.segment import Run
from bridge.archive.search.store import Window
from bridge.homeserver import wire
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.database import Connection

_PORTION = 500
"""Events, about, that are asked for at once."""
_LEAST = 1000
_CHUNKS = BLOCK // CHUNK


class Match(NamedTuple):
    """An event that matches."""

    timestamp: int
    """Milliseconds."""
    seq: int
    size: int
    """Bytes of the event."""
    is_closed: bool
    """Whether it was said in a room that a case must open."""


class Portion(NamedTuple):
    """Some matches, in any order."""

    matches: Sequence[Match]
    next_newest: int
    """Milliseconds; no later match was sent after it. -1 when there are none."""


class Walk:
    """Goes through what matches."""

    def __init__(
        self,
        connection: Connection,
        lookup: Lookup,
        window: Window,
        phrases: Sequence[Sequence[Run]],
    ) -> None:
        self._connection = connection
        self._lookup = lookup
        self._window = window
        self._phrases = phrases

    @classmethod
    async def of(
        cls,
        connection: Connection,
        required: Sequence[Group],
        others: Sequence[Group],
        window: Window,
        phrases: Sequence[Sequence[Run]],
    ) -> Walk:
        """Return the walk to what holds all the `required` groups and the phrases; `others_of` knows the others."""
        return cls(connection, await Lookup.of(connection, required, others), window, phrases)

    @property
    def least(self) -> int:
        """How many matches are worth a look, to count those of closed rooms; none when each has to be read."""
        return 0 if self._phrases else _LEAST

    async def portions(self) -> AsyncIterator[Portion]:
        """Yield the matches, portion by portion; nothing comes twice."""
        if self._lookup.is_vain:
            return
        chunks = await store.read_chunks(self._connection, self._window)
        # A block comes up with the newest of its chunks.
        blocks = list(dict.fromkeys(chunk // _CHUNKS for chunk, _ in chunks))
        seqs: list[int] = []
        for place, (chunk, _) in enumerate(chunks, 1):
            await self._lookup.read(chunk // _CHUNKS, blocks)
            seqs += self._lookup.positions(chunk * CHUNK, (chunk + 1) * CHUNK - 1)
            is_last = place == len(chunks)
            if len(seqs) >= _PORTION or is_last:
                yield Portion(await self._matches(seqs), -1 if is_last else chunks[place][1])
                seqs = []

    def others_of(self, seq: int) -> Sequence[bool]:
        """Return for each of the other groups whether a match holds it."""
        return self._lookup.others_of(seq)

    async def _matches(self, seqs: Sequence[int]) -> list[Match]:
        rows = await store.read_candidates(self._connection, self._window, seqs) if seqs else []
        matches = [Match(row["origin_ts"], row["seq"], row["size"], row["closed"]) for row in rows]
        if not (self._phrases and matches):
            return matches
        bodies = await store.read_bodies(self._connection, [match.seq for match in matches])
        texts = {row["seq"]: document_of(Event.of(wire.decode(row["body"]), row["seq"])) for row in bodies}
        return [match for match in matches if (found := texts[match.seq]) and holds(found.text, self._phrases)]
