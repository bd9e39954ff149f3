"""The statements of files that no event refers to any more, one function each."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Connection


async def lock_orphans(connection: Connection, limit: int) -> list[str]:
    """Lock links that lost a reference, with their rows, so that none gets one and nobody fetches them; return them.

    What somebody else has locked is left for another time.
    """
    rows = await connection.fetch(
        "SELECT mxc FROM media_orphan JOIN media_link USING (mxc) ORDER BY mxc LIMIT $1 FOR UPDATE SKIP LOCKED", limit
    )
    return [row["mxc"] for row in rows]


async def is_media_noted(connection: Connection) -> bool:
    """Return whether the files of every archived event are noted."""
    found: bool = await connection.fetchval(
        "SELECT coalesce((SELECT seq FROM feed_cursor WHERE consumer = 'media'), 0)"
        " >= (SELECT coalesce(max(seq), 0) FROM event WHERE room_id <> '')"
    )
    return found


async def drop_orphans(connection: Connection, mxcs: Collection[str]) -> None:
    """Remove those of the locked links to which nothing refers, and have their files looked at."""
    await connection.execute(
        """WITH looked_at AS (DELETE FROM media_orphan WHERE mxc = ANY($1)),
                gone AS (DELETE FROM media_link WHERE mxc = ANY($1)
                         AND NOT EXISTS (SELECT FROM media_reference WHERE media_reference.mxc = media_link.mxc)
                         RETURNING sha256)
           UPDATE media_file SET is_leaving = true WHERE sha256 IN (SELECT sha256 FROM gone)""",
        list(mxcs),
    )


async def lock_leaving(connection: Connection, limit: int) -> list[bytes]:
    """Lock files that lost a link, so that none gets one; return their hashes."""
    rows = await connection.fetch(
        "SELECT sha256 FROM media_file WHERE is_leaving ORDER BY sha256 LIMIT $1 FOR UPDATE SKIP LOCKED", limit
    )
    return [row["sha256"] for row in rows]


async def read_unlinked(connection: Connection, hashes: Collection[bytes]) -> list[tuple[bytes, int]]:
    """Return (hash, size in bytes) of those of the files that no link leads to."""
    rows = await connection.fetch(
        "SELECT sha256, size FROM media_file WHERE sha256 = ANY($1)"
        " AND NOT EXISTS (SELECT FROM media_link WHERE media_link.sha256 = media_file.sha256) ORDER BY sha256",
        list(hashes),
    )
    return [(row["sha256"], row["size"]) for row in rows]


async def drop_files(connection: Connection, removed: Collection[bytes], looked_at: Collection[bytes]) -> None:
    """Forget the files that were removed; the others that were looked at stay."""
    await connection.execute("DELETE FROM media_file WHERE sha256 = ANY($1)", list(removed))
    await connection.execute(
        "UPDATE media_file SET is_leaving = false WHERE sha256 = ANY($1) AND is_leaving", list(looked_at)
    )
