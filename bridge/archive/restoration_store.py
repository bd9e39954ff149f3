"""The statements on what is given back from the archive, one function each."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive.lost import MESSAGE
from bridge.archive.store import MOMENT
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def message_positions(db: Connection | Pool, room_id: RoomId) -> list[int]:
    """Return the positions of a room's messages, edits too, in the order in which they were sent."""
    rows = await db.fetch(
        "SELECT seq FROM event WHERE room_id = $1 AND type = $2 ORDER BY origin_ts, seq", room_id, MESSAGE
    )
    return [row["seq"] for row in rows]


async def last_message(db: Connection | Pool, room_id: RoomId) -> datetime:
    """Return when the last message of a room was sent, which must have one."""
    found: datetime = await db.fetchval(
        f"SELECT max({MOMENT}) FROM event WHERE room_id = $1 AND type = $2",  # noqa: S608 - our own expression
        room_id,
        MESSAGE,
    )
    return found


async def count_encrypted(db: Connection | Pool, room_id: RoomId) -> int:
    """Return how many messages of a room are encrypted."""
    found: int = await db.fetchval(
        "SELECT count(*) FROM event WHERE room_id = $1 AND type = 'm.room.encrypted'", room_id
    )
    return found


async def read_events(db: Connection | Pool, seqs: Collection[int]) -> dict[int, tuple[Event, bytes]]:
    """Return the events at these positions with their leaves; what was disposed of is missing."""
    rows = await db.fetch("SELECT seq, leaf, body FROM event WHERE seq = ANY($1) AND body IS NOT NULL", list(seqs))
    return {row["seq"]: (Event.of(wire.decode(row["body"]), row["seq"]), row["leaf"]) for row in rows}


async def read_restored(db: Connection | Pool, room_id: RoomId) -> dict[EventId, EventId]:
    """Return what was given back to a room, and as which event."""
    rows = await db.fetch("SELECT event_id, restored_event_id FROM restoration WHERE room_id = $1", room_id)
    return {EventId(row["event_id"]): EventId(row["restored_event_id"]) for row in rows}


async def read_said_by(db: Connection | Pool, room_id: RoomId, sender: UserId) -> list[Event]:
    """Return the messages of one sender in a room."""
    rows = await db.fetch(
        "SELECT seq, body FROM event WHERE room_id = $1 AND sender = $2 AND type = $3 AND body IS NOT NULL",
        room_id,
        sender,
        MESSAGE,
    )
    return [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]


async def put_restored(
    db: Connection | Pool, event_id: EventId, room_id: RoomId, restored: EventId, at: datetime
) -> None:
    """Note that a message was given back to a room."""
    await db.execute(
        "INSERT INTO restoration (event_id, room_id, restored_event_id, at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        event_id,
        room_id,
        restored,
        at,
    )
