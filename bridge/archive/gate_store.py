"""The statements that read what the gate must know of events and rooms."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from bridge.archive.direct_room import TYPES
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Place = tuple[int, RoomId, int]
    """Position, room, milliseconds as the sender's server claims."""


async def read_event(db: Connection | Pool, event_id: EventId) -> Place | None:
    """Return where an event stands and was said."""
    row = await db.fetchrow("SELECT seq, room_id, origin_ts FROM event WHERE event_id = $1", event_id)
    return tuple(row) if row else None


async def read_events(db: Connection | Pool, seqs: Collection[int]) -> list[Place]:
    """Return where these events were said."""
    rows = await db.fetch("SELECT seq, room_id, origin_ts FROM event WHERE seq = ANY($1)", list(seqs))
    return [tuple(row) for row in rows]


async def read_room(db: Connection | Pool, room_id: RoomId, most: int | None = None) -> list[Event]:
    """Return the events, or at most so many, of a room that tell whether it is direct.

    What was disposed of tells nothing.
    """
    rows = await db.fetch(
        "SELECT seq, body FROM event WHERE room_id = $1 AND type = ANY($2) AND state_key IS NOT NULL"
        " AND body IS NOT NULL ORDER BY seq LIMIT $3",
        room_id,
        list(TYPES),
        most,
    )
    return [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]


async def seal_room(db: Connection | Pool, room_id: RoomId) -> None:
    """Have the gate treat what was and will be said in a room as said in a direct room, for ever."""
    await db.execute("INSERT INTO sealed_room (room_id) VALUES ($1) ON CONFLICT DO NOTHING", room_id)


async def read_sealed(db: Connection | Pool, rooms: Collection[RoomId]) -> frozenset[RoomId]:
    """Return those of the rooms that are sealed."""
    rows = await db.fetch("SELECT room_id FROM sealed_room WHERE room_id = ANY($1)", list(rooms))
    return frozenset(RoomId(row["room_id"]) for row in rows)


async def rooms_of(db: Connection | Pool, people: Collection[UserId]) -> frozenset[RoomId]:
    """Return the rooms of which these users were ever members or to become so."""
    rows = await db.fetch(
        "SELECT DISTINCT room_id FROM event WHERE type = 'm.room.member' AND state_key = ANY($1)", list(people)
    )
    return frozenset(RoomId(row["room_id"]) for row in rows)
