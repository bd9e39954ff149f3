"""The statements on people's rooms for announcements: one function each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


async def find(db: Database, user_id: UserId) -> RoomId | None:
    """Return the room that somebody was brought into and, as far as events tell, has not left; None without one."""
    found: RoomId | None = await db.fetchval(
        """SELECT room_id FROM personal_room p WHERE user_id = $1 AND joined AND NOT EXISTS (
               SELECT FROM room_member m WHERE m.room_id = p.room_id AND m.user_id = $1
                   AND m.membership IN ('leave', 'ban'))""",
        user_id,
    )
    return found


async def put(db: Database, user_id: UserId, room_id: RoomId) -> None:
    """Remember a room that is somebody's, and that they are still to be brought into."""
    await db.execute(
        """INSERT INTO personal_room (user_id, room_id, joined) VALUES ($1, $2, false)
           ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id, joined = false""",
        user_id,
        room_id,
    )


async def put_joined(db: Database, user_id: UserId) -> None:
    """Remember that somebody is in the room."""
    await db.execute("UPDATE personal_room SET joined = true WHERE user_id = $1", user_id)
