"""The tables of requests: one function per statement.

`room_request` and `room_request_ask` are ours; `managed_room`, `room_member`, `room_power` and `account` are only read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import EventId, PersonId, RoomId, RoomKey, UserId
from bridge.selfservice.request import Asked, Request

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

    Database = Connection | Pool

_COLUMNS = "id, person_id, user_id, room_key, reason, asked_at"


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that was put to an owner or to the administrators."""

    request: int
    owner: UserId | None


async def add_request(db: Database, request: Request) -> int | None:
    """Write a request and return its id; None when the same waits already."""
    found: int | None = await db.fetchval(
        """INSERT INTO room_request (person_id, user_id, room_key, reason, asked_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (person_id, room_key) WHERE state = 'open' DO NOTHING RETURNING id""",
        request.person,
        request.user_id,
        request.room,
        request.reason,
        request.asked_at,
    )
    return found


async def open_requests(db: Database, person: PersonId) -> list[Request]:
    """Return what waits of a person's requests."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM room_request WHERE person_id = $1 AND state = 'open'",  # noqa: S608 - our own constant
        person,
    )
    return [_request(row) for row in rows]


async def lock_request(db: Connection, number: int) -> Request | None:
    """Lock a request that waits until the database transaction ends; None when it has its answer."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM room_request WHERE id = $1 AND state = 'open' FOR UPDATE",  # noqa: S608
        number,
    )
    return _request(row) if row else None


async def due_requests(db: Database, now: datetime) -> list[int]:
    """Return the ids of the requests with which something is due."""
    rows = await db.fetch("SELECT id FROM room_request WHERE state = 'open' AND turn_ends <= $1 ORDER BY id", now)
    return [row["id"] for row in rows]


async def next_due(db: Database) -> datetime | None:
    """Return when that is so next."""
    found: datetime | None = await db.fetchval("SELECT min(turn_ends) FROM room_request WHERE state = 'open'")
    return found


async def put_turn(db: Database, number: int, ends: datetime) -> None:
    """Say when something is due with a request again."""
    await db.execute("UPDATE room_request SET turn_ends = $2 WHERE id = $1", number, ends)


async def settle_request(db: Database, number: int, state: str, by: UserId | None, at: datetime) -> None:
    """Record what became of a request."""
    await db.execute(
        "UPDATE room_request SET state = $2, answered_by = $3, answered_at = $4, turn_ends = NULL WHERE id = $1",
        number,
        state,
        by,
        at,
    )


async def add_ask(db: Database, key: str, ask: Ask, at: datetime) -> None:
    """Write down who is asked."""
    await db.execute(
        """INSERT INTO room_request_ask (key, request, owner, asked_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (key) DO NOTHING""",
        key,
        ask.request,
        ask.owner,
        at,
    )


async def asked(db: Database, number: int) -> frozenset[UserId | None]:
    """Return who was asked; None are the administrators."""
    rows = await db.fetch("SELECT owner FROM room_request_ask WHERE request = $1", number)
    return frozenset(UserId(row["owner"]) if row["owner"] is not None else None for row in rows)


async def last_asked(db: Database, number: int) -> Asked | None:
    """Return who was asked last."""
    row = await db.fetchrow(
        """SELECT owner, asked_at, reminded_at IS NOT NULL AS reminded FROM room_request_ask
           WHERE request = $1 ORDER BY asked_at DESC, key LIMIT 1""",
        number,
    )
    return Asked(row["owner"], row["asked_at"], row["reminded"]) if row else None


async def add_reminder(db: Database, key: str, ask: Ask, asked_at: datetime, at: datetime) -> None:
    """Write down that whoever was asked at a moment is reminded; a reaction to the reminder is an answer too."""
    await db.execute(
        """WITH reminded AS (
               UPDATE room_request_ask SET reminded_at = $5 WHERE request = $2 AND owner IS NOT DISTINCT FROM $3)
           INSERT INTO room_request_ask (key, request, owner, asked_at, reminded_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (key) DO NOTHING""",
        key,
        ask.request,
        ask.owner,
        asked_at,
        at,
    )


async def name_ask(db: Database, key: str, event_id: EventId) -> None:
    """Remember which event a question is."""
    await db.execute("UPDATE room_request_ask SET event_id = $2 WHERE key = $1", key, event_id)


async def find_asks(db: Database, events: Collection[EventId]) -> dict[EventId, Ask]:
    """Return those of the events that are questions."""
    rows = await db.fetch(
        "SELECT event_id, request, owner FROM room_request_ask WHERE event_id = ANY($1)", list(events)
    )
    return {EventId(row["event_id"]): Ask(row["request"], row["owner"]) for row in rows}


async def owners(db: Database, room: RoomKey, least: int) -> list[tuple[UserId, PersonId]]:
    """Return who is in a room with at least that power and an account that is enabled; the most power first."""
    rows = await db.fetch(
        """SELECT account.user_id, account.person_id FROM managed_room
           JOIN room_power USING (room_id)
           CROSS JOIN LATERAL jsonb_each_text(room_power.users) AS level (user_id, power)
           JOIN room_member ON room_member.room_id = managed_room.room_id
               AND room_member.user_id = level.user_id AND membership = 'join'
           JOIN account ON account.user_id = level.user_id AND enabled
           WHERE key = $1 AND power::numeric >= $2 ORDER BY power::numeric DESC, account.user_id COLLATE "C" """,
        room,
        least,
    )
    return [(UserId(row["user_id"]), PersonId(row["person_id"])) for row in rows]


async def is_in(db: Database, room: RoomKey, user_id: UserId) -> bool:
    """Tell whether somebody is in a managed room."""
    found: bool = await db.fetchval(
        """SELECT EXISTS (SELECT FROM managed_room JOIN room_member USING (room_id)
                          WHERE key = $1 AND user_id = $2 AND membership = 'join')""",
        room,
        user_id,
    )
    return found


async def room_of(db: Database, room: RoomKey) -> tuple[RoomId, str] | None:
    """Return a managed room's ID and name; None while it has not been made."""
    row = await db.fetchrow("SELECT room_id, name FROM managed_room WHERE key = $1 AND room_id IS NOT NULL", room)
    return (RoomId(row["room_id"]), row["name"]) if row else None


async def direct_room(db: Database, bot: UserId, user_id: UserId) -> RoomId | None:
    """Return the newest room of a user and the bot alone; None when there is none."""
    found: str | None = await db.fetchval(
        """SELECT room_id FROM room_member AS own
           WHERE user_id = $2 AND membership = 'join'
               AND NOT EXISTS (SELECT FROM managed_room WHERE managed_room.room_id = own.room_id)
               AND NOT EXISTS (SELECT FROM personal_room WHERE personal_room.room_id = own.room_id)
               AND EXISTS (SELECT FROM room_member AS ours WHERE ours.room_id = own.room_id AND ours.user_id = $1
                   AND ours.membership = 'join')
               AND (SELECT count(*) FROM room_member AS there
                    WHERE there.room_id = own.room_id AND membership IN ('join', 'invite')) = 2
           ORDER BY changed_at DESC, room_id LIMIT 1""",
        bot,
        user_id,
    )
    return RoomId(found) if found is not None else None


def _request(row: asyncpg.Record) -> Request:
    return Request(
        row["id"],
        PersonId(row["person_id"]),
        UserId(row["user_id"]),
        RoomKey(row["room_key"]),
        row["reason"],
        row["asked_at"],
    )
