"""How far announcements have come, from the tables: one function per statement.

`managed_room` and `account` are membership's and only read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.announcements.evidence import Evidence, Hearer
from bridge.announcements.form import Form
from bridge.announcements.progress import Figures, Progress
from bridge.announcements.values import State
from bridge.ids import PersonId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool

_LATE = timedelta(seconds=5)
"""What is recorded at one moment may be committed so much later."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A row by which a board is said or changed."""

    key: str
    done_at: datetime | None


async def load_progress(db: Database, announcements: Collection[str]) -> list[Progress]:
    """Return how far these announcements have come, by their ids."""
    about = await load_abouts(db, announcements)
    figures = await load_figures(db, announcements)
    answers = await load_answers(db, announcements)
    return [replace(one, departments=figures[one.id], answers=answers[one.id]) for one in about]


async def load_abouts(db: Database, announcements: Collection[str]) -> list[Progress]:
    """Return what these announcements are, without how far they have come."""
    rows = await db.fetch(
        """SELECT a.id, desk, state, form, counted_version(a.id) AS version, m.room_id,
               (SELECT body->>'body' FROM announcement_text t WHERE t.announcement = a.id
                ORDER BY version DESC, language LIMIT 1) AS text
           FROM announcement a LEFT JOIN managed_room m ON m.kind = 'desk' AND m.key = desk
           WHERE a.id = ANY($1) ORDER BY a.id""",
        list(announcements),
    )
    return [Progress(**{**row, "state": State(row["state"]), "form": Form.of_json(row["form"])}) for row in rows]


async def load_figures(db: Database, announcements: Collection[str]) -> Mapping[str, Mapping[str, Figures]]:
    """Return how many people these announcements have reached, by announcement and department."""
    rows = await db.fetch(
        """WITH counted AS MATERIALIZED (SELECT id, counted_version(id) AS version FROM unnest($1::text[]) AS id)
           SELECT r.announcement, coalesce(department, '') AS department, count(*) AS targeted,
               count(delivered_at) AS delivered, count(*) FILTER (WHERE seen_version >= c.version) AS seen,
               count(acknowledged_at) AS acknowledged
           FROM recipient r JOIN counted c ON c.id = r.announcement GROUP BY 1, 2 ORDER BY 1, 2""",
        list(announcements),
    )
    found: dict[str, dict[str, Figures]] = defaultdict(dict)
    for row in rows:
        found[row["announcement"]][row["department"]] = Figures(
            row["targeted"], row["delivered"], row["seen"], row["acknowledged"]
        )
    return found


async def load_answers(db: Database, announcements: Collection[str]) -> Mapping[str, Mapping[str, int]]:
    """Return how often what was answered, to quizzes and surveys among these."""
    rows = await db.fetch(
        """SELECT announcement, answer, count(*) AS times FROM recipient r JOIN announcement a ON a.id = announcement
           WHERE announcement = ANY($1) AND answer IS NOT NULL AND form->>'kind' IN ('quiz', 'survey')
           GROUP BY 1, 2
           UNION ALL SELECT announcement, answer, times FROM survey_answer WHERE announcement = ANY($1)""",
        list(announcements),
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row["announcement"]][row["answer"]] = row["times"]
    return found


# The live status


async def touch_boards(db: Database, announcements: Collection[str], at: datetime) -> list[str]:
    """Take the boards of those of the announcements that have one, until the database transaction ends.

    Whoever takes them next reads what this one has written.
    """
    rows = await db.fetch(
        """INSERT INTO board (announcement, refreshed_at)
           SELECT a.id, $2 FROM announcement a JOIN managed_room m ON m.kind = 'desk' AND m.key = a.desk
           WHERE a.id = ANY($1) AND m.room_id IS NOT NULL AND a.opened_at IS NOT NULL
               AND form->>'kind' NOT IN ('none', 'safety')
           ORDER BY a.id
           ON CONFLICT (announcement) DO UPDATE SET refreshed_at = excluded.refreshed_at RETURNING announcement""",
        list(announcements),
        at,
    )
    return [row["announcement"] for row in rows]


