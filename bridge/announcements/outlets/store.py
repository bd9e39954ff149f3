"""The statements of what goes out of the chat: one function each.

`outlet`, `outlet_call`, `digest`, `digest_item` and `digest_letter` are ours; `announcement`, `announcement_text` and
`account` are only read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from bridge.announcements.outlets.said import Said
from bridge.announcements.values import Priority, State, Whom
from bridge.ids import PersonId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Call:
    """Something that an outlet is to be told."""

    id: int
    outlet: str
    announcement: str
    happened: str
    """`opened`, `edited`, `ended` or `retracted`."""
    version: int
    attempts: int
    """This one included."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The announcements of a day for somebody without an account."""

    day: date
    person: PersonId
    announcements: tuple[str, ...]
    attempts: int
    """This one included."""


_SAID = (
    "SELECT id, desk, author_name, state, priority, audience, version, opened_at,"
    " (SELECT jsonb_object_agg(language, body) FROM announcement_text AS t"
    "  WHERE t.announcement = a.id AND t.version = a.version) AS texts FROM announcement AS a"
)


async def load_said(db: Database, announcements: Collection[str]) -> dict[str, Said]:
    """Return announcements that were opened, in their newest version, the oldest first."""
    rows = await db.fetch(
        f"{_SAID} WHERE id = ANY($1) AND opened_at IS NOT NULL ORDER BY opened_at, id", list(announcements)
    )
    return {row["id"]: _said(row) for row in rows}


async def load_public(db: Database, desk: str, limit: int) -> list[Said]:
    """Return the newest announcements of a desk that were for its rooms, not for chosen people, nor an emergency."""
    rows = await db.fetch(
        f"{_SAID} WHERE desk = $1 AND state IN ('open', 'over') AND opened_at IS NOT NULL AND priority > 0"
        " AND audience ? 'rooms' AND origin NOT IN ('emergency', 'newcomers') ORDER BY opened_at DESC, id LIMIT $2",
        desk,
        limit,
    )
    return [_said(row) for row in rows]


# Webhooks


