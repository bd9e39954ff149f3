"""The audit log and the accounts as they were at a moment, and the entry of a report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership.audit import Act, Entry
from bridge.membership.audit_store import ENTRIES, entry_of
from bridge.membership.plan import ACCOUNTS, GUEST
from bridge.membership.values import Action

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_OF_ACCOUNTS = (Action.PREPARE_ACCOUNT, Action.CREATE_ACCOUNT, Action.ENABLE_ACCOUNT, Action.DISABLE_ACCOUNT)


@dataclass(frozen=True, slots=True)
class Report:
    """An access report that somebody asked for."""

    by: str
    """Whoever asked: a userName, or the name of the system's user."""
    person: PersonId | None
    """Who that is in the directory, if anybody."""
    room: str
    """Its key or ID; empty for all rooms."""
    of: datetime
    """The moment that it is about."""
    name: str
    """Of the file."""
    digest: str
    """SHA-256 of its bytes, hexadecimal."""


async def read_arrivals_in(db: Connection | Pool, places: Collection[str], until: datetime) -> dict[UserId, Entry]:
    """Return the last entry by then that was to put each user into the room, or out; `places` are its key and ID."""
    rows = await db.fetch(
        f"""SELECT DISTINCT ON (entry.user_id) {ENTRIES}
           WHERE room_key = ANY($1) AND action IN ('join', 'remove') AND at <= $2
           ORDER BY entry.user_id, entry.id DESC""",
        list(places),
        until,
    )
    return {UserId(row["user_id"]): entry_of(row) for row in rows}


async def read_account_entry(db: Connection | Pool, user_id: UserId, until: datetime) -> Entry | None:
    """Return the last entry by then that let the account in or shut it out."""
    row = await db.fetchrow(
        f"""SELECT {ENTRIES}
           WHERE user_id = $1 AND at <= $2 AND action = ANY($3) AND outcome = 'done' ORDER BY entry.id DESC LIMIT 1""",
        user_id,
        until,
        list(_OF_ACCOUNTS),
    )
    return entry_of(row) if row else None


async def read_last_ranks(db: Connection | Pool, person: PersonId, until: datetime) -> dict[str, Entry]:
    """Return the last entry by then about the person's power in each room, by room key or ID."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (room_key) entry.*, run.cause, run.plan_digest FROM entry JOIN run ON run.id = run_id
           WHERE person_id = $1 AND room_key <> '' AND action = ANY($3) AND at <= $2
           ORDER BY room_key, entry.id DESC""",
        person,
        until,
        [Action.RAISE_POWER, Action.LOWER_POWER],
    )
    return {row["room_key"]: entry_of(row) for row in rows}


async def read_hand_overs(db: Connection | Pool, user_id: UserId, until: datetime) -> dict[str, Entry]:
    """Return the last entry by then by which each room was handed over to or by a user, by room ID."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (room_key) entry.*, run.cause, run.plan_digest FROM entry JOIN run ON run.id = run_id
           WHERE room_key IN (SELECT room_id FROM takeover WHERE heir = $2 OR giver = $2)
               AND action = $3 AND at <= $1 AND (value = $2 OR user_id = $2)
           ORDER BY room_key, entry.id DESC""",
        until,
        user_id,
        Action.HAND_OVER,
    )
    return {row["room_key"]: entry_of(row) for row in rows}


async def read_heirs(db: Connection | Pool, room_id: RoomId, until: datetime) -> dict[UserId, Entry]:
    """Return the last entry by then by which the room was handed over to each heir."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (value) entry.*, run.cause, run.plan_digest FROM entry JOIN run ON run.id = run_id
           WHERE room_key = $2 AND action = $3 AND at <= $1 ORDER BY value, entry.id DESC""",
        until,
        room_id,
        Action.HAND_OVER,
    )
    return {UserId(row["value"]): entry_of(row) for row in rows}


