"""What was disposed of is found by nothing any more, and words that nothing else says go too."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from bridge.archive import disposal_store
from bridge.archive.search import posting_store, store
from bridge.archive.search.postings import Tail, distinct, masks_of, without
from bridge.archive.store import transaction

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def forget(connection: Connection, seqs: Collection[int]) -> None:
    """Remove the events at these positions from the index; the caller keeps everybody else from adding to it."""
    gone = np.array(sorted(seqs))
    for part, columns in await posting_store.read_tail(connection):
        tail = Tail.read([columns])
        kept = ~np.isin(tail.seqs, gone)
        if not kept.all():
            await posting_store.replace_tail(connection, [part], tail.kept(kept).columns())
    for block, mask in masks_of(gone).items():
        buckets = await posting_store.read_block(connection, block)
        left = await asyncio.to_thread(lambda: [without(bucket, mask) for bucket in buckets])  # noqa: B023 - awaited
        await posting_store.replace_buckets(connection, [bucket for bucket in left if bucket is not None])


async def sweep(pool: Pool) -> int:
    """Remove the words that no message has any more, and return how many those were."""
    async with transaction(pool) as connection:
        await disposal_store.lock_traces(connection)
        tail = Tail.read([columns for _, columns in await posting_store.read_tail(connection)])
        stored = await posting_store.read_words_of_blocks(connection)
        return await store.keep_words(connection, distinct([tail.words.tobytes(), *stored]))
