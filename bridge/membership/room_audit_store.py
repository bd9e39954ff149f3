"""The statements of the comparison of rooms with the homeserver: one function each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Pass:
    """One comparison of all rooms, begun or over."""

    started_at: datetime
    finished_at: datetime | None
    position: RoomId
    """The last room compared."""
    rooms: int
    members: int
    """Memberships compared."""
    repaired: int
    """What the homeserver had otherwise: memberships, powers and settings."""
    failed: int
    """Rooms that could not be read."""


async def read_pass(db: Connection | Pool) -> Pass | None:
    """Return the comparison that is under way or was the last; None before the first."""
    row = await db.fetchrow("SELECT * FROM room_audit")
    return Pass(**{name: row[name] for name in Pass.__dataclass_fields__}) if row else None


async def put_pass(db: Connection | Pool, one: Pass) -> None:
    """Remember how far a comparison has come."""
    await db.execute(
        """INSERT INTO room_audit (started_at, finished_at, position, rooms, members, repaired, failed)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (sole) DO UPDATE SET started_at = excluded.started_at, finished_at = excluded.finished_at,
               position = excluded.position, rooms = excluded.rooms, members = excluded.members,
               repaired = excluded.repaired, failed = excluded.failed""",
        one.started_at,
        one.finished_at,
        one.position,
        one.rooms,
        one.members,
        one.repaired,
        one.failed,
    )


async def read_members(db: Connection | Pool, room_id: RoomId) -> dict[UserId, str]:
    """Return everybody's membership of a room, as we know it."""
    rows = await db.fetch(
        "SELECT membership, array_agg(user_id) AS users FROM room_member WHERE room_id = $1 GROUP BY membership",
        room_id,
    )
    return {UserId(user): row["membership"] for row in rows for user in row["users"]}


async def read_power(db: Connection | Pool, room_id: RoomId) -> dict[UserId, int]:
    """Return who has another level than 0 in a room, as we know it."""
    users = await db.fetchval("SELECT users FROM room_power WHERE room_id = $1", room_id)
    return {UserId(user): level for user, level in (users or {}).items()}


async def forget_moments(db: Connection | Pool, room_id: RoomId, users: Collection[UserId]) -> None:
    """Let the homeserver's state of a room win over what we know of these users and of power, however old it is."""
    await db.execute(
        """WITH power AS (UPDATE room_power SET changed_at = to_timestamp(0) WHERE room_id = $1)
           UPDATE room_member SET changed_at = to_timestamp(0), event_id = ''
           WHERE room_id = $1 AND user_id = ANY($2)""",
        room_id,
        list(users),
    )
