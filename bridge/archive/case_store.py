"""The statements on cases, one function each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive.case import Approval, Case, Closing
from bridge.archive.scope import Scope
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool

_READ = """SELECT c.*, coalesce(json_object_agg(p.person_id, p.user_name) FILTER (WHERE p.person_id IS NOT NULL),
                                '{}')::jsonb AS allowed
           FROM archive_case c LEFT JOIN archive_case_person p USING (number)"""


async def put_case(db: Connection, case: Case) -> bool:
    """Store a new case, without its people; return False when there is one of this number."""
    done: str | None = await db.fetchval(
        "INSERT INTO archive_case (number, purpose, scope, opened_by, opener, opened_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING number",
        case.number,
        case.purpose,
        case.scope.as_json(),
        case.opened_by,
        case.opener,
        case.opened_at,
    )
    return done is not None


async def put_people(db: Connection, number: str, people: Mapping[PersonId, str]) -> None:
    """Let people into a case; again is fine."""
    await db.execute(
        "INSERT INTO archive_case_person SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING",
        number,
        list(people),
        list(people.values()),
    )


async def lock_case(db: Connection, number: str) -> Case | None:
    """Return a case, and keep others from changing it until the database transaction ends."""
    await db.execute("SELECT FROM archive_case WHERE number = $1 FOR UPDATE", number)
    return await read_case(db, number)


async def read_case(db: Connection | Pool, number: str) -> Case | None:
    """Return a case."""
    row = await db.fetchrow(f"{_READ} WHERE number = $1 GROUP BY c.number", number)
    return _case(row) if row else None


async def read_cases(db: Connection | Pool) -> list[Case]:
    """Return all cases, the newest first."""
    return [_case(row) for row in await db.fetch(f"{_READ} GROUP BY c.number ORDER BY c.opened_at DESC, c.number")]


async def approve_case(db: Connection, number: str, digest: str, by: str, at: datetime) -> None:
    """Store an approval over the one that was there."""
    await db.execute(
        "UPDATE archive_case SET approved_by = $3, approved_at = $4, approved = $2, used_at = NULL WHERE number = $1",
        number,
        digest,
        by,
        at,
    )


async def note_use(db: Connection | Pool, number: str, digest: str, at: datetime) -> None:
    """Note that direct rooms were opened by the approval of this digest, for the first time."""
    await db.execute(
        "UPDATE archive_case SET used_at = $3 WHERE number = $1 AND approved = $2 AND used_at IS NULL",
        number,
        digest,
        at,
    )


async def close_case(db: Connection, number: str, by: str, at: datetime) -> None:
    """Note that a case is over."""
    await db.execute("UPDATE archive_case SET closed_by = $2, closed_at = $3 WHERE number = $1", number, by, at)


def _case(row: Row) -> Case:
    approval = row["approved_by"] and Approval(row["approved_by"], row["approved_at"], row["approved"], row["used_at"])
    return Case(
        number=row["number"],
        purpose=row["purpose"],
        scope=Scope.of_json(row["scope"]),
        allowed={PersonId(person): name for person, name in sorted(row["allowed"].items())},
        opened_by=row["opened_by"],
        opener=PersonId(row["opener"]),
        opened_at=row["opened_at"],
        approval=approval or None,
        closing=Closing(row["closed_by"], row["closed_at"]) if row["closed_by"] else None,
    )
