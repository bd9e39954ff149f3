"""What rooms were like, from the archived state events: who was a member, who had power, what the room was called.

Each function is one statement. Only what was sent by a moment is returned; an event counts as sent when its sender's
server says, at the latest when it arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge.archive.store import MOMENT
from bridge.archive.values import Comparison, StateEvent
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

EVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Until then: everything that is archived."""
_COLUMNS = "seq, event_id, room_id, type, sender, state_key, origin_ts, body"


async def read_memberships(
    db: Connection | Pool, until: datetime, *, room_id: RoomId | None = None, user_id: UserId | None = None
) -> list[StateEvent]:
    """Return the membership events of a room, or of a user, in the order in which they counted."""
    column, value = ("room_id", room_id) if user_id is None else ("state_key", user_id)
    rows = await db.fetch(
        f"""SELECT {_COLUMNS}, {MOMENT} AS at FROM event
            WHERE type = 'm.room.member' AND state_key IS NOT NULL AND body IS NOT NULL AND {column} = $1
                  AND {MOMENT} <= $2
            ORDER BY at, seq""",  # noqa: S608 - our own constants
        value,
        until,
    )
    return [_state_event(row) for row in rows]


async def read_people_memberships(db: Connection | Pool, people: Collection[UserId]) -> list[StateEvent]:
    """Return the membership events of these users, in the order in which they counted."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS}, {MOMENT} AS at FROM event
            WHERE type = 'm.room.member' AND state_key = ANY($1) AND body IS NOT NULL ORDER BY at, seq""",  # noqa: S608 - our own constants
        list(people),
    )
    return [_state_event(row) for row in rows]


async def read_rooms_state(
    db: Connection | Pool, types: Sequence[str], until: datetime, room_ids: Collection[RoomId] | None = None
) -> list[StateEvent]:
    """Return the events of these types with an empty state key, of these rooms or of all, in the order they counted."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS}, {MOMENT} AS at FROM event
            WHERE type = ANY($1) AND state_key = '' AND body IS NOT NULL
                  AND ($3::text[] IS NULL OR room_id = ANY($3)) AND {MOMENT} <= $2
            ORDER BY at, seq""",  # noqa: S608 - our own constants
        list(types),
        until,
        None if room_ids is None else list(room_ids),
    )
    return [_state_event(row) for row in rows]


async def rooms_with_members(db: Connection | Pool) -> list[RoomId]:
    """Return every room of which a membership is archived, by one step through the index for each."""
    rows = await db.fetch(
        """WITH RECURSIVE found AS (
               (SELECT room_id FROM event WHERE type = 'm.room.member' AND state_key IS NOT NULL
                ORDER BY room_id LIMIT 1)
               UNION ALL
               SELECT (SELECT room_id FROM event WHERE type = 'm.room.member' AND state_key IS NOT NULL
                           AND room_id > found.room_id ORDER BY room_id LIMIT 1)
               FROM found WHERE found.room_id IS NOT NULL)
           SELECT room_id FROM found WHERE room_id IS NOT NULL"""
    )
    return [RoomId(row["room_id"]) for row in rows]


async def read_comparisons(db: Connection | Pool, room_ids: Collection[RoomId]) -> dict[RoomId, Comparison]:
    """Return how complete the archive is for these rooms; a room without a state event is not among them."""
    rows = await db.fetch(
        f"""SELECT room_id, min({MOMENT}) AS begins, bool_or(type = 'm.room.create') AS whole,
                   max(seen.checked_at) AS checked_at, coalesce(max(seen.backfilled), 0) AS backfilled
            FROM event LEFT JOIN room_seen seen USING (room_id)
            WHERE state_key IS NOT NULL AND type = ANY($2) AND room_id = ANY($1) GROUP BY room_id""",  # noqa: S608
        list(room_ids),
        ["m.room.create", "m.room.member"],
    )
    return {
        RoomId(row["room_id"]): Comparison(row["begins"], row["whole"], row["checked_at"], row["backfilled"])
        for row in rows
    }


def _state_event(row: asyncpg.Record) -> StateEvent:
    """Return the event of a row; a room has tens of thousands, so that only the content is taken from the body."""
    seq, event_id, room_id, kind, sender, state_key, timestamp, body, at = row
    content = wire.decode(body).get("content")
    content = content if isinstance(content, dict) else {}
    return StateEvent(Event(seq, event_id, room_id, kind, sender, state_key, content, timestamp, None), at)
