"""The tables of announcements: one function per statement.

`announcement`, `delivery`, `recipient`, `acknowledgement` and `desk_answer` are ours; `managed_room`, `room_member`
and `account` belong to `bridge.membership` and are only read. Rows in state `waiting` are what `deliver` has to do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.announcements.tracking import Recipient, RoomDelivery, Summary
from bridge.ids import EventId, RoomId, UserId, localpart_of
from bridge.policy.schema import RuleId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Announcement:
    """A row of `announcement`, as it is written."""

    id: str
    desk: RuleId
    source_event_id: EventId | None
    author: UserId
    author_name: str
    body: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits to be sent: a delivery, or an answer in a desk."""

    key: str
    """The announcement's id, or the event that is answered."""
    room_id: RoomId
    transaction_id: str
    attempts: int
    """Earlier ones; above 0 the homeserver may have it already."""


# What membership knows


async def load_desks(db: Database) -> dict[RoomId, RuleId]:
    """Return the rooms that are desks, with the desk's id."""
    rows = await db.fetch("SELECT room_id, key FROM managed_room WHERE kind = 'desk' AND room_id IS NOT NULL")
    return {RoomId(row["room_id"]): row["key"] for row in rows}


async def load_rooms(db: Database, rules: Collection[RuleId]) -> list[RoomId]:
    """Return every room made by one of the rules."""
    rows = await db.fetch("SELECT room_id FROM managed_room WHERE rule = ANY($1) AND room_id IS NOT NULL", list(rules))
    return [RoomId(row["room_id"]) for row in rows]


async def load_members(db: Database, rooms: Collection[RoomId]) -> list[tuple[RoomId, UserId]]:
    """Return who has joined these rooms."""
    rows = await db.fetch(
        "SELECT room_id, user_id FROM room_member WHERE room_id = ANY($1) AND membership = 'join'", list(rooms)
    )
    return [(RoomId(row["room_id"]), UserId(row["user_id"])) for row in rows]


async def load_name(db: Database, user_id: UserId) -> str:
    """Return the display name of the account; the localpart when the account is not one of ours."""
    name: str | None = await db.fetchval("SELECT display_name FROM account WHERE user_id = $1", user_id)
    return name or localpart_of(user_id)


# Opening an announcement


async def add_announcement(db: Database, announcement: Announcement) -> bool:
    """Insert the announcement; False when its source event has been announced already."""
    inserted: str | None = await db.fetchval(
        "INSERT INTO announcement (id, desk, source_event_id, author, author_name, body, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (source_event_id) DO NOTHING RETURNING id",
        announcement.id,
        announcement.desk,
        announcement.source_event_id,
        announcement.author,
        announcement.author_name,
        announcement.body,
        announcement.created_at,
    )
    return inserted is not None


async def add_deliveries(db: Database, announcement: str, rooms: Sequence[RoomId], transactions: Sequence[str]) -> None:
    """Insert a waiting delivery for each room, under the transaction ID at the same position."""
    await db.execute(
        "INSERT INTO delivery (announcement, room_id, transaction_id) SELECT $1, * FROM unnest($2::text[], $3::text[])",
        announcement,
        list(rooms),
        list(transactions),
    )


async def add_recipients(db: Database, announcement: str, people: Sequence[UserId], at: datetime) -> None:
    """Insert the people whom the announcement is for."""
    await db.execute(
        "INSERT INTO recipient (announcement, user_id, targeted_at) SELECT $1, unnest($2::text[]), $3",
        announcement,
        list(people),
        at,
    )


async def add_answer(db: Database, event_id: EventId, room_id: RoomId, text: str) -> bool:
    """Insert what the bot answers to an event in a desk; False when the event has been answered already."""
    inserted: str | None = await db.fetchval(
        "INSERT INTO desk_answer (event_id, room_id, text, transaction_id) VALUES ($1, $2, $3, 'muster-answer-' || $1)"
        " ON CONFLICT (event_id) DO NOTHING RETURNING event_id",
        event_id,
        room_id,
        text,
    )
    return inserted is not None