async def load_posted(db: Database, keys: Collection[str]) -> Mapping[str, Posted]:
    """Return which of these rows there are."""
    rows = await db.fetch("SELECT key, done_at FROM outgoing WHERE key = ANY($1)", list(keys))
    return {row["key"]: Posted(**row) for row in rows}


async def stale_boards(db: Database) -> list[str]:
    """Return the announcements with something that their board does not show yet, or may not."""
    rows = await db.fetch(
        """SELECT a.id FROM announcement a JOIN managed_room m ON m.kind = 'desk' AND m.key = a.desk
               LEFT JOIN board b ON b.announcement = a.id
           WHERE m.room_id IS NOT NULL AND a.opened_at IS NOT NULL AND form->>'kind' NOT IN ('none', 'safety')
               AND CASE WHEN b.announcement IS NULL THEN a.state = 'open' ELSE
                   a.ended_at > b.refreshed_at - $1::interval
                   OR (a.state = 'open' AND EXISTS (SELECT FROM outgoing o WHERE o.announcement = a.id
                       AND o.role = 'copy' AND o.done_at > b.refreshed_at - $1::interval)) END
           ORDER BY a.id""",
        _LATE,
    )
    return [row["id"] for row in rows]


# Departments


async def unplaced(db: Database, limit: int) -> list[tuple[UserId, PersonId | None]]:
    """Return some recipients whose department was not looked up yet, and who they are in the directory."""
    rows = await db.fetch(
        "SELECT DISTINCT r.user_id, person_id FROM recipient r LEFT JOIN account USING (user_id)"
        " WHERE department IS NULL ORDER BY r.user_id LIMIT $1",
        limit,
    )
    return [(UserId(row["user_id"]), row["person_id"]) for row in rows]


async def place(db: Database, departments: Mapping[UserId, str]) -> None:
    """Note the departments of recipients, where none was noted."""
    await db.execute(
        """WITH row AS (
               SELECT announcement, r.user_id, t.department FROM recipient r
               JOIN unnest($1::text[], $2::text[]) AS t (user_id, department) ON t.user_id = r.user_id
               WHERE r.department IS NULL ORDER BY announcement, r.user_id FOR NO KEY UPDATE OF r)
           UPDATE recipient r SET department = row.department FROM row
           WHERE r.announcement = row.announcement AND r.user_id = row.user_id""",
        list(departments),
        list(departments.values()),
    )


# The report


async def load_evidence(db: Database, announcement: str) -> Evidence | None:
    """Return everything that a report says of an announcement, None when there is none of that name."""
    row = await db.fetchrow(
        """SELECT author, author_name, coalesce(opened_at, created_at) AS opened_at,
               (SELECT count(DISTINCT user_id) FROM nudge n WHERE n.announcement = a.id AND told = user_id
                AND n.version = counted_version(a.id)) AS reminded,
               (SELECT count(DISTINCT told) FROM nudge n WHERE n.announcement = a.id AND told <> user_id
                AND n.version = counted_version(a.id)) AS told
           FROM announcement a WHERE id = $1""",
        announcement,
    )
    if row is None:
        return None
    [progress] = await load_progress(db, [announcement])
    return Evidence(progress=progress, people=await load_hearers(db, progress), **row)


async def load_hearers(db: Database, progress: Progress) -> list[Hearer]:
    """Return everybody an announcement is for, by name, with the proof of each acknowledgement."""
    rows = await db.fetch(
        """SELECT r.user_id, coalesce(nullif(display_name, ''), r.user_id) AS name,
               coalesce(department, '') AS department,
               targeted_at, delivered_at, CASE WHEN seen_version >= $2 THEN seen_at END AS seen_at, acknowledged_at,
               acknowledged_version AS version, answer, acknowledged_by_event AS event_id, encode(leaf, 'hex') AS leaf
           FROM recipient r LEFT JOIN account USING (user_id) LEFT JOIN event e ON e.event_id = acknowledged_by_event
           WHERE announcement = $1 ORDER BY name, r.user_id""",
        progress.id,
        progress.version,
    )
    return [Hearer(**row) for row in rows]
