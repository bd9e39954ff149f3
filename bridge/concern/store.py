"""The tables of reports: one function per statement.

Who reported stands in `reporter` alone, and only while the report is open and the person takes part.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.announcements.on_call import Terms
from bridge.concern.course import Ask, Report
from bridge.database.listen import SELFSERVICE
from bridge.homeserver import wire
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reported, and where the bot talks with them."""

    report: int
    user_id: UserId
    room_id: RoomId
    secret: bytes
    joined: bool
    anonymous: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A report in a list of them."""

    number: int
    kind: str
    anonymous: bool
    opened_at: datetime
    asked: int
    taken: int
    needed: int
    taken_at: datetime | None
    closed_at: datetime | None


_REPORT = (
    "SELECT number, kind, anonymous, alias, line, needed, escalate, opened_at, room_id, closed_at, closed_by, words,"
    " touched, boards FROM report"
)


# Opening, and who opened


async def add_report(db: Connection, new: Report) -> int:
    """Open a report that is to be looked at now, and return its number."""
    number: int = await db.fetchval(
        """INSERT INTO report (kind, anonymous, alias, line, needed, escalate, opened_at, due_at, words)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8) RETURNING number""",
        new.kind,
        new.anonymous,
        new.alias,
        [list(group) for group in new.line],
        new.terms.needed,
        new.terms.escalate,
        new.opened_at,
        new.words,
    )
    return number


async def put_reporter(db: Connection, report: int, user_id: UserId, room_id: RoomId, secret: bytes) -> None:
    """Remember who reported, for as long as words must find their way."""
    await db.execute(
        "INSERT INTO reporter (report, user_id, room_id, secret) VALUES ($1, $2, $3, $4)",
        report,
        user_id,
        room_id,
        secret,
    )


async def reporter_of(db: Database, report: int) -> Reporter | None:
    """Return who made this report, while that is known."""
    row = await db.fetchrow(f"{_REPORTER} WHERE reporter.report = $1", report)
    return _reporter(row) if row else None


async def find_reporter(db: Database, user_id: UserId) -> Reporter | None:
    """Return the report that somebody has open and takes part in."""
    row = await db.fetchrow(f"{_REPORTER} WHERE user_id = $1", user_id)
    return _reporter(row) if row else None


_REPORTER = (
    "SELECT reporter.report, user_id, reporter.room_id, secret, joined, anonymous"
    " FROM reporter JOIN report ON number = reporter.report"
)


async def mark_reporter_joined(db: Database, report: int) -> None:
    """Remember that a named reporter is in the room."""
    await db.execute("UPDATE reporter SET joined = true WHERE report = $1", report)


async def forget_reporter(db: Database, report: int) -> None:
    """Forget who reported."""
    await db.execute("DELETE FROM reporter WHERE report = $1", report)


async def add_words(db: Connection, report: int, words: str) -> RoomId | None:
    """Add to what the reporter said so far, and return the room; None while it is still to be made."""
    found: str | None = await db.fetchval(
        "UPDATE report SET words = concat_ws(E'\\n', words, $2::text) WHERE number = $1 AND closed_at IS NULL"
        " RETURNING room_id",
        report,
        words,
    )
    return RoomId(found) if found is not None else None


async def room_of(db: Database, report: int) -> RoomId | None:
    """Return the room of a report; None while it is still to be made."""
    found: str | None = await db.fetchval("SELECT room_id FROM report WHERE number = $1", report)
    return RoomId(found) if found is not None else None


# The course of a report


async def due_reports(db: Database, now: datetime) -> list[int]:
    """Return the reports that are to be looked at, the longest waiting first."""
    return [row[0] for row in await db.fetch("SELECT number FROM report WHERE due_at <= $1 ORDER BY due_at", now)]


async def next_due(db: Database) -> datetime | None:
    """Return when the next report is to be looked at."""
    found: datetime | None = await db.fetchval("SELECT min(due_at) FROM report")
    return found


async def lock_report(db: Connection, report: int) -> bool:
    """Keep others from looking at a report until the database transaction ends; False when somebody does already."""
    got: bool = await db.fetchval("SELECT pg_try_advisory_xact_lock(hashtext('muster report'), $1)", report)
    return got


async def load_report(db: Database, report: int) -> Report:
    """Return a report."""
    row = await db.fetchrow(f"{_REPORT} WHERE number = $1", report)
    assert row is not None
    return _report(row)


async def load_asks(db: Database, report: int) -> list[Ask]:
    """Return who was asked, in the order of asking."""
    rows = await db.fetch(
        "SELECT user_id, asked_at AS at, instead, takes, joined FROM report_ask WHERE report = $1"
        " ORDER BY asked_at, user_id",
        report,
    )
    return [Ask(**row) for row in rows]


async def add_asks(db: Database, report: int, users: Sequence[UserId], at: datetime, *, instead: bool) -> None:
    """Write down that these are asked."""
    await db.execute(
        """INSERT INTO report_ask (report, user_id, asked_at, instead)
           SELECT $1, user_id, $3, $4 FROM unnest($2::text[]) AS t (user_id) ON CONFLICT DO NOTHING""",
        report,
        list(users),
        at,
        instead,
    )


async def put_room(db: Database, report: int, room_id: RoomId) -> None:
    """Remember the room of a report."""
    await db.execute("UPDATE report SET room_id = $2 WHERE number = $1", report, room_id)


async def mark_joined(db: Database, report: int, users: Collection[UserId], *, joined: bool) -> None:
    """Remember who of those asked is in the room, or is no more."""
    await db.execute(
        "UPDATE report_ask SET joined = $3 WHERE report = $1 AND user_id = ANY($2)", report, list(users), joined
    )


async def add_board(db: Database, report: int) -> None:
    """Count a pinned message that is put anew."""
    await db.execute("UPDATE report SET boards = boards + 1 WHERE number = $1", report)


async def put_answer(db: Database, report: int, user_id: UserId, at: datetime, *, takes: bool) -> bool:
    """Take the answer of somebody who was asked; return whether it is news."""
    changed = await db.fetchval(
        """UPDATE report_ask SET takes = $4, answered_at = $3 WHERE report = $1 AND user_id = $2
               AND takes IS DISTINCT FROM $4 AND (answered_at IS NULL OR answered_at < $3)
           RETURNING true""",
        report,
        user_id,
        at,
        takes,
    )
    return bool(changed)


async def mark_taken(db: Database, report: int, at: datetime) -> bool:
    """Remember when enough had taken it; return whether that is news."""
    changed = await db.fetchval(
        "UPDATE report SET taken_at = $2 WHERE number = $1 AND taken_at IS NULL RETURNING true", report, at
    )
    return bool(changed)


async def close_report(db: Database, report: int, by: UserId, at: datetime) -> bool:
    """Close a report, and forget what was said in it; return False when it was closed before.

    It is looked at a last time, so that its room says so.
    """
    closed = await db.fetchval(
        f"""WITH closed AS (
               UPDATE report SET closed_at = $3, closed_by = $2, words = NULL, due_at = $3, touched = touched + 1
               WHERE number = $1 AND closed_at IS NULL RETURNING true AS news)
            SELECT news, pg_notify('{SELFSERVICE}', '') FROM closed""",  # noqa: S608 - our own constant
        report,
        by,
        at,
    )
    return bool(closed)


async def touch(db: Database, report: int, now: datetime) -> None:
    """Have a report that is open looked at now."""
    await db.execute(
        f"""WITH touched AS (
               UPDATE report SET due_at = $2, touched = touched + 1 WHERE number = $1 AND closed_at IS NULL)
            SELECT pg_notify('{SELFSERVICE}', '')""",  # noqa: S608 - our own constant
        report,
        now,
    )


async def put_due(db: Database, looked_at: Report, due_at: datetime | None) -> None:
    """Say when a report is to be looked at again, unless something has come since it was."""
    await db.execute(
        "UPDATE report SET due_at = $3 WHERE number = $1 AND touched = $2",
        looked_at.number,
        looked_at.touched,
        due_at,
    )


# What is said in the rooms


async def open_rooms(db: Database, rooms: Collection[RoomId]) -> dict[RoomId, int]:
    """Return which of the rooms are those of open reports, and of which."""
    rows = await db.fetch(
        "SELECT room_id, number FROM report WHERE room_id = ANY($1) AND closed_at IS NULL", list(rooms)
    )
    return {RoomId(row["room_id"]): row["number"] for row in rows}


async def content_of(db: Database, event_id: EventId, room_id: RoomId, sender: UserId) -> dict[str, Any]:
    """Return the content of an event as it was archived; empty unless it is this sender's in this room."""
    body: bytes | None = await db.fetchval(
        "SELECT body FROM event WHERE event_id = $1 AND room_id = $2 AND sender = $3 AND body IS NOT NULL",
        event_id,
        room_id,
        sender,
    )
    content = wire.decode(body).get("content") if body else None
    return content if isinstance(content, dict) else {}


