"""Who is missing and what was done about it, in the tables: one function per statement.

`account` is membership's, `manager_reference` the directory's; both are only read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from asyncpg import Record

from bridge.announcements.escalation import Step
from bridge.announcements.form import Form
from bridge.announcements.nudge import Subject
from bridge.ids import PersonId, UserId
from bridge.policy.schema import RuleId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who has got an announcement and not acknowledged the text that counts."""

    user_id: UserId
    name: str
    person: PersonId
    since: datetime
    acknowledged_earlier: bool


async def load_open(db: Database) -> list[tuple[Subject, RuleId]]:
    """Return the announcements that wait for people, with their desks; a roll call has ways of its own."""
    rows = await db.fetch(
        """SELECT id, desk, counted_version(id) AS version, author_name, opened_at, form,
               (SELECT body->>'body' FROM announcement_text t WHERE t.announcement = announcement.id
                ORDER BY version DESC, language LIMIT 1) AS text
           FROM announcement WHERE state = 'open' AND opened_at IS NOT NULL
               AND form->>'kind' NOT IN ('none', 'safety') ORDER BY id"""
    )
    return [(_subject(row), row["desk"]) for row in rows]


async def lock_open(db: Connection, announcement: str) -> bool:
    """Keep the announcement open until the database transaction ends; False when it is not, or another has it."""
    found = await db.fetchval(
        "SELECT id FROM announcement WHERE id = $1 AND state = 'open' FOR NO KEY UPDATE SKIP LOCKED", announcement
    )
    return found is not None


async def load_missing(db: Database, subject: Subject) -> list[Waiting]:
    """Return those who have got the announcement and not acknowledged it, with the moment they got the text."""
    rows = await db.fetch(
        """SELECT r.user_id, coalesce(nullif(display_name, ''), r.user_id) AS name, person_id AS person,
               greatest(r.delivered_at, t.at) AS since,
               EXISTS (SELECT FROM acknowledgement k WHERE k.announcement = r.announcement AND k.user_id = r.user_id)
                   AS acknowledged_earlier
           FROM recipient r JOIN account USING (user_id)
               JOIN LATERAL (SELECT min(at) AS at FROM announcement_text
                             WHERE announcement = r.announcement AND version = $2) t ON true
           WHERE r.announcement = $1 AND acknowledged_at IS NULL AND delivered_at IS NOT NULL AND enabled
           ORDER BY r.user_id""",
        subject.id,
        subject.version,
    )
    return [Waiting(**row) for row in rows]


async def load_steps(db: Database, subject: Subject) -> dict[UserId, dict[str, datetime]]:
    """Return the steps that were taken for this text, by person."""
    rows = await db.fetch(
        "SELECT user_id, step, at FROM nudge WHERE announcement = $1 AND version = $2", subject.id, subject.version
    )
    found: dict[UserId, dict[str, datetime]] = defaultdict(dict)
    for row in rows:
        found[row["user_id"]][row["step"]] = row["at"]
    return found


async def add_steps(db: Database, subject: Subject, steps: Sequence[Step], at: datetime) -> None:
    """Note that these steps are taken."""
    await db.execute(
        """INSERT INTO nudge (announcement, version, user_id, step, told, at)
           SELECT $1, $2, *, $6 FROM unnest($3::text[], $4::text[], $5::text[])""",
        subject.id,
        subject.version,
        [step.user_id for step in steps],
        [step.name for step in steps],
        [step.told for step in steps],
        at,
    )


async def load_lines(db: Database, people: Collection[PersonId]) -> dict[PersonId, list[PersonId]]:
    """Return who stands above these people, from the next to the top; who manages each other ends sooner."""
    rows = await db.fetch(
        """WITH RECURSIVE above (person, id, level) AS (
               SELECT person_id, manager_id, 1 FROM manager_reference
               WHERE person_id = ANY($1) AND manager_id IS NOT NULL
               UNION
               SELECT above.person, m.manager_id, level + 1
               FROM above JOIN manager_reference m ON m.person_id = above.id
               WHERE level < 20 AND m.manager_id IS NOT NULL AND m.manager_id <> above.person)
           SELECT person, id FROM above GROUP BY person, id ORDER BY person, min(level), id""",
        list(people),
    )
    found: dict[PersonId, list[PersonId]] = defaultdict(list)
    for row in rows:
        found[row["person"]].append(row["id"])
    return found


async def load_accounts(db: Database, people: Collection[PersonId]) -> dict[PersonId, UserId]:
    """Return the accounts of these people that are enabled."""
    rows = await db.fetch("SELECT person_id, user_id FROM account WHERE person_id = ANY($1) AND enabled", list(people))
    return {row["person_id"]: UserId(row["user_id"]) for row in rows}


def _subject(row: Record) -> Subject:
    return Subject(
        id=row["id"],
        version=row["version"],
        text=row["text"],
        author_name=row["author_name"],
        opened_at=row["opened_at"],
        form=Form.of_json(row["form"]),
    )