async def is_answered(db: Database, event_id: EventId) -> bool:
    """Tell whether it has been decided what becomes of this event in a desk."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM desk_answer WHERE event_id = $1)", event_id)
    return found


async def wake(db: Database, channel: str) -> None:
    """Notify the channel when the database transaction commits."""
    await db.execute("SELECT pg_notify($1, '')", channel)


# Delivering


async def claim_deliveries(db: Database, limit: int) -> list[Waiting]:
    """Count one more attempt for some waiting deliveries, those never refused first, and return them."""
    rows = await db.fetch(
        "UPDATE delivery SET attempts = attempts + 1 WHERE (announcement, room_id) IN ("
        " SELECT announcement, room_id FROM delivery WHERE state = 'waiting'"
        " ORDER BY error IS NOT NULL, announcement, room_id LIMIT $1 FOR UPDATE SKIP LOCKED)"
        " RETURNING announcement AS key, room_id, transaction_id, attempts - 1 AS attempts",
        limit,
    )
    return [Waiting(**row) for row in rows]


async def lock_delivery(db: Database, waiting: Waiting) -> bool:
    """Lock the delivery until the database transaction ends; False when it is done or another process has it."""
    found: str | None = await db.fetchval(
        "SELECT room_id FROM delivery WHERE announcement = $1 AND room_id = $2 AND state = 'waiting'"
        " FOR UPDATE SKIP LOCKED",
        waiting.key,
        waiting.room_id,
    )
    return found is not None


async def load_body(db: Database, announcement: str) -> tuple[dict[str, Any], str]:
    """Return what is announced, and the author's name."""
    row = await db.fetchrow("SELECT body, author_name FROM announcement WHERE id = $1", announcement)
    assert row is not None, "a delivery refers to its announcement"
    return row["body"], row["author_name"]


async def mark_delivered(db: Database, announcement: str, room_id: RoomId, event_id: EventId, at: datetime) -> bool:
    """Record the event by which the room got the announcement; False when that was known or there is no such row."""
    updated: str | None = await db.fetchval(
        "UPDATE delivery SET state = 'delivered', event_id = $3, delivered_at = $4, error = NULL"
        " WHERE announcement = $1 AND room_id = $2 AND state <> 'delivered' RETURNING room_id",
        announcement,
        room_id,
        event_id,
        at,
    )
    return updated is not None


async def mark_reached(db: Database, announcement: str, room_id: RoomId, at: datetime) -> None:
    """Record that the recipients who are in the room have got the announcement.

    The rows are locked in order, because two rooms of one announcement have recipients in common.
    """
    await db.execute(
        "WITH reached AS (SELECT user_id FROM recipient JOIN room_member USING (user_id)"
        " WHERE announcement = $1 AND room_id = $2 AND membership = 'join' AND delivered_at IS NULL"
        " ORDER BY user_id FOR NO KEY UPDATE OF recipient)"
        " UPDATE recipient SET delivered_at = $3 FROM reached"
        " WHERE announcement = $1 AND recipient.user_id = reached.user_id",
        announcement,
        room_id,
        at,
    )


async def mark_refused(db: Database, announcement: str, room_id: RoomId, error: str, *, final: bool) -> None:
    """Record why the homeserver refused; a final refusal is not tried again."""
    await db.execute(
        "UPDATE delivery SET error = $3, state = CASE WHEN $4 THEN 'failed' ELSE state END"
        " WHERE announcement = $1 AND room_id = $2",
        announcement,
        room_id,
        error,
        final,
    )


