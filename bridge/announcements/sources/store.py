"""The statements on what sources have sent, and on how far feeds are read: one function each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """How far a feed is read."""

    url: str
    begun: bool = False
    """Whether it was read once; what stood there then is not news."""
    etag: str = ""
    modified: str = ""
    """`Last-Modified`, as the server wrote it."""
    failures: int = 0
    """In a row."""


async def remember(db: Database, source: str, item: str, at: datetime) -> bool:
    """Note that a source has sent something; False when it had before, whoever else notes it at the same time."""
    inserted: str | None = await db.fetchval(
        "INSERT INTO source_item (source, item, seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING item",
        source,
        item,
        at,
    )
    return inserted is not None


async def put_announcement(db: Database, source: str, item: str, announcement: str) -> None:
    """Note what became of something that a source has sent."""
    await db.execute(
        "UPDATE source_item SET announcement = $3 WHERE source = $1 AND item = $2", source, item, announcement
    )


async def remember_all(db: Database, source: str, items: Collection[str], at: datetime) -> None:
    """Note that a source has sent all this and nothing was announced of it."""
    await db.execute(
        "INSERT INTO source_item (source, item, seen_at) SELECT $1, unnest($2::text[]), $3 ON CONFLICT DO NOTHING",
        source,
        list(items),
        at,
    )


async def announced_as(db: Database, source: str, item: str) -> str | None:
    """Return the announcement that was made of something, None when none was."""
    found: str | None = await db.fetchval(
        "SELECT announcement FROM source_item WHERE source = $1 AND item = $2", source, item
    )
    return found


async def touch_known(db: Database, source: str, items: Collection[str], at: datetime) -> set[str]:
    """Return which of these the source has sent before, and note that it still does."""
    rows = await db.fetch(
        "UPDATE source_item SET seen_at = $3 WHERE source = $1 AND item = ANY($2) RETURNING item",
        source,
        list(items),
        at,
    )
    return {row["item"] for row in rows}


async def forget_items(db: Database, before: datetime) -> None:
    """Forget what no source has sent since a moment.

    Of a feed that nothing was read of since, everything stays: what it still says must not be news one day.
    """
    await db.execute(
        """DELETE FROM source_item AS old WHERE seen_at < $1 AND (source NOT LIKE 'feed/%' OR EXISTS (
               SELECT FROM source_item AS newer WHERE newer.source = old.source AND newer.seen_at >= $1))""",
        before,
    )


async def load_place(db: Database, name: str) -> FeedPlace | None:
    """Return how far a feed is read, None when it never was."""
    row = await db.fetchrow("SELECT url, begun, etag, modified, failures FROM announcement_feed WHERE name = $1", name)
    return None if row is None else FeedPlace(**row)


async def put_place(db: Database, name: str, place: FeedPlace) -> None:
    """Note how far a feed is read."""
    await db.execute(
        "INSERT INTO announcement_feed (name, url, begun, etag, modified, failures) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (name) DO UPDATE SET url = $2, begun = $3, etag = $4, modified = $5, failures = $6",
        name,
        place.url,
        place.begun,
        place.etag,
        place.modified,
        place.failures,
    )
