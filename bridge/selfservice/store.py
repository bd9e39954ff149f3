"""The tables of self-service: one function per statement.

`bot_act`, `phone_book` and `phone_book_cursor` are ours; `managed_room`, `room_member`, `account` and the archive's
`event` are only read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bridge.database.listen import SELFSERVICE
from bridge.ids import PersonId, RoomId, RoomKey, UserId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

    Database = Connection | Pool


class Kind(StrEnum):
    """What the bot does."""

    JOIN = "join"
    DECLINE = "decline"
    SAY = "say"


@dataclass(frozen=True, slots=True)
class Act:
    """Something that the bot is to do."""

    key: str
    kind: Kind
    room_id: RoomId | None
    """None: the user's direct room, to be found or made."""
    user_id: UserId
    content: Mapping[str, Any]
    attempts: int = 0
    """Earlier ones; above 0 the homeserver may have it already."""
    urgent: bool = False
    """It goes before everything that is not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A person's words in the phone book."""

    person: PersonId
    names: Sequence[str]
    words: Sequence[str]


# Who talks to the bot, and where


async def rooms_with_bot(db: Database, bot: UserId, rooms: Collection[RoomId]) -> frozenset[RoomId]:
    """Return those of the rooms to which the bot was ever invited, and few people with it.

    None of them is managed or the room of a report.
    """
    rows = await db.fetch(
        """SELECT DISTINCT room_id FROM event
           WHERE type = 'm.room.member' AND state_key = $1 AND room_id = ANY($2)
               AND NOT EXISTS (SELECT FROM managed_room WHERE managed_room.room_id = event.room_id)
               AND NOT EXISTS (SELECT FROM report WHERE report.room_id = event.room_id)
               AND (SELECT count(*) FROM room_member
                    WHERE room_member.room_id = event.room_id AND membership IN ('join', 'invite')) <= 2""",
        bot,
        list(rooms),
    )
    return frozenset(RoomId(row["room_id"]) for row in rows)


async def employee_of(db: Database, user_id: UserId) -> PersonId | None:
    """Return whose account this is, if it is enabled."""
    person: str | None = await db.fetchval("SELECT person_id FROM account WHERE user_id = $1 AND enabled", user_id)
    return PersonId(person) if person is not None else None


async def accounts_of(db: Database, people: Collection[PersonId]) -> dict[PersonId, UserId]:
    """Return the enabled accounts of these people."""
    rows = await db.fetch("SELECT person_id, user_id FROM account WHERE person_id = ANY($1) AND enabled", list(people))
    return {PersonId(row["person_id"]): UserId(row["user_id"]) for row in rows}


async def aliases(db: Database) -> dict[RoomKey, str]:
    """Return the alias of every managed room."""
    return {RoomKey(row["key"]): row["alias"] for row in await db.fetch("SELECT key, alias FROM managed_room")}


# What the bot is to do


