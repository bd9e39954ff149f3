"""Whose hours are whose: the people behind accounts, as the directory knows them today; and what was said when.

`account`, `room_member`, the directory's tables and the archive's `event` are only read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements.hours import Hours, hours_of
from bridge.announcements.workload import SLOT, Traffic, Worker
from bridge.archive.store import MOMENT
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person, values_of, works_here
from bridge.directory.store import load_people
from bridge.ids import PersonId, RoomId, UserId
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


async def load_workers(db: Database, policy: WorkingTime, timezone: str, at: datetime) -> dict[UserId, Worker]:
    """Return everybody who works here and has an account: the department and the hours."""
    days = LocalDays(at, timezone)
    found = {}
    for user_id, person in (await load_persons(db, None)).items():
        day = days(person)
        if works_here(person, day):
            department = next(iter(values_of(person, "department", day)), "")
            found[user_id] = Worker(str(department) or "no department", hours_of(person, policy, day, timezone))
    return found


async def load_members(db: Database) -> dict[RoomId, frozenset[UserId]]:
    """Return who is in which room."""
    rows = await db.fetch(
        "SELECT room_id, array_agg(user_id) AS users FROM room_member WHERE membership = 'join' GROUP BY room_id"
    )
    return {RoomId(row["room_id"]): frozenset(map(UserId, row["users"])) for row in rows}


async def read_traffic(db: Connection, bot: UserId, since: datetime, until: datetime) -> AsyncIterator[Traffic]:
    """Yield how many messages others than the bot sent where and when; a correction is one too.

    `db` is in a database transaction, as a cursor has to be.
    """
    rows = db.cursor(
        f"""SELECT room_id, sender, count(*) AS messages,
                   date_bin($4, {MOMENT}, timestamptz 'epoch') AS begins
            FROM event
            WHERE type IN ('m.room.message', 'm.room.encrypted', 'm.sticker') AND state_key IS NULL
                AND sender <> $1 AND {MOMENT} >= $2 AND {MOMENT} < $3
            GROUP BY room_id, sender, begins""",  # noqa: S608 - our own constants
        bot,
        since,
        until,
        SLOT,
        prefetch=5000,
    )
    async for row in rows:
        yield Traffic(RoomId(row["room_id"]), UserId(row["sender"]), row["begins"], row["messages"])
