"""The statements that cut a part of the archive into slices and read them.

The positions and their slices are a temporary table of the connection: small beside the events, in nobody's way, and
gone with it. Cutting again gives the same slices, since the archive up to a checkpoint never grows.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive.export.values import Slice
from bridge.archive.scope_store import MATCHES, Bounds
from bridge.archive.store import MOMENT
from bridge.ids import RoomId

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection

_MOST_EVENTS = 5000
_MOST_BYTES = 8_000_000


async def cut(connection: Connection, bounds: Bounds, size: int, *, by_conversation: bool) -> None:
    """Cut what is in bounds, of the first `size` events, by room and day or else in the ledger's order.

    A slice has at most 5,000 events and about 8 MB.
    """
    await connection.execute("DROP TABLE IF EXISTS pg_temp.chosen")
    await connection.execute(
        'CREATE TEMPORARY TABLE chosen (slice bigint, seq bigint UNIQUE, room_id text COLLATE "C", day date,'
        " PRIMARY KEY (slice, seq))"
    )
    await connection.execute(
        f"""
        INSERT INTO pg_temp.chosen
        SELECT dense_rank() OVER (ORDER BY room_part, day_part, nth, share), seq, room_id, day
        FROM (
            SELECT *, (row_number() OVER part - 1) / $10 AS nth, (sum(bytes) OVER part)::bigint / $11 AS share
            FROM (
                SELECT seq, room_id, day, bytes, CASE WHEN $12 THEN room_id ELSE '' END AS room_part,
                       CASE WHEN $12 THEN day END AS day_part
                FROM (
                    SELECT seq, room_id, ({MOMENT} AT TIME ZONE 'UTC')::date AS day,
                           coalesce(length(body), 0)::bigint AS bytes
                    FROM event WHERE {MATCHES} AND seq <= $9
                ) AS found
            ) AS parted WINDOW part AS (PARTITION BY room_part, day_part ORDER BY seq)
        ) AS counted
        """,  # noqa: S608 - our own conditions
        *bounds.values(),
        size,
        _MOST_EVENTS,
        _MOST_BYTES,
        by_conversation,
    )
    await connection.execute("ANALYZE pg_temp.chosen")


async def read_some_positions(connection: Connection, after: int, limit: int) -> list[int]:
    """Return the next positions of what was cut, in order."""
    rows = await connection.fetch("SELECT seq FROM pg_temp.chosen WHERE seq > $1 ORDER BY seq LIMIT $2", after, limit)
    return [row["seq"] for row in rows]


async def leave_out(connection: Connection, seqs: Collection[int]) -> None:
    """Take the events at these positions out of what was cut."""
    await connection.execute("DELETE FROM pg_temp.chosen WHERE seq = ANY($1)", list(seqs))


async def read_slices(connection: Connection) -> list[Slice]:
    """Return the slices that `cut` made, in their order."""
    rows = await connection.fetch(
        "SELECT slice, count(*) AS events, min(room_id) AS room_id, min(day) AS day FROM pg_temp.chosen"
        " GROUP BY slice ORDER BY slice"
    )
    return [Slice(row["slice"], row["events"], RoomId(row["room_id"]), row["day"]) for row in rows]


async def read_slice(connection: Connection, number: int) -> list[Row]:
    """Return (seq, event_id, room_id, sent_at, received_at, backfilled, salt, leaf, body) in the ledger's order."""
    return await connection.fetch(
        f"SELECT seq, event_id, event.room_id, {MOMENT} AS sent_at, received_at, backfilled, salt, leaf, body"  # noqa: S608
        " FROM pg_temp.chosen JOIN event USING (seq) WHERE slice = $1 ORDER BY seq",
        number,
    )


async def read_positions(connection: Connection) -> bytes:
    """Return the position of everything that was cut, in order, eight bytes each, big-endian."""
    positions: bytes | None = await connection.fetchval(
        "SELECT string_agg(int8send(seq), '' ORDER BY seq) FROM pg_temp.chosen"
    )
    return positions or b""


async def read_rooms(connection: Connection) -> list[RoomId]:
    """Return the rooms of what was cut, sorted."""
    rows = await connection.fetch("SELECT DISTINCT room_id FROM pg_temp.chosen ORDER BY room_id")
    return [RoomId(row["room_id"]) for row in rows]


async def read_following(connection: Connection, event_ids: Collection[str], size: int) -> list[Row]:
    """Return (seq, body) of what edits, redacts, reacts or answers to these, among the first `size` events."""
    return await connection.fetch(
        "SELECT seq, body FROM event WHERE relates_to = ANY($1) AND seq <= $2 AND body IS NOT NULL ORDER BY seq",
        list(event_ids),
        size,
    )


async def read_said(connection: Connection, seqs: Collection[int], at: datetime) -> dict[int, bytes]:
    """Return what those of the events say that came encrypted and had been read by a moment, as canonical JSON."""
    rows = await connection.fetch(
        "SELECT seq, body FROM plaintext WHERE seq = ANY($1) AND decrypted_at <= $2", list(seqs), at
    )
    return {row["seq"]: row["body"] for row in rows}


async def read_chosen(connection: Connection, event_ids: Collection[str]) -> frozenset[str]:
    """Return which of the events were cut."""
    rows = await connection.fetch(
        "SELECT event_id FROM event JOIN pg_temp.chosen USING (seq) WHERE event_id = ANY($1)", list(event_ids)
    )
    return frozenset(row["event_id"] for row in rows)
