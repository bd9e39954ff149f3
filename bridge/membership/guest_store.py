"""Guests in the database: one function for each statement."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import TYPE_CHECKING

from bridge.directory.local_day import Boundary
from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.guests import AHEAD, Guest

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


async def read_guests(db: Connection | Pool) -> list[Guest]:
    """Return everybody who is or was a guest, each as they were last, by user ID."""
    rows = await db.fetch("SELECT DISTINCT ON (user_id) * FROM guest ORDER BY user_id, id DESC")
    return [_guest(row) for row in rows]


async def sponsors_of(db: Connection | Pool, users: Collection[UserId]) -> frozenset[PersonId]:
    """Return who answers for these users, as far as they are guests."""
    rows = await db.fetch(
        "SELECT DISTINCT sponsor_id FROM guest WHERE user_id = ANY($1) AND ended_at IS NULL", list(users)
    )
    return frozenset(PersonId(row["sponsor_id"]) for row in rows)


async def guests_of(db: Connection | Pool, people: Collection[PersonId]) -> frozenset[UserId]:
    """Return for whom these people answer."""
    rows = await db.fetch("SELECT user_id FROM guest WHERE sponsor_id = ANY($1) AND ended_at IS NULL", list(people))
    return frozenset(UserId(row["user_id"]) for row in rows)


async def put_guest(db: Connection | Pool, guest: Guest) -> None:
    """Make somebody a guest on these terms from now on."""
    await db.execute(
        """INSERT INTO guest (user_id, sponsor_id, rooms, reason, added_at, review_by)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        guest.user_id,
        guest.sponsor,
        list(guest.rooms),
        guest.reason,
        guest.added_at,
        guest.review_by,
    )


async def end_guest(db: Connection | Pool, user_id: UserId, at: datetime) -> bool:
    """Say that somebody is a guest no more; return whether they were."""
    status: str = await db.execute(
        "UPDATE guest SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL", user_id, at
    )
    return status != "UPDATE 0"


async def renew_guest(db: Connection | Pool, user_id: UserId, review_by: date) -> bool:
    """Say until when somebody is a guest now; return whether they are one."""
    status: str = await db.execute(
        "UPDATE guest SET review_by = $2 WHERE user_id = $1 AND ended_at IS NULL", user_id, review_by
    )
    return status != "UPDATE 0"


async def reviews_between(db: Connection | Pool, first: date, last: date) -> list[Boundary]:
    """Return for which sponsors a day comes, from `first` to `last`, that concerns a guest of theirs: a week before the
    last day, that day, and the one after it."""
    rows = await db.fetch(
        """SELECT sponsor_id, day, r.document->>'timezone' AS timezone
           FROM guest CROSS JOIN LATERAL (VALUES (review_by - $3::integer), (review_by), (review_by + 1)) AS d (day)
           JOIN scim_resource r ON r.id = sponsor_id AND r.kind = 'User' AND NOT r.deleted
           WHERE ended_at IS NULL AND day BETWEEN $1 AND $2""",
        first,
        last,
        AHEAD.days,
    )
    return [Boundary(PersonId(row["sponsor_id"]), row["day"], row["timezone"]) for row in rows]


async def first_review_after(db: Connection | Pool, day: date) -> date | None:
    """Return the next day after this one that concerns a guest."""
    found: date | None = await db.fetchval(
        """SELECT min(day)
           FROM guest CROSS JOIN LATERAL (VALUES (review_by - $2::integer), (review_by), (review_by + 1)) AS d (day)
           WHERE ended_at IS NULL AND day > $1""",
        day,
        AHEAD.days,
    )
    return found


def _guest(row: asyncpg.Record) -> Guest:
    return Guest(
        UserId(row["user_id"]),
        PersonId(row["sponsor_id"]),
        tuple(map(RoomKey, row["rooms"])),
        row["reason"],
        row["added_at"],
        row["review_by"],
        row["ended_at"],
    )