async def lock_answer(db: Database) -> tuple[Waiting, str] | None:
    """Lock one waiting answer until the database transaction ends, and return it with its text."""
    row = await db.fetchrow(
        "SELECT event_id AS key, room_id, transaction_id, attempts, text FROM desk_answer WHERE state = 'waiting'"
        " ORDER BY error IS NOT NULL, event_id LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    if row is None:
        return None
    return Waiting(row["key"], RoomId(row["room_id"]), row["transaction_id"], row["attempts"]), row["text"]


async def mark_answered(db: Database, event_id: str) -> None:
    """Record that the answer was sent."""
    await db.execute("UPDATE desk_answer SET state = 'delivered', error = NULL WHERE event_id = $1", event_id)


async def mark_unanswered(db: Database, event_id: str, error: str, *, final: bool) -> None:
    """Record why the homeserver refused the answer; a final refusal is not tried again."""
    await db.execute(
        "UPDATE desk_answer SET error = $2, attempts = attempts + 1,"
        " state = CASE WHEN $3 THEN 'failed' ELSE state END WHERE event_id = $1",
        event_id,
        error,
        final,
    )


# Acknowledging


async def add_acknowledgement(
    db: Database, event_id: EventId, target: EventId, user_id: UserId, at: datetime
) -> str | None:
    """Keep a reaction if it is a recipient's to a delivered event; return the announcement, None for any other."""
    announcement: str | None = await db.fetchval(
        "INSERT INTO acknowledgement (event_id, announcement, user_id, at)"
        " SELECT $1, announcement, user_id, $4 FROM delivery JOIN recipient USING (announcement)"
        " WHERE event_id = $2 AND user_id = $3 ON CONFLICT (event_id) DO NOTHING RETURNING announcement",
        event_id,
        target,
        user_id,
        at,
    )
    return announcement


async def remove_acknowledgement(db: Database, event_id: EventId) -> tuple[str, UserId] | None:
    """Forget a reaction that was taken back; return the announcement and the person, None when it was no such one."""
    row = await db.fetchrow("DELETE FROM acknowledgement WHERE event_id = $1 RETURNING announcement, user_id", event_id)
    return None if row is None else (row["announcement"], UserId(row["user_id"]))


async def settle_recipient(db: Database, announcement: str, user_id: UserId) -> None:
    """Let the recipient's earliest standing reaction be the acknowledgement, or nothing when none stands."""
    await db.execute(
        "UPDATE recipient SET (acknowledged_at, acknowledged_by_event) = (SELECT at, event_id FROM acknowledgement"
        " WHERE announcement = $1 AND user_id = $2 ORDER BY at, event_id LIMIT 1)"
        " WHERE announcement = $1 AND user_id = $2",
        announcement,
        user_id,
    )


async def find_announced(db: Database, source_event_id: EventId) -> str | None:
    """Return the announcement that was made of this message in a desk."""
    announcement: str | None = await db.fetchval(
        "SELECT id FROM announcement WHERE source_event_id = $1", source_event_id
    )
    return announcement


# Reporting


async def load_summaries(db: Database, limit: int) -> list[Summary]:
    """Return the newest announcements, newest first."""
    return _summaries(
        await db.fetch(
            f"{_SUMMARY} ORDER BY created_at DESC, id LIMIT $1",
            limit,
        )
    )


async def load_summary(db: Database, announcement: str) -> Summary | None:
    """Return one announcement, or None."""
    return next(iter(_summaries(await db.fetch(f"{_SUMMARY} WHERE id = $1", announcement))), None)


_SUMMARY = (
    "SELECT id, desk, author, author_name, body->>'body' AS text, created_at, targeted, delivered, acknowledged"
    " FROM announcement, LATERAL (SELECT count(*) AS targeted, count(delivered_at) AS delivered,"
    " count(acknowledged_at) AS acknowledged FROM recipient WHERE announcement = id) AS figures"
)


def _summaries(rows: Sequence[Any]) -> list[Summary]:
    return [Summary(**row) for row in rows]


async def load_recipients(db: Database, announcement: str) -> list[Recipient]:
    """Return everybody the announcement is for, by name."""
    rows = await db.fetch(
        "SELECT user_id, coalesce(nullif(display_name, ''), user_id) AS name, delivered_at, acknowledged_at"
        " FROM recipient LEFT JOIN account USING (user_id) WHERE announcement = $1 ORDER BY name, user_id",
        announcement,
    )
    return [Recipient(**row) for row in rows]


async def load_deliveries(db: Database, announcement: str) -> list[RoomDelivery]:
    """Return how the announcement fared in each room, by the room's name."""
    rows = await db.fetch(
        "SELECT room_id, coalesce(name, room_id) AS name, state, event_id, attempts, error"
        " FROM delivery LEFT JOIN managed_room USING (room_id) WHERE announcement = $1 ORDER BY name, room_id",
        announcement,
    )
    return [RoomDelivery(**row) for row in rows]


async def read_heard(db: Database, event_id: EventId) -> tuple[int, dict[UserId, datetime]] | None:
    """Return for how many people the announcement that this event delivered is, and who acknowledged it when.

    In the order of acknowledging. None when the event is no announcement.
    """
    rows = await db.fetch(
        "SELECT user_id, acknowledged_at FROM recipient"
        " WHERE announcement = (SELECT announcement FROM delivery WHERE event_id = $1)"
        " ORDER BY acknowledged_at, user_id",
        event_id,
    )
    if not rows:
        return None
    return len(rows), {UserId(row["user_id"]): row["acknowledged_at"] for row in rows if row["acknowledged_at"]}