async def is_decided(db: Database, key: str) -> bool:
    """Tell whether it has been decided what comes of it."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM bot_act WHERE key = $1)", key)
    return found


async def count_answers(db: Database, user_id: UserId, since: datetime) -> int:
    """Return how often a user was answered since a moment."""
    count: int = await db.fetchval(
        "SELECT count(*) FROM bot_act WHERE user_id = $1 AND created_at > $2 AND key LIKE 'answer:%'", user_id, since
    )
    return count


async def add_act(db: Database, act: Act, at: datetime) -> None:
    """Write down what the bot is to do, and wake whoever does it; what is there already stays as it is."""
    await db.execute(
        f"""WITH added AS (
                INSERT INTO bot_act (key, kind, room_id, user_id, content, created_at, urgent)
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING)
            SELECT pg_notify('{SELFSERVICE}', '')""",  # noqa: S608 - our own constant
        act.key,
        act.kind,
        act.room_id,
        act.user_id,
        dict(act.content),
        at,
        act.urgent,
    )


async def claim_act(db: Database) -> str | None:
    """Count one more attempt for the first act that waits, never before an earlier one in its room; return its key."""
    key: str | None = await db.fetchval(
        """UPDATE bot_act SET attempts = attempts + 1 WHERE id = (
               SELECT id FROM bot_act AS act WHERE state = 'waiting' AND NOT EXISTS (
                   SELECT FROM bot_act AS earlier
                   WHERE earlier.room_id = act.room_id AND earlier.state = 'waiting' AND earlier.id < act.id)
               ORDER BY error IS NOT NULL, urgent DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
           RETURNING key"""
    )
    return key


async def lock_act(db: Database, key: str) -> Act | None:
    """Lock an act that waits until the database transaction ends; None when another process has it."""
    row = await db.fetchrow(
        """SELECT key, kind, room_id, user_id, content, attempts - 1 AS attempts FROM bot_act
           WHERE key = $1 AND state = 'waiting' FOR UPDATE SKIP LOCKED""",
        key,
    )
    return _act(row) if row else None


async def settle_act(db: Database, key: str, *, error: str | None = None) -> None:
    """Record that an act is done, or cannot be; what was said is not kept here."""
    await db.execute(
        """UPDATE bot_act SET state = CASE WHEN $2::text IS NULL THEN 'done' ELSE 'failed' END, error = $2,
               content = NULL WHERE key = $1""",
        key,
        error,
    )


async def postpone_act(db: Database, key: str, error: str) -> None:
    """Record why an act could not be done this time."""
    await db.execute("UPDATE bot_act SET error = $2 WHERE key = $1", key, error)


async def forget_acts(db: Connection | Pool, before: datetime) -> None:
    """Forget what was done or failed of what was asked before a moment; an event comes no later than that."""
    await db.execute("DELETE FROM bot_act WHERE state <> 'waiting' AND created_at < $1", before)


# The phone book


async def lock_phone_book(db: Connection) -> int:
    """Return up to which directory version the phone book is right, and keep others from writing it."""
    version: int = await db.fetchval("SELECT version FROM phone_book_cursor FOR UPDATE")
    return version


async def move_phone_book(db: Connection, version: int) -> None:
    """Remember up to which directory version the phone book is right."""
    await db.execute("UPDATE phone_book_cursor SET version = $1", version)


async def put_entries(db: Connection, entries: Iterable[Entry]) -> None:
    """Write people's words over those that were there."""
    await db.executemany(
        """INSERT INTO phone_book (person_id, names, words)
           VALUES ($1, array_to_tsvector($2::text[]), array_to_tsvector($3::text[]))
           ON CONFLICT (person_id) DO UPDATE SET names = excluded.names, words = excluded.words""",
        [(entry.person, list(entry.names), list(entry.words)) for entry in entries],
    )


async def remove_entries(db: Connection, people: Collection[PersonId]) -> None:
    """Take people out of the phone book."""
    await db.execute("DELETE FROM phone_book WHERE person_id = ANY($1)", list(people))


async def find_entries(db: Database, asked: Sequence[str], most: int) -> list[PersonId]:
    """Return at most so many people whom all the words find, each from its beginning; those called so first.

    The words are letters and digits only, as `phone_book.words_of` returns them.
    """
    rows = await db.fetch(
        """SELECT person_id FROM phone_book JOIN account USING (person_id)
           WHERE words @@ $1::tsquery AND enabled ORDER BY names @@ $1::tsquery DESC, person_id LIMIT $2""",
        " & ".join(f"'{word}':*" for word in asked),
        most,
    )
    return [PersonId(row["person_id"]) for row in rows]


def _act(row: asyncpg.Record) -> Act:
    return Act(
        key=row["key"],
        kind=Kind(row["kind"]),
        room_id=row["room_id"],
        user_id=UserId(row["user_id"]),
        content=row["content"] or {},
        attempts=row["attempts"],
    )
