"""What `announcing` reads and writes: `announcement`, `announcement_text`, `draft`; one function per statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.announcements.copies import Standing
from bridge.announcements.form import Form
from bridge.announcements.values import Priority, State, Whom
from bridge.announcements.wording import Body, Link
from bridge.ids import EventId, PersonId, RoomId, UserId
from bridge.policy.schema import RuleId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announcement, whatever has become of it."""

    id: str
    desk: RuleId
    source_event_id: EventId | None
    author: UserId
    author_name: str
    origin: str
    """`desk`, `command`, `webhook/NAME` and so on: by what it came."""
    state: State
    priority: Priority
    whom: Whom
    form: Form
    created_at: datetime
    due_at: datetime | None
    """When it goes, or went; None: as soon as it is confirmed."""
    lasts: timedelta | None
    version: int = 1
    discussion: Link | None = None
    ends_at: datetime | None = None
    """When it is over; None: when it is ended by hand."""
    lapses_at: datetime | None = None
    """Of a draft."""
    needs_second: bool = False
    confirmed_by: UserId | None = None


# Announcements


async def add(db: Database, announcement: Announcement) -> bool:
    """Insert the announcement; False when it is there already, or its source event was announced."""
    inserted: str | None = await db.fetchval(
        "INSERT INTO announcement (id, desk, source_event_id, author, author_name, origin, state, priority, audience,"
        " form, created_at, due_at, lasts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        " ON CONFLICT DO NOTHING RETURNING id",
        announcement.id,
        announcement.desk,
        announcement.source_event_id,
        announcement.author,
        announcement.author_name,
        announcement.origin,
        announcement.state,
        announcement.priority,
        announcement.whom.as_json(),
        announcement.form.as_json(),
        announcement.created_at,
        announcement.due_at,
        announcement.lasts,
    )
    return inserted is not None


async def lock(db: Connection, announcement: str) -> Announcement | None:
    """Return the announcement, locked until the database transaction ends."""
    row = await db.fetchrow(
        "SELECT id, desk, source_event_id, author, author_name, origin, state, priority, audience, form, created_at,"
        " due_at, lasts, version, discussion, ends_at, lapses_at, coalesce(needs_second, false) AS needs_second,"
        " confirmed_by"
        " FROM announcement LEFT JOIN draft ON announcement = id WHERE id = $1 FOR UPDATE OF announcement",
        announcement,
    )
    return None if row is None else _announcement(dict(row))


async def find(db: Database, event_id: EventId) -> str | None:
    """Return the announcement that was made of this event, or that the bot said something of by it."""
    found: str | None = await db.fetchval(
        "SELECT id FROM announcement WHERE source_event_id = $1"
        " UNION ALL SELECT announcement FROM outgoing WHERE event_id = $1 AND announcement IS NOT NULL LIMIT 1",
        event_id,
    )
    return found


async def draft_again(db: Database, announcement: Announcement) -> None:
    """Put what a draft says of itself in the place of what it said; whoever confirmed it has to do so again."""
    await db.execute(
        "UPDATE announcement SET state = 'draft', priority = $2, audience = $3, form = $4, due_at = $5, lasts = $6"
        " WHERE id = $1",
        announcement.id,
        announcement.priority,
        announcement.whom.as_json(),
        announcement.form.as_json(),
        announcement.due_at,
        announcement.lasts,
    )


async def put_draft(db: Database, announcement: str, lapses_at: datetime, *, needs_second: bool) -> None:
    """Record that a draft waits to be confirmed, by nobody so far."""
    await db.execute(
        "INSERT INTO draft (announcement, lapses_at, needs_second) VALUES ($1, $2, $3) ON CONFLICT (announcement)"
        " DO UPDATE SET lapses_at = excluded.lapses_at, needs_second = excluded.needs_second, confirmed_by = NULL",
        announcement,
        lapses_at,
        needs_second,
    )


async def mark_confirmed(db: Database, announcement: str, by: UserId) -> None:
    """Record who confirmed a draft."""
    await db.execute("UPDATE draft SET confirmed_by = $2 WHERE announcement = $1", announcement, by)


async def mark_scheduled(db: Database, announcement: str, due_at: datetime) -> None:
    """Record that it goes then."""
    await db.execute(
        "UPDATE announcement SET state = 'scheduled', due_at = $2 WHERE id = $1",
        announcement,
        due_at,
    )


async def mark_open(db: Database, announcement: str, at: datetime, discussion: Link | None) -> None:
    """Record that it is on its way, and where it is talked about."""
    link = None if discussion is None else {"name": discussion.name, "address": discussion.address}
    await db.execute(
        "UPDATE announcement SET state = 'open', opened_at = $2, ends_at = $2::timestamptz + lasts, discussion = $3"
        " WHERE id = $1",
        announcement,
        at,
        link,
    )


