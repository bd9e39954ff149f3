"""Managed rooms that the homeserver no longer has, in the database: one function for each statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import RoomId, RoomKey, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class FormerRoom:
    """A managed room that is gone, or may be."""

    room_id: RoomId
    key: RoomKey
    name: str


async def read_rooms(db: Connection | Pool, rooms: Collection[RoomId]) -> list[FormerRoom]:
    """Return those of the rooms that are managed."""
    rows = await db.fetch("SELECT room_id, key, name FROM managed_room WHERE room_id = ANY($1) ORDER BY key", rooms)
    return [FormerRoom(RoomId(row["room_id"]), RoomKey(row["key"]), row["name"]) for row in rows]


async def read_all(db: Connection | Pool) -> frozenset[RoomId]:
    """Return every managed room that has been made."""
    rows = await db.fetch("SELECT room_id FROM managed_room WHERE room_id IS NOT NULL")
    return frozenset(RoomId(row["room_id"]) for row in rows)


async def read_forsaken(db: Connection | Pool, bot: UserId) -> list[RoomId]:
    """Return the managed rooms that the bot has left, or was taken out of, by the events."""
    rows = await db.fetch(
        """SELECT room_id FROM managed_room JOIN room_member USING (room_id)
           WHERE user_id = $1 AND membership NOT IN ('join', 'invite')""",
        bot,
    )
    return [RoomId(row["room_id"]) for row in rows]


async def read_spaces_of(db: Connection | Pool, key: RoomKey) -> list[RoomId]:
    """Return the spaces that list a managed room."""
    rows = await db.fetch(
        """SELECT space.room_id FROM managed_room room JOIN managed_room space ON space.key = ANY(room.parents)
           WHERE room.key = $1 AND space.room_id IS NOT NULL""",
        key,
    )
    return [RoomId(row["room_id"]) for row in rows]


async def retire(db: Connection, room: FormerRoom, at: datetime) -> None:
    """Have the key wait for a fresh room: nobody is in the old one, and what the old one was set up for is not so."""
    await db.execute(
        """WITH kept AS (
               INSERT INTO former_room (room_id, key, name, gone_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (room_id) DO NOTHING),
           left_it AS (UPDATE room_member SET membership = 'leave'
               WHERE room_id = $1 AND membership IN ('join', 'invite', 'knock')),
           ungranted AS (DELETE FROM granted WHERE room_id = $1),
           unvisited AS (DELETE FROM former_guest WHERE room_id = $1),
           powerless AS (DELETE FROM room_power WHERE room_id = $1),
           forgotten AS (DELETE FROM intervention WHERE room_id = $1 AND settled_at IS NULL),
           awake AS (DELETE FROM rest WHERE room_id = $1)
           UPDATE managed_room SET
               room_id = CASE WHEN key = $2 THEN NULL ELSE room_id END,
               parents = '{}', orders = '{}',
               open_to = CASE WHEN open_to = $2 THEN NULL ELSE open_to END
           WHERE key = $2 OR $2 = ANY(parents)""",
        room.room_id,
        room.key,
        room.name,
        at,
    )


async def is_waiting(db: Connection | Pool) -> bool:
    """Tell whether a room is gone and not everything has been looked at since."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM former_room WHERE looked_at IS NULL)")
    return found


async def mark_looked(db: Connection | Pool, begun: datetime, at: datetime) -> None:
    """Remember that everything was looked at, which was begun after these rooms were gone."""
    await db.execute("UPDATE former_room SET looked_at = $2 WHERE looked_at IS NULL AND gone_at <= $1", begun, at)
