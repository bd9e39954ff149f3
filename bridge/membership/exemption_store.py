"""Exceptions beside the policy's own, in the database, and the days on which exceptions end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bridge.directory.local_day import Boundary
from bridge.directory.scim_shape import comparison_key
from bridge.ids import PersonId, UserId
from bridge.membership.member_store import note_drift
from bridge.policy.schema import Exemption

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_DAY = timedelta(days=1)


async def read_exemptions(db: Connection | Pool, since: date, made_by: datetime | None = None) -> list[Exemption]:
    """Return the exceptions that end on this day or later, in the order in which they were made.

    With `made_by`, those that there were at the moment.
    """
    rows = await db.fetch(
        """SELECT * FROM exception WHERE until >= $1 AND ($2::timestamptz IS NULL OR created_at <= $2) ORDER BY id""",
        since,
        made_by,
    )
    return [
        Exemption(
            *_rule_and_value(row["rule"]),
            row["person_id"],
            row["adds"],
            row["until"],
            row["owner"],
            row["reason"],
            made=(row["created_by"], row["created_at"]),
        )
        for row in rows
    ]


async def put_exemption(db: Connection, exemption: Exemption, created_by: str, at: datetime) -> None:
    """Make an exception for a person, named by their id, and have that person looked at."""
    await db.execute(
        """INSERT INTO exception (rule, person_id, adds, until, owner, reason, created_by, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        f"{exemption.rule}/{exemption.value}" if exemption.value else exemption.rule,
        exemption.person,
        exemption.adds,
        exemption.until,
        exemption.owner,
        exemption.reason,
        created_by,
        at,
    )
    rows = await db.fetch("SELECT user_id FROM account WHERE person_id = $1", exemption.person)
    await note_drift(db, [UserId(row["user_id"]) for row in rows])


async def endings_between(db: Connection | Pool, own: Collection[Exemption], first: date, last: date) -> list[Boundary]:
    """Return for whom an exception, of the policy's `own` or of the table, is over on these days, both included."""
    rows = await db.fetch(
        """WITH ending (person, key, until) AS (
               SELECT * FROM unnest($1::text[], $2::text[], $3::date[])
               UNION ALL SELECT person_id, NULL, until FROM exception)
           SELECT r.id, ending.until + 1 AS day, r.document->>'timezone' AS timezone
           FROM ending JOIN scim_resource r ON r.id = ending.person OR r.name_key = ending.key
           WHERE r.kind = 'User' AND NOT r.deleted AND ending.until + 1 BETWEEN $4 AND $5""",
        [each.person for each in own],
        [comparison_key(each.person) for each in own],
        [min(each.until, date.max - _DAY) for each in own],
        first,
        last,
    )
    return [Boundary(PersonId(row["id"]), row["day"], row["timezone"]) for row in rows]


async def first_ending_after(db: Connection | Pool, own: Collection[Exemption], day: date) -> date | None:
    """Return the next day after this one on which an exception is over."""
    found: date | None = await db.fetchval("SELECT min(until) + 1 FROM exception WHERE until >= $1", day)
    days = [each.until + _DAY for each in own if day <= each.until < date.max]
    return min([*days, *([found] if found else [])], default=None)


def _rule_and_value(text: str) -> tuple[str, str]:
    rule, _, value = text.partition("/")
    return rule, value
