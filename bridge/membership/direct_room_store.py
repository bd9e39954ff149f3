"""The statements on the rooms in which the bot talks with one person alone: one function each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def find(db: Connection | Pool, user_id: UserId) -> RoomId | None:
    """Return the room of the bot and somebody who, as far as events tell, has not left it; None when there is none."""
    found: RoomId | None = await db.fetchval(
        """SELECT room_id FROM direct_room WHERE user_id = $1 AND NOT EXISTS (
               SELECT FROM room_member m WHERE m.room_id = direct_room.room_id AND m.user_id = $1
                   AND m.membership IN ('leave', 'ban'))""",
        user_id,
    )
    return found


async def put(db: Connection | Pool, user_id: UserId, room_id: RoomId) -> None:
    """Remember the room of the bot and somebody, which is sealed: what is said to the bot is between the two."""
    await db.execute(
        """WITH sealing AS (INSERT INTO sealed_room (room_id) VALUES ($2) ON CONFLICT DO NOTHING)
           INSERT INTO direct_room (user_id, room_id) VALUES ($1, $2)
           ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id""",
        user_id,
        room_id,
    )