async def mark_ended(db: Database, announcement: str, state: State, at: datetime) -> None:
    """Record that it is over, retracted or discarded."""
    await db.execute("UPDATE announcement SET state = $2, ended_at = $3 WHERE id = $1", announcement, state, at)


async def mark_version(db: Database, announcement: str, version: int) -> None:
    """Record the newest version."""
    await db.execute("UPDATE announcement SET version = $2 WHERE id = $1", announcement, version)


async def load_state(db: Database, announcement: str) -> State:
    """Return how far an announcement has come."""
    return State(await db.fetchval("SELECT state FROM announcement WHERE id = $1", announcement))


async def load_moments(db: Database) -> list[tuple[str, datetime]]:
    """Return when something is due for which announcement, the earliest first.

    What is scheduled is opened then, what is open is over, and a draft lapses.
    """
    rows = await db.fetch(
        "SELECT id, CASE state WHEN 'scheduled' THEN due_at WHEN 'open' THEN ends_at ELSE lapses_at END AS moment"
        " FROM announcement LEFT JOIN draft ON announcement = id WHERE state IN ('draft', 'scheduled', 'open')"
        " ORDER BY moment, id"
    )
    return [(row["id"], row["moment"]) for row in rows if row["moment"] is not None]


# What they say


async def put_texts(
    db: Connection, announcement: str, version: int, texts: Mapping[str, Body], at: datetime, *, minor: bool = False
) -> None:
    """Let a version say this, in the order of the languages, whatever it said before."""
    await db.execute("DELETE FROM announcement_text WHERE announcement = $1 AND version = $2", announcement, version)
    await db.executemany(
        "INSERT INTO announcement_text (announcement, version, language, body, minor, at, position)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (announcement, version, language, dict(body), minor, at, position)
            for position, (language, body) in enumerate(texts.items())
        ],
    )


async def load_texts(db: Database, announcement: str, version: int) -> dict[str, Body]:
    """Return what a version says, by language, in their order."""
    rows = await db.fetch(
        "SELECT language, body FROM announcement_text WHERE announcement = $1 AND version = $2"
        " ORDER BY position, language",
        announcement,
        version,
    )
    return {row["language"]: row["body"] for row in rows}


async def load_standing(db: Database, announcement: str) -> list[Standing]:
    """Return everything that was said for an announcement where its audience is, or that waits to be, in its order."""
    rows = await db.fetch(
        "SELECT key, role, rank, due_at, room_id, user_id, state = 'waiting' AND attempts = 0 AS untried FROM outgoing"
        " WHERE announcement = $1 AND act = 'send' AND role IN ('copy', 'poll', 'reminder') AND state <> 'failed'"
        " ORDER BY id",
        announcement,
    )
    return [Standing(**row) for row in rows]


async def count_recipients(db: Database, announcement: str) -> int:
    """Return how many people an announcement is for."""
    found: int = await db.fetchval("SELECT count(*) FROM recipient WHERE announcement = $1", announcement)
    return found


# What others know


async def load_accounts(db: Database, people: Collection[PersonId]) -> dict[PersonId, UserId]:
    """Return the accounts of these people that are not locked."""
    rows = await db.fetch("SELECT person_id, user_id FROM account WHERE enabled AND person_id = ANY($1)", list(people))
    return {PersonId(row["person_id"]): UserId(row["user_id"]) for row in rows}


async def load_desk_room(db: Database, desk: RuleId) -> RoomId | None:
    """Return the room of a desk, None while it is not made."""
    found: str | None = await db.fetchval("SELECT room_id FROM managed_room WHERE key = $1 AND kind = 'desk'", desk)
    return None if found is None else RoomId(found)


async def load_named_room(db: Database, rule: RuleId) -> tuple[RoomId, str] | None:
    """Return the one room of a rule, and its name."""
    row = await db.fetchrow("SELECT room_id, name FROM managed_room WHERE key = $1 AND room_id IS NOT NULL", rule)
    return None if row is None else (RoomId(row["room_id"]), row["name"])


async def load_timezone(db: Database) -> str:
    """Return the time zone of the company."""
    found: str = await db.fetchval("SELECT name FROM directory_timezone")
    return found


def _announcement(row: dict[str, Any]) -> Announcement:
    link, audience = row.pop("discussion"), row.pop("audience")
    return Announcement(
        **{
            **row,
            "state": State(row["state"]),
            "priority": Priority(row["priority"]),
            "whom": Whom.of_json(audience),
            "form": Form.of_json(row["form"]),
            "discussion": None if link is None else Link(**link),
        }
    )
