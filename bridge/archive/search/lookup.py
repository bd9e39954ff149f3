"""Which positions hold what a query asks for, looked up in the index block by block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridge.archive.search import posting_store, store
from bridge.archive.search.lexemes import Group
from bridge.archive.search.postings import BLOCK, Bucket, Mask, Shelf, Tail, bucket_of, masks_of, numbers_of
from bridge.archive.search.words import own_number

if TYPE_CHECKING:
    from bridge.database import Connection


_MOST_AT_ONCE = 16
"""Blocks; one is of some megabytes when a query means very many words."""


class _Held(NamedTuple):
    """The positions of a block that hold what is required."""

    places: NDArray[np.uint16]
    """In the block, ascending."""
    others: Sequence[Mask]
    """For each of the other groups, which of them hold it."""


class Lookup:
    """Knows which positions hold a word of each of the `required` groups, and which of them hold the `others` too."""

    def __init__(self, connection: Connection, words: Sequence[Collection[int]], tail: Tail, *, required: int) -> None:
        """Take the numbers of the words of each group; so many of the first are required."""
        self._connection = connection
        self._words = [numbers_of(sorted(group)) for group in words]
        self._required = required
        self._buckets = sorted({bucket_of(word) for group in words for word in group})
        self._newest = [masks_of(tail.holding(group)) for group in self._words]
        self._held: dict[int, _Held] = {}

    @classmethod
    async def of(cls, connection: Connection, required: Sequence[Group], others: Sequence[Group]) -> Lookup:
        """Return the lookup of these groups."""
        groups = [*required, *others]
        words = await store.read_group_words(connection, groups)
        for group, known in zip(groups, words, strict=True):
            own = (own_number(each.low) for each in group.ranges if each.low == each.high)
            known += [number for number in own if number is not None]
        parts = await posting_store.read_tail(connection)
        return cls(connection, words, Tail.read([columns for _, columns in parts]), required=len(required))

    @property
    def is_vain(self) -> bool:
        """Whether nothing can be found: of some required group no word is known."""
        return not all(words.size for words in self._words[: self._required])

    async def read(self, block: int, following: Sequence[int] = ()) -> None:
        """Look a block up.

        With it as many of the `following` are read as were before, up to a bound: who looks far asks seldom.
        """
        if block not in self._held:
            ahead = (each for each in following if each != block and each not in self._held)
            await self._read([block, *islice(ahead, min(len(self._held), _MOST_AT_ONCE - 1))])

    def positions(self, first: int, last: int) -> list[int]:
        """Return the positions from `first` to `last`, of a block that has been read, that hold what is required."""
        block, place = divmod(first, BLOCK)
        places = self._held[block].places
        here = slice(_index(places, place), _index(places, place + last - first, side="right"))
        return [block * BLOCK + found for found in places[here].tolist()]

    def others_of(self, seq: int) -> Sequence[bool]:
        """Return for each of the other groups whether a position, one of those that hold what is required, holds it."""
        block, place = divmod(seq, BLOCK)
        places, others = self._held[block]
        at = _index(places, place)
        return [bool(mask[at]) for mask in others]

    async def _read(self, blocks: Sequence[int]) -> None:
        buckets: defaultdict[int, list[Bucket]] = defaultdict(list)
        for bucket in await posting_store.read_buckets(self._connection, blocks, self._buckets):
            buckets[bucket.block].append(bucket)
        for block in blocks:
            shelf = Shelf.read(buckets[block])
            masks = [
                shelf.holding(words) | newest[block] if block in newest else shelf.holding(words)
                for words, newest in zip(self._words, self._newest, strict=True)
            ]
            places = np.flatnonzero(np.logical_and.reduce(masks[: self._required]))
            others = [mask[places] for mask in masks[self._required :]]
            self._held[block] = _Held(places.astype(np.uint16), others)


def _index(places: NDArray[np.uint16], place: int, side: Literal["left", "right"] = "left") -> int:
    """Return where a place stands among others, or would; asked as a number of another type numpy copies them all."""
    return int(places.searchsorted(np.uint16(place), side))