_RETURNED = """came.action = 'join' AND came.outcome = 'done' AND came.reason = $2 AND came.at > $1 AND (
    SELECT (action, rule, outcome) FROM entry before
    WHERE before.room_key = came.room_key AND before.user_id = came.user_id AND before.at <= $1
        AND before.action IN ('join', 'remove')
    ORDER BY before.id DESC LIMIT 1) = ('remove'::text, $3::text, 'done'::text)"""
"""That a join gave somebody a place back after a moment at which it was owed."""


async def read_owed(db: Connection | Pool, user_id: UserId, moment: datetime) -> frozenset[RoomId]:
    """Return the rooms that a user had left with the account at a moment and would get back with it: those that are
    owed still, and those that were given back later."""
    rows = await db.fetch(
        f"""SELECT room_id FROM former_guest WHERE left_at <= $1 AND user_id = $4
            UNION SELECT came.room_id FROM entry came WHERE came.user_id = $4 AND {_RETURNED}""",  # noqa: S608 - our own constant
        moment,
        GUEST,
        ACCOUNTS,
        user_id,
    )
    return frozenset(RoomId(row["room_id"]) for row in rows)


async def read_owed_in(db: Connection | Pool, places: Collection[str], moment: datetime) -> frozenset[UserId]:
    """Return who had left a room with the account at a moment and would get it back; `places` are its key and ID."""
    rows = await db.fetch(
        f"""SELECT user_id FROM former_guest WHERE left_at <= $1 AND room_id = ANY($4)
            UNION SELECT came.user_id FROM entry came WHERE came.room_key = ANY($4) AND {_RETURNED}""",  # noqa: S608 - our own constant
        moment,
        GUEST,
        ACCOUNTS,
        list(places),
    )
    return frozenset(UserId(row["user_id"]) for row in rows)


async def read_holders(db: Connection | Pool, moment: datetime) -> dict[UserId, PersonId]:
    """Return whose account each was at a moment: as now, with the exchanges undone that came later."""
    rows = await db.fetch("SELECT user_id, person_id FROM account")
    links = await db.fetch(
        "SELECT old_id, new_id FROM person_link WHERE linked_at > $1 ORDER BY linked_at DESC", moment
    )
    return undone(
        {UserId(row["user_id"]): PersonId(row["person_id"]) for row in rows},
        [(PersonId(link["old_id"]), PersonId(link["new_id"])) for link in links],
    )


def undone(
    holders: Mapping[UserId, PersonId], exchanges: Iterable[tuple[PersonId, PersonId]]
) -> dict[UserId, PersonId]:
    """Return whose account each was before people changed accounts, the last exchange first. Pure."""
    found = dict(holders)
    for one, other in exchanges:
        swap = {one: other, other: one}
        found = {user_id: swap.get(person, person) for user_id, person in found.items()}
    return found


async def read_keys(db: Connection | Pool) -> dict[RoomId, RoomKey]:
    """Return the keys of the rooms that are managed now."""
    rows = await db.fetch("SELECT room_id, key FROM managed_room WHERE room_id IS NOT NULL")
    return {RoomId(row["room_id"]): RoomKey(row["key"]) for row in rows}


async def record_report(db: Connection | Pool, report: Report, policy_digest: str, at: datetime) -> int:
    """Write that a report is made, and for whom, and return the entry's number."""
    entry: int = await db.fetchval(
        """WITH making AS (
               INSERT INTO run (cause, plan_digest, started_at, finished_at, set_off_by, by_person)
               VALUES ('report', '', $2, $2, $1, nullif($5, '')) RETURNING id)
           INSERT INTO entry (run_id, at, action, room_key, user_id, person_id, value, rule, reason, directory_version,
               policy_digest, outcome, settled_at)
           SELECT making.id, $2, $3, $4, '', $5, $6, '', $7, version, $8, 'done', $2 FROM making, directory_version
           RETURNING id""",
        report.by,
        at,
        Act.REPORT,
        report.room,
        report.person or "",
        f"{report.name}, SHA-256 {report.digest}",
        f"asked for by {report.by}, as of {report.of.isoformat(timespec='seconds')}",
        policy_digest,
    )
    return entry
