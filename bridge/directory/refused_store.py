"""The statements on attributes that came and were dropped: one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Refused:
    """An attribute that a source sends and nobody keeps."""

    source: str
    """`scim:TOKEN`, `hook:NAME` or `csv`."""
    name: str
    times: int
    last_at: datetime


async def add_refused(db: Connection | Pool, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to what is counted of each source and name."""
    pairs = sorted(counts)  # always in one order, so that two processes do not wait for each other
    await db.execute(
        """INSERT INTO refused_attribute (source, name, times, last_at)
           SELECT source, name, times, now() FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u(source, name, times)
           ON CONFLICT (source, name) DO UPDATE
           SET times = refused_attribute.times + excluded.times, last_at = excluded.last_at""",
        [source for source, _ in pairs],
        [name for _, name in pairs],
        [counts[pair] for pair in pairs],
    )


async def known_names(db: Connection | Pool, sources: Collection[str]) -> dict[str, set[str]]:
    """Return which names are counted already of each of these sources."""
    rows = await db.fetch("SELECT source, name FROM refused_attribute WHERE source = ANY($1)", list(sources))
    known: dict[str, set[str]] = {source: set() for source in sources}
    for row in rows:
        known[row["source"]].add(row["name"])
    return known


async def load_refused(db: Connection | Pool) -> list[Refused]:
    """Return everything that was counted, by source, the most frequent first."""
    rows = await db.fetch(
        """SELECT source, name, times, last_at FROM refused_attribute
           ORDER BY source, times DESC, name COLLATE "C" """
    )
    return [Refused(**row) for row in rows]
