"""The rooms that people made themselves, and what became of them, in the database."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from bridge.homeserver import wire
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership.handover import ADMINISTRATOR
from bridge.membership.unmanaged import LEAST, UnmanagedRoom

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_PATIENCE: Final = timedelta(days=1)
"""What the homeserver refused is tried again after so long."""


async def read_unmanaged(
    db: Connection | Pool, bot: UserId, now: datetime, touched: Collection[UserId] | None = None
) -> list[UnmanagedRoom]:
    """Return the rooms that no rule makes, by their IDs; with `touched` those in which one of these users is.

    Left out are direct and personal rooms, rooms of fewer than `LEAST` people, those that the bot is in without having
    adopted them, and those of which the homeserver has lately refused something.
    """
    rows = await db.fetch(
        """SELECT m.room_id, u.announced_at, u.closed_at IS NOT NULL AS closed,
               array_agg(m.user_id) FILTER (WHERE m.user_id <> $1) AS users,
               bool_or(m.user_id = $1 AND m.membership = 'join')
                   AND coalesce((p.users->>$1)::integer >= $2, false) AS adopted
           FROM room_member m LEFT JOIN unmanaged_room u USING (room_id) LEFT JOIN room_power p USING (room_id)
           WHERE m.membership IN ('join', 'invite')
               AND NOT EXISTS (SELECT FROM managed_room r WHERE r.room_id = m.room_id)
               AND NOT EXISTS (SELECT FROM direct_room d WHERE d.room_id = m.room_id)
               AND NOT EXISTS (SELECT FROM personal_room o WHERE o.room_id = m.room_id)
               AND (u.refused_at IS NULL OR u.refused_at <= $3)
           GROUP BY m.room_id, u.room_id, p.room_id
           HAVING (count(*) FILTER (WHERE m.user_id <> $1) >= $4
                   OR u.closed_at IS NOT NULL AND count(*) FILTER (WHERE m.user_id <> $1) > 0)
               AND (u.room_id IS NOT NULL OR NOT bool_or(m.user_id = $1 AND m.membership = 'join'))
               AND ($5::text[] IS NULL OR bool_or(m.user_id = ANY($5)))
           ORDER BY m.room_id""",
        bot,
        ADMINISTRATOR,
        now - _PATIENCE,
        LEAST,
        None if touched is None else list(touched),
    )
    names = await _read_names(db, [row["room_id"] for row in rows])
    return [
        UnmanagedRoom(
            RoomId(row["room_id"]),
            names.get(row["room_id"], ""),
            frozenset(map(UserId, row["users"])),
            row["adopted"],
            row["announced_at"],
            row["closed"],
        )
        for row in rows
    ]


async def _read_names(db: Connection | Pool, rooms: Collection[str]) -> dict[str, str]:
    """Return what the rooms are called, as far as the archive knows."""
    if not rooms:
        return {}
    found = await db.fetch(
        """SELECT DISTINCT ON (room_id) room_id, body FROM event
           WHERE room_id = ANY($1) AND type = 'm.room.name' AND state_key = '' ORDER BY room_id, seq DESC""",
        list(rooms),
    )
    said = {row["room_id"]: wire.decode(row["body"]).get("content", {}).get("name") for row in found}
    return {room_id: " ".join(name.split()) for room_id, name in said.items() if isinstance(name, str)}


async def owners_of(db: Connection | Pool, users: Collection[UserId]) -> dict[UserId, PersonId]:
    """Return whose accounts these are, of those that are of people of the directory."""
    rows = await db.fetch("SELECT user_id, person_id FROM account WHERE user_id = ANY($1)", list(users))
    return {UserId(row["user_id"]): PersonId(row["person_id"]) for row in rows}


async def begin_adopting(db: Connection | Pool, room_id: RoomId, at: datetime) -> None:
    """Say that the bot is about to become an administrator of a room."""
    await db.execute(
        "INSERT INTO unmanaged_room (room_id, adopted_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", room_id, at
    )


async def is_adopted(db: Connection | Pool, room_id: RoomId) -> bool:
    """Tell whether the bot is, or is about to be, in a room by its own will."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM unmanaged_room WHERE room_id = $1)", room_id)
    return found


async def read_fates(db: Connection | Pool) -> dict[RoomId, tuple[datetime | None, bool]]:
    """Return of the rooms that were adopted since when their people know of the closing, and whether it is done."""
    rows = await db.fetch("SELECT room_id, announced_at, closed_at FROM unmanaged_room WHERE refused_at IS NULL")
    return {RoomId(row["room_id"]): (row["announced_at"], row["closed_at"] is not None) for row in rows}


async def mark_adopted(db: Connection | Pool, room_id: RoomId, announced_at: datetime | None) -> None:
    """Say that the bot is an administrator now, and since when people know that the room will be closed."""
    await db.execute(
        """UPDATE unmanaged_room SET refused_at = NULL, announced_at = coalesce(announced_at, $2) WHERE room_id = $1""",
        room_id,
        announced_at,
    )


async def mark_refused(db: Connection | Pool, room_id: RoomId, at: datetime) -> None:
    """Say that the homeserver has refused it."""
    await db.execute("UPDATE unmanaged_room SET refused_at = $2 WHERE room_id = $1", room_id, at)


async def mark_closed(db: Connection | Pool, room_id: RoomId, at: datetime) -> None:
    """Say that nobody gets in any more."""
    await db.execute("UPDATE unmanaged_room SET closed_at = $2 WHERE room_id = $1", room_id, at)


async def forget_closing(db: Connection | Pool) -> None:
    """Say that no room is to be closed (any more): whoever is told anew gets the whole time again."""
    await db.execute(
        """UPDATE unmanaged_room SET announced_at = NULL, closed_at = NULL
           WHERE announced_at IS NOT NULL OR closed_at IS NOT NULL"""
    )


async def next_announced(db: Connection | Pool, since: datetime) -> datetime | None:
    """Return when the first room after `since` was announced that is not closed yet."""
    found: datetime | None = await db.fetchval(
        "SELECT min(announced_at) FROM unmanaged_room WHERE announced_at > $1 AND closed_at IS NULL", since
    )
    return found
