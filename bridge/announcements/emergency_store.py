"""The tables of roll calls: one function per statement.

The announcement of a roll call has rows of `announcement`, `announcement_text` and `recipient` like any other; what is
said stands in `outgoing`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements.on_call import Asked
from bridge.announcements.roll_call import Present, RollCall
from bridge.announcements.roll_call_report import Delivered
from bridge.announcements.roll_call_text import SAFETY
from bridge.announcements.values import Priority, Whom
from bridge.database.listen import EMERGENCY
from bridge.ids import EventId, PersonId, RoomId, UserId
from bridge.policy.schema import RuleId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Responder:
    """Somebody of the line."""

    user_id: UserId
    name: str
    position: int
    """Of the group in the line."""
    asked: Asked | None
    """None: not yet."""


# Starting


async def add_announcement(
    db: Database, call: RollCall, author: UserId, whom: Whom, source_event_id: EventId | None
) -> bool:
    """Insert the announcement of a roll call, open; False when its source event has started one already."""
    found: str | None = await db.fetchval(
        """WITH added AS (
               INSERT INTO announcement (id, desk, source_event_id, author, author_name, origin, state, priority,
                                         audience, form, created_at, opened_at)
               VALUES ($1, $2, $3, $4, $5, 'emergency', 'open', $6, $7, $8, $9, $9)
               ON CONFLICT (source_event_id) DO NOTHING RETURNING id)
           INSERT INTO announcement_text (announcement, version, language, body, at)
           SELECT id, 1, '', $10, $9 FROM added RETURNING announcement""",
        call.id,
        call.desk,
        source_event_id,
        author,
        call.started_by,
        Priority.EMERGENCY,
        whom.as_json(),
        SAFETY.as_json(),
        call.started_at,
        {"msgtype": "m.text", "body": call.text},
    )
    return found is not None


async def add_call(db: Database, call: RollCall) -> None:
    """Insert the roll call."""
    await db.execute(
        "INSERT INTO emergency (announcement, text, site, drill, started_at, started_by)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        call.id,
        call.text,
        call.site,
        call.drill,
        call.started_at,
        call.started_by,
    )


async def add_people(db: Database, call: RollCall, people: Sequence[Present], personal: Collection[UserId]) -> None:
    """Insert whom the roll call counts; `personal` are those who are told in rooms of their own."""
    await db.execute(
        """INSERT INTO emergency_person (announcement, user_id, name, site, department, personal)
           SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[])""",
        call.id,
        [person.user_id for person in people],
        [person.name for person in people],
        [person.site for person in people],
        [person.department for person in people],
        [person.user_id in personal for person in people],
    )


async def add_recipients(db: Database, call: RollCall, users: Sequence[UserId]) -> None:
    """Insert them as those whom the announcement is for."""
    await db.execute(
        "INSERT INTO recipient (announcement, user_id, targeted_at) SELECT $1, unnest($2::text[]), $3",
        call.id,
        list(users),
        call.started_at,
    )


async def add_line(db: Database, announcement: str, line: Sequence[Sequence[UserId]]) -> None:
    """Insert who is called to help, group after group; nobody has been asked yet."""
    await db.execute(
        "INSERT INTO emergency_responder (announcement, user_id, position) SELECT $1, * FROM"
        " unnest($2::text[], $3::integer[]) ON CONFLICT DO NOTHING",
        announcement,
        [user for group in line for user in group],
        [position for position, group in enumerate(line) for _ in group],
    )


async def load_accounts(db: Database) -> dict[PersonId, UserId]:
    """Return the accounts that can be used."""
    rows = await db.fetch("SELECT person_id, user_id FROM account WHERE enabled")
    return {PersonId(row["person_id"]): UserId(row["user_id"]) for row in rows}


async def load_person_id(db: Database, user_id: UserId) -> PersonId | None:
    """Return whose account that is, if it can be used."""
    found: str | None = await db.fetchval("SELECT person_id FROM account WHERE user_id = $1 AND enabled", user_id)
    return None if found is None else PersonId(found)


async def load_desk_room(db: Database, desk: RuleId) -> RoomId | None:
    """Return the room of a desk."""
    found: str | None = await db.fetchval("SELECT room_id FROM managed_room WHERE key = $1 AND kind = 'desk'", desk)
    return None if found is None else RoomId(found)


async def load_personal_rooms(db: Database) -> frozenset[UserId]:
    """Return who has a room for announcements already."""
    return frozenset(UserId(row["user_id"]) for row in await db.fetch("SELECT user_id FROM personal_room"))


# Looking


_CALL = """
    SELECT e.announcement AS id, a.desk, e.text, e.site, e.drill, e.started_at, e.started_by, e.said, e.channels_at,
           e.ended_at
    FROM emergency e JOIN announcement a ON a.id = e.announcement"""


async def find_unsettled(db: Database) -> list[str]:
    """Return the roll calls that go on, and those of which something is to be told."""
    rows = await db.fetch(
        "SELECT announcement FROM emergency WHERE ended_at IS NULL OR stale ORDER BY started_at, announcement"
    )
    return [row["announcement"] for row in rows]


async def lock_call(db: Database, announcement: str) -> RollCall | None:
    """Lock a roll call until the database transaction ends; None when there is none, or another process has it."""
    row = await db.fetchrow(f"{_CALL} WHERE e.announcement = $1 FOR UPDATE OF e SKIP LOCKED", announcement)
    return None if row is None else RollCall(**row)


async def load_call(db: Database, announcement: str) -> RollCall | None:
    """Return a roll call."""
    row = await db.fetchrow(f"{_CALL} WHERE e.announcement = $1", announcement)
    return None if row is None else RollCall(**row)


async def load_calls(db: Database, *, limit: int) -> list[RollCall]:
    """Return the newest roll calls, those that go on before those that are over."""
    rows = await db.fetch(f"{_CALL} ORDER BY e.ended_at IS NOT NULL, e.started_at DESC, id LIMIT $1", limit)
    return [RollCall(**row) for row in rows]


async def load_people(db: Database, announcement: str) -> list[Present]:
    """Return whom a roll call counts, each with the newest answer, by name."""
    rows = await db.fetch(
        """SELECT p.user_id, p.name, p.site, p.department, r.delivered_at, a.answer, a.at AS answered_at, p.asked_help
           FROM emergency_person p LEFT JOIN recipient r USING (announcement, user_id)
           LEFT JOIN (SELECT DISTINCT ON (user_id) user_id, answer, at FROM emergency_answer WHERE announcement = $1
                      ORDER BY user_id, at DESC, event_id DESC) a USING (user_id)
           WHERE p.announcement = $1 ORDER BY p.name, p.user_id""",
        announcement,
    )
    return [Present(**row) for row in rows]


async def load_personal(db: Database, announcement: str) -> frozenset[UserId]:
    """Return who of them is told in a room of their own."""
    rows = await db.fetch("SELECT user_id FROM emergency_person WHERE announcement = $1 AND personal", announcement)
    return frozenset(UserId(row["user_id"]) for row in rows)


async def load_line(db: Database, announcement: str) -> list[Responder]:
    """Return the line of those who are called to help, in its order."""
    rows = await db.fetch(
        """SELECT user_id, coalesce(nullif(display_name, ''), user_id) AS name, position, asked_at, instead, accepts
           FROM emergency_responder LEFT JOIN account USING (user_id) WHERE announcement = $1
           ORDER BY asked_at, position, user_id""",
        announcement,
    )
    return [_responder(row) for row in rows]


def _responder(row: asyncpg.Record) -> Responder:
    asked = None
    if row["asked_at"] is not None:
        asked = Asked(UserId(row["user_id"]), row["asked_at"], row["instead"], row["accepts"])
    return Responder(UserId(row["user_id"]), row["name"], row["position"], asked)


async def load_board(db: Database, announcement: str) -> str:
    """Return what the board says; empty before there is one."""
    found: str = await db.fetchval("SELECT board FROM emergency WHERE announcement = $1", announcement)
    return found


async def load_deliveries(db: Database, announcement: str) -> list[Delivered]:
    """Return when each copy of the alarm was delivered."""
    rows = await db.fetch(
        "SELECT room_id IS NOT NULL AS to_room, CASE state WHEN 'done' THEN done_at END AS at FROM outgoing"
        " WHERE announcement = $1 AND role = 'copy' AND act = 'send' ORDER BY id",
        announcement,
    )
    return [Delivered(**row) for row in rows]


async def load_told(db: Database, announcement: str) -> list[tuple[RoomId | None, UserId | None]]:
    """Return where the alarm stands, or may stand: the room, or whose room."""
    rows = await db.fetch(
        "SELECT room_id, user_id FROM outgoing WHERE announcement = $1 AND role = 'copy' AND act = 'send'"
        " AND (state = 'done' OR attempts > 0) ORDER BY id",
        announcement,
    )
    return [(row["room_id"], row["user_id"]) for row in rows]


# Going on


async def mark_seen(db: Database, announcement: str, board: str) -> None:
    """Record what the board says now, and that everything has been looked at."""
    await db.execute("UPDATE emergency SET board = $2, stale = false WHERE announcement = $1", announcement, board)


async def mark_said(db: Database, announcement: str, turn: int) -> None:
    """Record that so many repetitions are over."""
    await db.execute("UPDATE emergency SET said = $2 WHERE announcement = $1", announcement, turn)


async def mark_channels(db: Database, announcement: str, at: datetime) -> None:
    """Record that second channels went out."""
    await db.execute("UPDATE emergency SET channels_at = $2 WHERE announcement = $1", announcement, at)


async def mark_asked(db: Database, announcement: str, users: Sequence[UserId], at: datetime, *, instead: bool) -> None:
    """Record that these were called to help."""
    await db.execute(
        "UPDATE emergency_responder SET asked_at = $3, instead = $4"
        " WHERE announcement = $1 AND user_id = ANY($2) AND asked_at IS NULL",
        announcement,
        list(users),
        at,
        instead,
    )


async def drop_reminders(db: Database, announcement: str) -> None:
    """Drop the reminders that wait for somebody who has answered."""
    await db.execute(
        """DELETE FROM outgoing o WHERE announcement = $1 AND role = 'reminder' AND state = 'waiting' AND attempts = 0
           AND EXISTS (SELECT FROM emergency_answer e WHERE e.announcement = $1 AND e.user_id = o.user_id)""",
        announcement,
    )


async def drop_outward(db: Database, announcement: str) -> None:
    """Drop what waits to be sent by second channels to somebody who has answered."""
    await db.execute(
        """DELETE FROM channel_message c WHERE about = $1 AND state = 'waiting' AND attempts = 0
           AND EXISTS (SELECT FROM emergency_answer e WHERE e.announcement = $1 AND e.user_id = c.user_id)""",
        announcement,
    )


async def mark_ended(db: Database, announcement: str, by: str, at: datetime) -> bool:
    """Record the end of a roll call; False when it is over already."""
    found: str | None = await db.fetchval(
        """WITH ended AS (
               UPDATE emergency SET ended_at = $3, ended_by = $2, stale = true
               WHERE announcement = $1 AND ended_at IS NULL RETURNING announcement)
           UPDATE announcement SET state = 'over', ended_at = $3 FROM ended
           WHERE id = ended.announcement RETURNING id""",
        announcement,
        by,
        at,
    )
    return found is not None


async def wake(db: Database) -> None:
    """Wake whoever looks after roll calls when the database transaction commits."""
    await db.execute("SELECT pg_notify($1, '')", EMERGENCY)


# Answers


async def find_calls(db: Database, announcements: Collection[str]) -> frozenset[str]:
    """Return which of these announcements are roll calls."""
    rows = await db.fetch("SELECT announcement FROM emergency WHERE announcement = ANY($1)", list(announcements))
    return frozenset(row["announcement"] for row in rows)


async def add_person(db: Database, announcement: str, user_id: UserId, name: str) -> None:
    """Count somebody too who was not there when the roll call began, and answers."""
    await db.execute(
        "INSERT INTO emergency_person (announcement, user_id, name, site, department, personal)"
        " VALUES ($1, $2, $3, '', '', false) ON CONFLICT DO NOTHING",
        announcement,
        user_id,
        name,
    )


async def add_answer(
    db: Database, event_id: EventId, announcement: str, user_id: UserId, answer: str, at: datetime
) -> None:
    """Keep an answer; the same event again changes nothing."""
    await db.execute(
        """WITH kept AS (
               INSERT INTO emergency_answer (event_id, announcement, user_id, answer, at)
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (event_id) DO NOTHING RETURNING answer = 'help' AS help)
           UPDATE emergency_person SET asked_help = asked_help OR help FROM kept
           WHERE announcement = $2 AND user_id = $3""",
        event_id,
        announcement,
        user_id,
        answer,
        at,
    )


async def remove_answer(db: Database, event_id: EventId) -> str | None:
    """Forget an answer that was taken back; return the roll call, None when it was no answer."""
    found: str | None = await db.fetchval(
        "DELETE FROM emergency_answer WHERE event_id = $1 RETURNING announcement", event_id
    )
    return found


async def put_response(
    db: Database, event_id: EventId, announcement: str, user_id: UserId, *, accepts: bool, at: datetime
) -> None:
    """Keep what somebody who was called to help says; the newest counts."""
    await db.execute(
        """UPDATE emergency_responder SET accepts = $4, answered_at = $5, event_id = $1
           WHERE announcement = $2 AND user_id = $3 AND asked_at IS NOT NULL
             AND (answered_at IS NULL OR answered_at <= $5)""",
        event_id,
        announcement,
        user_id,
        accepts,
        at,
    )


async def remove_response(db: Database, event_id: EventId) -> str | None:
    """Forget what somebody said who was called; return the roll call, None when it was nothing such."""
    found: str | None = await db.fetchval(
        "UPDATE emergency_responder SET accepts = NULL, event_id = NULL WHERE event_id = $1 RETURNING announcement",
        event_id,
    )
    return found


async def mark_stale(db: Database, announcements: Collection[str]) -> None:
    """Record that something of these roll calls has changed."""
    await db.execute(
        "UPDATE emergency SET stale = true WHERE announcement = ANY($1) AND NOT stale", list(announcements)
    )
