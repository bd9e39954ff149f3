"""Whose hours are whose: the people behind accounts, as the directory knows them today.

`account` and the directory's tables are only read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements.hours import Hours, hours_of
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person
from bridge.directory.store import load_people
from bridge.ids import PersonId, UserId
from bridge.policy.working_time import WorkingTime

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


async def load_hours(
    db: Database, users: Collection[UserId] | None, policy: WorkingTime | None, timezone: str, at: datetime
) -> Mapping[UserId, Hours]:
    """Return the hours of these users, or of everybody; nobody whom the directory does not know is among them.

    `policy` is `Policy.hours`, `timezone` that of people without their own. Whoever has left is away.
    """
    days = LocalDays(at, timezone)
    found = await load_persons(db, users)
    return {user_id: hours_of(person, policy, days(person), timezone) for user_id, person in found.items()}


async def load_persons(db: Database, users: Collection[UserId] | None) -> dict[UserId, Person]:
    """Return who these users are, or everybody with an account that is enabled, by their user IDs."""
    rows = await db.fetch(
        """SELECT user_id, person_id FROM account
           WHERE enabled AND ($1::text[] IS NULL OR user_id = ANY($1)) ORDER BY user_id""",
        None if users is None else list(users),
    )
    accounts = {UserId(row["user_id"]): PersonId(row["person_id"]) for row in rows}
    people = await load_people(db, None if users is None else list(accounts.values()))
    by_id = {person.id: person for person in people}
    return {user_id: by_id[person] for user_id, person in accounts.items() if person in by_id}