async def names_of(db: Database, users: Collection[UserId]) -> dict[UserId, str]:
    """Return what these are called; who has no account of the company's by the user ID."""
    rows = await db.fetch("SELECT user_id, display_name FROM account WHERE user_id = ANY($1)", list(users))
    found = {UserId(row["user_id"]): row["display_name"] for row in rows}
    return {user: found.get(user) or user for user in users}


# Listing


async def load_lines(db: Database, *, only_open: bool, limit: int) -> list[Line]:
    """Return the newest reports, the newest first, without what was said or by whom."""
    rows = await db.fetch(
        """SELECT number, kind, anonymous, opened_at, needed, taken_at, closed_at,
               (SELECT count(*) FROM report_ask WHERE report = number) AS asked,
               (SELECT count(*) FROM report_ask WHERE report = number AND takes) AS taken
           FROM report WHERE closed_at IS NULL OR NOT $1 ORDER BY number DESC LIMIT $2""",
        only_open,
        limit,
    )
    return [Line(**row) for row in rows]


def _report(row: asyncpg.Record) -> Report:
    return Report(
        number=row["number"],
        kind=row["kind"],
        anonymous=row["anonymous"],
        alias=row["alias"],
        line=tuple(tuple(map(UserId, group)) for group in row["line"]),
        terms=Terms(row["needed"], row["escalate"]),
        opened_at=row["opened_at"],
        room_id=row["room_id"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        words=row["words"] or "",
        touched=row["touched"],
        boards=row["boards"],
    )


def _reporter(row: asyncpg.Record) -> Reporter:
    return Reporter(
        row["report"],
        UserId(row["user_id"]),
        RoomId(row["room_id"]),
        row["secret"],
        row["joined"],
        row["anonymous"],
    )
