"""The statements on how far LDAP servers have been read: one function each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass(frozen=True, slots=True)
class Place:
    """How far a source has been read."""

    request: str
    """A digest of what was asked."""
    server: str
    cursor: str
    full_at: datetime
    counts: Mapping[str, int]
    """Attribute → how many entries had a value when everybody was read."""


async def load_place(pool: Pool, source: str) -> Place | None:
    """Return how far a source has been read, None when it never was."""
    row = await pool.fetchrow(
        "SELECT request, server, cursor, full_at, counts FROM ldap_cursor WHERE source = $1", source
    )
    return None if row is None else Place(**row)


async def put_place(pool: Pool, source: str, place: Place) -> None:
    """Note how far a source has been read."""
    await pool.execute(
        """
        INSERT INTO ldap_cursor (source, request, server, cursor, full_at, counts) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (source) DO UPDATE SET request = excluded.request, server = excluded.server,
            cursor = excluded.cursor, full_at = excluded.full_at, counts = excluded.counts
        """,
        source,
        place.request,
        place.server,
        place.cursor,
        place.full_at,
        dict(place.counts),
    )
