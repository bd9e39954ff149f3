"""Which positions hold what a query asks for, looked up in the index block by block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from bridge.archive.search import posting_store, store
from bridge.archive.search.lexemes import Group
from bridge.archive.search.postings import Bucket, Mask, Shelf, Tail, bucket_of, masks_of, numbers_of
from bridge.archive.search.words import own_number

if TYPE_CHECKING:
    from bridge.database import Connection


class Lookup:
    """Knows, for groups of words, at which positions of a block one of each stands."""

    def __init__(self, connection: Connection, words: Sequence[Collection[int]], tail: Tail) -> None:
        """Take the numbers of the words of each group."""
        self._connection = connection
        self._words = [numbers_of(sorted(group)) for group in words]
        self._buckets = sorted({bucket_of(word) for group in words for word in group})
        self._newest = [masks_of(tail.holding(group)) for group in self._words]
        self._masks: dict[int, list[Mask]] = {}

    @classmethod
    async def of(cls, connection: Connection, groups: Sequence[Group]) -> Lookup:
        """Return the lookup of these groups."""
        words = await store.read_group_words(connection, groups)
        for group, known in zip(groups, words, strict=True):
            own = (own_number(each.low) for each in group.ranges if each.low == each.high)
            known += [number for number in own if number is not None]
        parts = await posting_store.read_tail(connection)
        return cls(connection, words, Tail.read([columns for _, columns in parts]))

    def is_known(self, group: int) -> bool:
        """Return whether any word of the group is known at all."""
        return bool(self._words[group].size)

    async def read(self, block: int, following: Sequence[int] = ()) -> None:
        """Have the `masks` of a block.

        With it as many of the `following` are read as were before: who looks far asks seldom.
        """
        if block not in self._masks:
            ahead = (each for each in following if each != block and each not in self._masks)
            await self._read([block, *islice(ahead, len(self._masks))])

    def masks(self, block: int) -> Sequence[Mask]:
        """Return for each group the positions of a block, which has been read, that hold one of its words."""
        return self._masks[block]

    async def _read(self, blocks: Sequence[int]) -> None:
        buckets: defaultdict[int, list[Bucket]] = defaultdict(list)
        for bucket in await posting_store.read_buckets(self._connection, blocks, self._buckets):
            buckets[bucket.block].append(bucket)
        for block in blocks:
            shelf = Shelf.read(buckets[block])
            self._masks[block] = [
                shelf.holding(words) | newest[block] if block in newest else shelf.holding(words)
                for words, newest in zip(self._words, self._newest, strict=True)
            ]