async def add_outlet(db: Database, name: str, since: datetime) -> None:
    """Note from when on an outlet is told; one that is known keeps its moment."""
    await db.execute("INSERT INTO outlet (name, since) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, since)


async def add_calls(db: Database, outlet: str, desks: Collection[str], now: datetime) -> None:
    """Note everything that an outlet has not been told: what was opened since, and what became of that."""
    await db.execute(
        """INSERT INTO outlet_call (outlet, announcement, happened, version, due_at)
           SELECT outlet.name, a.id, happened, CASE happened WHEN 'opened' THEN 1 ELSE a.version END, $3
           FROM outlet, announcement AS a, LATERAL (VALUES ('opened', true), ('edited', a.version > 1),
                ('ended', a.state = 'over'), ('retracted', a.state = 'retracted')) AS turn (happened, so)
           WHERE outlet.name = $1 AND a.opened_at >= outlet.since AND so
             AND (cardinality($2::text[]) = 0 OR a.desk = ANY($2))
             AND a.state IN ('open', 'over', 'retracted') AND a.origin <> 'newcomers'
           ORDER BY a.opened_at, a.id, array_position('{opened,edited,ended,retracted}', happened)
           ON CONFLICT DO NOTHING""",
        outlet,
        list(desks),
        now,
    )


async def claim_calls(db: Database, outlets: Collection[str], now: datetime, until: datetime, limit: int) -> list[Call]:
    """Count one more attempt for calls that are due, and return them; nobody else takes them before `until`."""
    rows = await db.fetch(
        """UPDATE outlet_call SET attempts = attempts + 1, due_at = $3 WHERE id IN (
               SELECT id FROM outlet_call WHERE state = 'waiting' AND due_at <= $2 AND outlet = ANY($1)
               ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)
           RETURNING id, outlet, announcement, happened, version, attempts""",
        list(outlets),
        now,
        until,
        limit,
    )
    return sorted((Call(**row) for row in rows), key=lambda call: call.id)


async def next_call(db: Database, outlets: Collection[str]) -> datetime | None:
    """Return when the next call is due, None when none waits."""
    found: datetime | None = await db.fetchval(
        "SELECT min(due_at) FROM outlet_call WHERE state = 'waiting' AND outlet = ANY($1)", list(outlets)
    )
    return found


async def finish_call(db: Database, call: int) -> None:
    """Note that the other side has taken it."""
    await db.execute("UPDATE outlet_call SET state = 'done', error = NULL WHERE id = $1", call)


async def fail_call(db: Database, call: int, error: str, again_at: datetime | None) -> None:
    """Note why the other side has not taken it; without a moment it is not tried again."""
    await db.execute(
        "UPDATE outlet_call SET error = $2, due_at = coalesce($3, due_at),"
        " state = CASE WHEN $3::timestamptz IS NULL THEN 'dead' ELSE state END WHERE id = $1",
        call,
        error,
        again_at,
    )


# E-mail


async def add_digest(db: Database, day: date, now: datetime) -> bool:
    """Begin the letters of a day; False when they were begun."""
    inserted: date | None = await db.fetchval(
        "INSERT INTO digest (day, at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING day", day, now
    )
    return inserted is not None


async def add_digest_items(db: Database, day: date) -> list[str]:
    """Note all open announcements that were in no letters before, and return them; the first day takes one day's."""
    rows = await db.fetch(
        """INSERT INTO digest_item (announcement, day)
           SELECT id, $1 FROM announcement
           WHERE opened_at > (SELECT min(at) FROM digest) - interval '24 hours' AND state IN ('open', 'over')
             AND priority > 0 AND origin NOT IN ('emergency', 'newcomers')
           ON CONFLICT DO NOTHING RETURNING announcement""",
        day,
    )
    return [row["announcement"] for row in rows]


async def add_letters(db: Database, day: date, letters: Mapping[PersonId, Sequence[str]], now: datetime) -> None:
    """Let people get these announcements by e-mail."""
    await db.executemany(
        "INSERT INTO digest_letter (day, person_id, announcements, due_at) VALUES ($1, $2, $3, $4)",
        [(day, person, list(announcements), now) for person, announcements in letters.items()],
    )


async def load_account_holders(db: Database) -> set[PersonId]:
    """Return who can read on Matrix."""
    return {PersonId(row["person_id"]) for row in await db.fetch("SELECT person_id FROM account WHERE enabled")}


async def claim_letters(db: Database, now: datetime, until: datetime, limit: int) -> list[Letter]:
    """Count one more attempt for letters that are due, and return them; nobody else takes them before `until`."""
    rows = await db.fetch(
        """UPDATE digest_letter SET attempts = attempts + 1, due_at = $2 WHERE (day, person_id) IN (
               SELECT day, person_id FROM digest_letter WHERE state = 'waiting' AND due_at <= $1
               ORDER BY due_at, day, person_id LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING day, person_id, announcements, attempts""",
        now,
        until,
        limit,
    )
    return [
        Letter(row["day"], PersonId(row["person_id"]), tuple(row["announcements"]), row["attempts"]) for row in rows
    ]


async def finish_letter(db: Database, letter: Letter) -> None:
    """Note that the mail server has taken it, or that nothing of it is to be said any more."""
    await db.execute(
        "UPDATE digest_letter SET state = 'done', error = NULL WHERE day = $1 AND person_id = $2",
        letter.day,
        letter.person,
    )


async def fail_letter(db: Database, letter: Letter, error: str, again_at: datetime | None) -> None:
    """Note why it was not taken; without a moment it is not tried again."""
    await db.execute(
        "UPDATE digest_letter SET error = $3, due_at = coalesce($4, due_at),"
        " state = CASE WHEN $4::timestamptz IS NULL THEN 'dead' ELSE state END WHERE day = $1 AND person_id = $2",
        letter.day,
        letter.person,
        error,
        again_at,
    )


def _said(row: asyncpg.Record) -> Said:
    return Said(
        id=row["id"],
        desk=row["desk"],
        author_name=row["author_name"],
        state=State(row["state"]),
        priority=Priority(row["priority"]),
        audience=Whom.of_json(row["audience"]),
        version=row["version"],
        opened_at=row["opened_at"],
        texts=row["texts"],
    )
