"""The statements about how complete the archive is, one function each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive.batch import storable
from bridge.archive.completeness import Obstacle, Statement
from bridge.archive.media_store import media_by_room
from bridge.archive.state_store import rooms_with_members
from bridge.archive.store import MOMENT
from bridge.archive.values import MediaFigures
from bridge.ids import RoomId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

_LONGEST_REASON = 500


async def read_statements(
    db: Connection | Pool, room_ids: Collection[RoomId] | None = None, *, size: int | None = None
) -> list[Statement]:
    """Return the statements of these rooms, or of all of which the archive knows, in the order of their IDs.

    With `size` only the first so many records of the archive are counted. It reads every event's columns, which takes
    about a second for a million.
    """
    rows = await db.fetch(
        f"""
        WITH counted AS (
            SELECT room_id, count(*) AS events, count(*) FILTER (WHERE backfilled) AS backfilled,
                   count(*) FILTER (WHERE type = 'm.room.encrypted' AND plaintext.seq IS NULL) AS encrypted,
                   min({MOMENT}) AS first, max({MOMENT}) AS last,
                   bool_or(type = 'm.room.create' AND state_key IS NOT NULL) AS is_whole
            FROM event LEFT JOIN plaintext USING (seq)
            WHERE room_id <> '' AND ($1::text[] IS NULL OR room_id = ANY($1)) AND seq <= coalesce($2, seq)
            GROUP BY room_id
        ), lost AS (
            SELECT room_id, jsonb_object_agg(reason, events) AS lost
            FROM (SELECT room_id, reason, count(*) AS events FROM lost_content GROUP BY room_id, reason) AS reasons
            GROUP BY room_id
        ), awaited AS (
            SELECT room_id, count(*) AS awaited FROM redacted_arrival GROUP BY room_id
        )
        SELECT room_id, events, counted.backfilled, encrypted, first, last, is_whole, checked_at, lost, awaited,
               is_gone, reason, since
        FROM counted FULL JOIN room_seen USING (room_id) FULL JOIN room_obstacle USING (room_id)
             FULL JOIN awaited USING (room_id) LEFT JOIN lost USING (room_id)
        WHERE $1::text[] IS NULL OR room_id = ANY($1) ORDER BY room_id
        """,  # noqa: S608 - our own constant
        None if room_ids is None else list(room_ids),
        size,
    )
    files = await media_by_room(db, room_ids)
    return [replace(_statement(row), media=files.get(RoomId(row["room_id"]), MediaFigures())) for row in rows]


async def read_archived_rooms(db: Connection | Pool) -> frozenset[RoomId]:
    """Return every room that was compared or of which a membership is archived."""
    rows = await db.fetch("SELECT room_id FROM room_seen")
    return frozenset(RoomId(row["room_id"]) for row in rows) | frozenset(await rooms_with_members(db))


async def read_gone_rooms(db: Connection | Pool) -> frozenset[RoomId]:
    """Return the rooms of which the homeserver had nothing any more."""
    rows = await db.fetch("SELECT room_id FROM room_obstacle WHERE is_gone")
    return frozenset(RoomId(row["room_id"]) for row in rows)


async def oldest_compared(db: Connection | Pool, before: datetime) -> RoomId | None:
    """Return the room that waits longest to be compared, of those not compared since; None when there is none.

    Rooms that were never compared come first; one with an obstacle waits as if it had been compared, one that is gone
    for ever.
    """
    found = await db.fetchrow(
        """
        SELECT room_id
        FROM unnest($1::text[]) AS known (room_id)
             LEFT JOIN room_seen USING (room_id) LEFT JOIN room_obstacle USING (room_id)
        WHERE is_gone IS NOT TRUE AND coalesce(greatest(checked_at, tried_at) < $2, true)
        ORDER BY greatest(checked_at, tried_at) NULLS FIRST LIMIT 1
        """,
        list(await read_archived_rooms(db)),
        before,
    )
    return None if found is None else RoomId(found["room_id"])


async def note_obstacle(db: Connection | Pool, room_id: RoomId, reason: str, *, is_gone: bool) -> None:
    """Note why the room cannot be compared; the first time of the same kind counts."""
    await db.execute(
        """
        INSERT INTO room_obstacle VALUES ($1, $2, $3)
        ON CONFLICT (room_id) DO UPDATE
        SET is_gone = excluded.is_gone, reason = excluded.reason, tried_at = excluded.tried_at, since =
            CASE WHEN room_obstacle.is_gone = excluded.is_gone THEN room_obstacle.since ELSE excluded.since END
        """,
        room_id,
        is_gone,
        storable(reason, _LONGEST_REASON),
    )


async def clear_obstacle(db: Connection | Pool, room_id: RoomId) -> None:
    """Note that the room can be compared."""
    await db.execute("DELETE FROM room_obstacle WHERE room_id = $1", room_id)


def _statement(row: asyncpg.Record) -> Statement:
    events, backfilled = row["events"] or 0, row["backfilled"] or 0
    return Statement(
        room_id=RoomId(row["room_id"]),
        seen_live=events - backfilled,
        backfilled=backfilled,
        encrypted=row["encrypted"] or 0,
        first=row["first"],
        last=row["last"],
        is_whole=bool(row["is_whole"]),
        checked_at=row["checked_at"],
        lost=row["lost"] or {},
        awaited=row["awaited"] or 0,
        obstacle=None if row["since"] is None else Obstacle(row["is_gone"], row["reason"], row["since"]),
    )
