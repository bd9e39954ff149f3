"""The tables of announcements: one function per statement.

`announcement`, `announcement_text`, `recipient` and `acknowledgement` are ours; `managed_room`, `room_member` and
`account` belong to `bridge.membership` and are only read. `outgoing`, what is to be said, is written by `outbox_store`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.announcements.tracking import Recipient, RoomDelivery, Summary
from bridge.ids import EventId, RoomId, UserId, localpart_of
from bridge.policy.schema import RuleId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


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


async def add_recipients(db: Database, announcement: str, people: Sequence[UserId], at: datetime) -> None:
    """Insert the people whom the announcement is for."""
    await db.execute(
        "INSERT INTO recipient (announcement, user_id, targeted_at) SELECT $1, unnest($2::text[]), $3",
        announcement,
        list(people),
        at,
    )


# Acknowledging


async def add_acknowledgement(
    db: Database, event_id: EventId, target: EventId, user_id: UserId, at: datetime
) -> str | None:
    """Keep a reaction if it is a recipient's to a delivered event; return the announcement, None for any other."""
    announcement: str | None = await db.fetchval(
        "INSERT INTO acknowledgement (event_id, announcement, user_id, at)"
        " SELECT $1, announcement, r.user_id, $4 FROM outgoing o JOIN recipient r USING (announcement)"
        " WHERE o.event_id = $2 AND r.user_id = $3 ON CONFLICT (event_id) DO NOTHING RETURNING announcement",
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


_SUMMARY = """
    SELECT id, desk, author, author_name, text, created_at, targeted, delivered, acknowledged
    FROM announcement,
        LATERAL (SELECT body->>'body' AS text FROM announcement_text t
                 WHERE t.announcement = id AND t.version = announcement.version ORDER BY language LIMIT 1) AS newest,
        LATERAL (SELECT count(*) AS targeted, count(delivered_at) AS delivered, count(acknowledged_at) AS acknowledged
                 FROM recipient WHERE announcement = id) AS figures"""


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
    """Return how the announcement fared in each room, and with each person, by name."""
    rows = await db.fetch(
        """SELECT coalesce(said_in, room_id) AS room_id, user_id, event_id, attempts, error,
               CASE state WHEN 'done' THEN 'delivered' ELSE state END AS state,
               coalesce(name, nullif(display_name, ''), room_id, user_id) AS name
           FROM outgoing LEFT JOIN managed_room USING (room_id) LEFT JOIN account USING (user_id)
           WHERE announcement = $1 AND role = 'copy' AND act = 'send' ORDER BY name, lane""",
        announcement,
    )
    return [RoomDelivery(**row) for row in rows]


async def read_heard(db: Database, event_id: EventId) -> tuple[int, dict[UserId, datetime]] | None:
    """Return for how many people the announcement that this event delivered is, and who acknowledged it when.

    In the order of acknowledging. None when the event is no announcement.
    """
    rows = await db.fetch(
        "SELECT user_id, acknowledged_at FROM recipient"
        " WHERE announcement = (SELECT announcement FROM outgoing WHERE event_id = $1)"
        " ORDER BY acknowledged_at, user_id",
        event_id,
    )
    if not rows:
        return None
    return len(rows), {UserId(row["user_id"]): row["acknowledged_at"] for row in rows if row["acknowledged_at"]}
