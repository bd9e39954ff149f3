"""The statements of the tail and the blocks of search's index, one function each.

Callers open the database transactions; `bridge.archive.store.database_errors` translates what PostgreSQL refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bridge.archive.search.postings import Bucket, Columns

if TYPE_CHECKING:
    from bridge.database import Connection

_JOINED = 16
"""Parts of a level of the tail that become one of the next."""
_LAST_LEVEL = 2
"""Of parts of 256 messages and more, which stay as they are."""


async def read_tail(connection: Connection) -> list[tuple[int, Columns]]:
    """Return (id, columns) of each part of the tail."""
    rows = await connection.fetch("SELECT id, seqs, sizes, words FROM search_tail ORDER BY id")
    return [(row["id"], Columns(row["seqs"], row["sizes"], row["words"])) for row in rows]


async def read_buckets(connection: Connection, blocks: Sequence[int], buckets: Sequence[int]) -> list[Bucket]:
    """Return these buckets of these blocks."""
    rows = await connection.fetch(
        """
        SELECT held.* FROM unnest($1::int[]) AS wanted_block (block), unnest($2::smallint[]) AS wanted (bucket),
             LATERAL (SELECT * FROM search_bucket b WHERE b.block = wanted_block.block AND b.bucket = wanted.bucket)
             AS held
        """,
        blocks,
        buckets,
    )
    return [Bucket(*row) for row in rows]


async def read_block(connection: Connection, block: int) -> list[Bucket]:
    """Return all buckets of a block."""
    return [Bucket(*row) for row in await connection.fetch("SELECT * FROM search_bucket WHERE block = $1", block)]


async def add_to_tail(
    connection: Connection, columns: Columns, messages: int, chunks: Mapping[int, tuple[int, int]]
) -> None:
    """Store messages and, for each chunk, the first and the last moment at which they were sent."""
    level = next((level for level in range(_LAST_LEVEL) if messages < _JOINED ** (level + 1)), _LAST_LEVEL)
    parts: int = await connection.fetchval(
        """
        WITH known AS (
            INSERT INTO search_chunk SELECT * FROM unnest($5::int[], $6::bigint[], $7::bigint[])
            ON CONFLICT (chunk) DO UPDATE SET oldest = least(search_chunk.oldest, excluded.oldest),
                                              newest = greatest(search_chunk.newest, excluded.newest)
            WHERE search_chunk.oldest > excluded.oldest OR search_chunk.newest < excluded.newest
        )
        INSERT INTO search_tail (level, seqs, sizes, words) VALUES ($4, $1, $2, $3)
        RETURNING (SELECT count(*) + 1 FROM search_tail WHERE level = $4)
        """,
        *columns,
        level,
        list(chunks),
        [oldest for oldest, _ in chunks.values()],
        [newest for _, newest in chunks.values()],
    )
    while parts >= _JOINED and level < _LAST_LEVEL:
        parts = await _join(connection, level)
        level += 1


async def _join(connection: Connection, level: int) -> int:
    """Make one of all parts of the tail that have this level; return how many of the next there are then."""
    found: int | None = await connection.fetchval(
        """
        WITH part AS (DELETE FROM search_tail WHERE level = $1 RETURNING *)
        INSERT INTO search_tail (level, seqs, sizes, words)
        SELECT $1 + 1, string_agg(seqs, '' ORDER BY id), string_agg(sizes, '' ORDER BY id),
               string_agg(words, '' ORDER BY id) FROM part HAVING count(*) > 0
        RETURNING (SELECT count(*) + 1 FROM search_tail WHERE level = $1 + 1)
        """,
        level,
    )
    return found or 0


async def replace_tail(connection: Connection, parts: Sequence[int], columns: Columns) -> None:
    """Put one part in the place of these, or none when it holds nothing."""
    await connection.execute(
        """
        WITH part AS (DELETE FROM search_tail WHERE id = ANY ($1) RETURNING level)
        INSERT INTO search_tail (level, seqs, sizes, words)
        SELECT max(level), $2, $3, $4 FROM part HAVING count(*) > 0 AND length($2::bytea) > 0
        """,
        parts,
        *columns,
    )


async def add_buckets(connection: Connection, buckets: Sequence[Bucket]) -> None:
    """Store where words stand in blocks, beside what was known of that."""
    await connection.execute(
        "INSERT INTO search_bucket"
        " SELECT * FROM unnest($1::int[], $2::smallint[], $3::bytea[], $4::bytea[], $5::bytea[])"
        " ON CONFLICT (block, bucket) DO UPDATE SET words = search_bucket.words || excluded.words,"
        " sizes = search_bucket.sizes || excluded.sizes, places = search_bucket.places || excluded.places",
        *_columns(buckets),
    )


async def replace_buckets(connection: Connection, buckets: Sequence[Bucket]) -> None:
    """Store where words of these buckets stand now."""
    await connection.execute(
        "UPDATE search_bucket SET words = given.words, sizes = given.sizes, places = given.places"
        " FROM unnest($1::int[], $2::smallint[], $3::bytea[], $4::bytea[], $5::bytea[])"
        " AS given (block, bucket, words, sizes, places)"
        " WHERE search_bucket.block = given.block AND search_bucket.bucket = given.bucket",
        *_columns(buckets),
    )


def _columns(buckets: Sequence[Bucket]) -> list[list[Any]]:
    return [[bucket[column] for bucket in buckets] for column in range(len(Bucket._fields))]


async def begin_closing(connection: Connection, block: int) -> bool:
    """Note that what is before this block leaves the tail; return False when somebody else has seen to that."""
    return bool(
        await connection.fetchval("UPDATE search_state SET closed = $1 WHERE closed < $1 RETURNING true", block)
    )


async def read_words_of_blocks(connection: Connection) -> list[bytes]:
    """Return the numbers of the words of each block, as they are stored, in any order; some may come twice."""
    rows = await connection.fetch("SELECT string_agg(words, '') AS words FROM search_bucket GROUP BY block")
    return [row["words"] for row in rows]
