"""What welcoming newcomers reads and writes: `newcomer`, and of announcements what still stands; one statement each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Asked:
    """An announcement that asks for acknowledgements and still stands, and where somebody finds it."""

    id: str
    opened_at: datetime
    for_people: bool
    """It is for people by a selector, and stands in no room."""
    room_id: RoomId | None
    room_name: str
    event_id: EventId | None


_STANDS = "state = 'open' AND opened_at >= $1 AND form->>'kind' NOT IN ('none', 'safety')"


async def forget_leavers(db: Database) -> None:
    """Forget those whose account is not enabled any more: hired again, they are new."""
    await db.execute(
        "DELETE FROM newcomer WHERE NOT EXISTS"
        " (SELECT FROM account WHERE account.user_id = newcomer.user_id AND enabled)"
    )


async def find_new(db: Database) -> list[UserId]:
    """Return those whose account is enabled and who were not found before."""
    rows = await db.fetch(
        "SELECT user_id FROM account WHERE enabled"
        " AND NOT EXISTS (SELECT FROM newcomer WHERE newcomer.user_id = account.user_id) ORDER BY user_id"
    )
    return [UserId(row["user_id"]) for row in rows]


async def add(db: Database, moments: Mapping[UserId, datetime | None], at: datetime) -> None:
    """Note newcomers, with the moment at which each gets the digest; None: never."""
    await db.execute(
        """INSERT INTO newcomer (user_id, seen_at, due_at)
           SELECT user_id, $3, due_at FROM unnest($1::text[], $2::timestamptz[]) AS t (user_id, due_at)
           ON CONFLICT DO NOTHING""",
        list(moments),
        list(moments.values()),
        at,
    )


async def load_due(db: Database, now: datetime) -> list[UserId]:
    """Return those who are to get the digest now, the longest waiting first."""
    rows = await db.fetch("SELECT user_id FROM newcomer WHERE due_at <= $1 ORDER BY due_at, user_id", now)
    return [UserId(row["user_id"]) for row in rows]


async def next_due(db: Database) -> datetime | None:
    """Return when the next digest is due."""
    found: datetime | None = await db.fetchval("SELECT min(due_at) FROM newcomer")
    return found


async def lock(db: Connection, user_id: UserId, now: datetime) -> datetime | None:
    """Lock a newcomer to whom the digest is due until the database transaction ends; return when they were found.

    None when it is not due any more, or another process has it.
    """
    found: datetime | None = await db.fetchval(
        "SELECT seen_at FROM newcomer WHERE user_id = $1 AND due_at <= $2 FOR UPDATE SKIP LOCKED", user_id, now
    )
    return found


async def put_due(db: Database, user_id: UserId, due_at: datetime | None) -> None:
    """Say when somebody gets the digest; None: it is settled."""
    await db.execute("UPDATE newcomer SET due_at = $2 WHERE user_id = $1", user_id, due_at)


async def is_anything_asked(db: Database, since: datetime) -> bool:
    """Tell whether any announcement from then on still asks for acknowledgements."""
    found: bool = await db.fetchval(f"SELECT EXISTS (SELECT FROM announcement WHERE {_STANDS})", since)  # noqa: S608
    return found


async def settle_due(db: Database, now: datetime) -> None:
    """Settle everybody to whom the digest is due: there is nothing to tell."""
    await db.execute("UPDATE newcomer SET due_at = NULL WHERE due_at <= $1", now)


async def load_asked(db: Database, user_id: UserId, since: datetime) -> list[Asked]:
    """Return what asks for acknowledgements and stands in a room that somebody is in, or is for people, newest first.

    What they have acknowledged, and what is for people and has come to them already, is left out.
    """
    rows = await db.fetch(
        f"""SELECT DISTINCT ON (opened_at, id) id, opened_at, audience ? 'people' AS for_people, place.room_id,
                   coalesce(place.name, '') AS room_name, place.event_id
            FROM announcement a LEFT JOIN LATERAL (
                SELECT o.room_id, r.name, o.event_id FROM outgoing o
                    JOIN room_member m ON m.room_id = o.room_id AND m.user_id = $2 AND m.membership = 'join'
                    LEFT JOIN managed_room r ON r.room_id = o.room_id
                WHERE o.announcement = a.id AND o.act = 'send' AND o.role = 'copy' AND o.state = 'done'
            ) place ON true
            WHERE {_STANDS} AND (place.event_id IS NOT NULL OR audience ? 'people')
                AND NOT EXISTS (SELECT FROM recipient t WHERE t.announcement = a.id AND t.user_id = $2
                                AND (t.acknowledged_at IS NOT NULL OR audience ? 'people'))
            ORDER BY opened_at DESC, id, place.room_id""",  # noqa: S608 - our own condition
        since,
        user_id,
    )
    return [Asked(**row) for row in rows]


async def add_recipient(
    db: Database, announcement: str, user_id: UserId, at: datetime, *, delivered_at: datetime | None
) -> None:
    """Let somebody be one of those whom an announcement is for, if they are not; it may stand where they are."""
    await db.execute(
        """INSERT INTO recipient (announcement, user_id, targeted_at, delivered_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING""",
        announcement,
        user_id,
        at,
        delivered_at,
    )
