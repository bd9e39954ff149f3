"""What there is, in the database: accounts and managed rooms, and how far everything has been carried out.

Who is in which room is written by `member_store`, what was done and why by `audit_store`; the rows of managed rooms
are read by `place_store`, and all of it is read together by `current_store`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import PersonId, RoomId, UserId
from bridge.membership.values import CurrentAccount, DesiredRoom
from bridge.policy.settings import Settings, as_json

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where directory and policy have been carried out."""

    directory_version: int
    policy_digest: str


# Accounts


async def read_accounts(
    db: Connection | Pool, people: Collection[PersonId] | None = None
) -> dict[PersonId, CurrentAccount]:
    """Return every account, or those of these people."""
    rows = (
        await db.fetch("SELECT * FROM account")
        if people is None
        else await db.fetch("SELECT * FROM account WHERE person_id = ANY($1)", list(people))
    )
    return {
        PersonId(row["person_id"]): CurrentAccount(
            PersonId(row["person_id"]),
            UserId(row["user_id"]),
            row["display_name"],
            row["enabled"],
            row["left_at"],
            row["deactivated_at"] is not None,
            row["profile"],
            row["face"],
        )
        for row in rows
    }


async def people_of(db: Connection | Pool, user_ids: Collection[UserId]) -> frozenset[PersonId]:
    """Return the people whose accounts these are; strangers have none."""
    rows = await db.fetch("SELECT person_id FROM account WHERE user_id = ANY($1)", list(user_ids))
    return frozenset(PersonId(row["person_id"]) for row in rows)


async def users_of(db: Connection | Pool, people: Collection[PersonId]) -> frozenset[UserId]:
    """Return the user IDs of these people, as far as they have an account."""
    rows = await db.fetch("SELECT user_id FROM account WHERE person_id = ANY($1)", list(people))
    return frozenset(UserId(row["user_id"]) for row in rows)


async def ranked_beside(db: Connection | Pool, user_ids: Collection[UserId]) -> frozenset[PersonId]:
    """Return the people who have power in the managed rooms in which these users are."""
    rows = await db.fetch(
        """SELECT DISTINCT account.person_id FROM room_member m
           JOIN managed_room USING (room_id)
           JOIN room_power p USING (room_id)
           CROSS JOIN LATERAL jsonb_object_keys(p.users) AS ranked (user_id)
           JOIN account ON account.user_id = ranked.user_id
           WHERE m.user_id = ANY($1) AND m.membership IN ('join', 'invite')""",
        list(user_ids),
    )
    return frozenset(PersonId(row["person_id"]) for row in rows)


async def user_ids_like(db: Connection | Pool, beginnings: Collection[str]) -> list[UserId]:
    """Return the user IDs of all accounts ever made, none of which is used twice, that begin with one of these."""
    rows = await db.fetch(
        """SELECT user_id FROM account
           WHERE EXISTS (SELECT FROM unnest($1::text[]) AS beginning WHERE starts_with(user_id, beginning))""",
        list(beginnings),
    )
    return [UserId(row["user_id"]) for row in rows]


async def count_enabled(db: Connection | Pool) -> int:
    """Return how many people have an account that is enabled."""
    count: int = await db.fetchval("SELECT count(*) FROM account WHERE enabled")
    return count


async def put_account(db: Connection | Pool, account: CurrentAccount) -> None:
    """Remember an account as it is now."""
    await db.execute(
        """INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ($1, $2, $3, $4)
           ON CONFLICT (person_id) DO UPDATE SET display_name = excluded.display_name, enabled = excluded.enabled""",
        account.person,
        account.user_id,
        account.display_name,
        account.enabled,
    )


async def wait_for_applier(connection: Connection, lock: int) -> None:
    """Wait until nobody applies, and keep others from it until this database transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", lock)


async def exchange_accounts(db: Connection | Pool, one: PersonId, other: PersonId) -> None:
    """Give each of two people the account of the other, if there is one."""
    # The key is checked row by row, so the first of them steps aside.
    await db.execute("UPDATE account SET person_id = person_id || ' ' WHERE person_id = $1", one)
    await db.execute("UPDATE account SET person_id = $1 WHERE person_id = $2", one, other)
    await db.execute("UPDATE account SET person_id = $2 WHERE person_id = $1 || ' '", one, other)


async def rename_account(db: Connection | Pool, user_id: UserId, display_name: str) -> None:
    """Remember an account's new display name."""
    await db.execute("UPDATE account SET display_name = $2 WHERE user_id = $1", user_id, display_name)


async def enable_account(db: Connection | Pool, user_id: UserId, *, enabled: bool) -> None:
    """Remember that an account was let in or shut out."""
    await db.execute(
        """UPDATE account SET enabled = $2, deactivated_at = CASE WHEN NOT $2 THEN deactivated_at END
           WHERE user_id = $1""",
        user_id,
        enabled,
    )


# Managed rooms


async def read_created(db: Connection | Pool, rooms: Collection[RoomId]) -> dict[RoomId, datetime]:
    """Return when each of these rooms was made, as far as the archive knows."""
    rows = await db.fetch(
        """SELECT room_id, to_timestamp(min(origin_ts) / 1000.0) AS made FROM event
           WHERE type = 'm.room.create' AND state_key IS NOT NULL AND room_id = ANY($1) GROUP BY room_id""",
        list(rooms),
    )
    return {RoomId(row["room_id"]): row["made"] for row in rows}


async def write_intent(db: Connection | Pool, room: DesiredRoom, alias: str) -> None:
    """Say that a room is about to be created; it is listed in no space yet."""
    await db.execute(
        """INSERT INTO managed_room (key, rule, kind, name, topic, open_to, alias, settings, value)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (key) DO UPDATE SET rule = excluded.rule, kind = excluded.kind, name = excluded.name,
               topic = excluded.topic, open_to = excluded.open_to, alias = excluded.alias,
               settings = excluded.settings, value = excluded.value""",
        room.key,
        room.rule,
        room.kind,
        room.name,
        room.topic,
        room.open_to,
        alias,
        as_json(room.settings),
        room.value or None,
    )


async def complete_room(db: Connection | Pool, room: DesiredRoom, room_id: RoomId) -> None:
    """Say which room came of the intent, now that it is set up, and which spaces list it where."""
    await db.execute(
        "UPDATE managed_room SET room_id = $2, parents = $3, orders = $4 WHERE key = $1",
        room.key,
        room_id,
        list(room.parents),
        list(room.order),
    )


async def describe_room(db: Connection | Pool, room: DesiredRoom, settings: Settings) -> None:
    """Remember a room's name, topic, kind, spaces and places in them, the space whose members may join, and the
    settings it has now."""
    await db.execute(
        """UPDATE managed_room SET name = $2, topic = $3, open_to = $4, parents = $5, kind = $6,
               settings = $7, value = $8, orders = $9
           WHERE key = $1""",
        room.key,
        room.name,
        room.topic,
        room.open_to,
        list(room.parents),
        room.kind,
        as_json(settings),
        room.value or None,
        list(room.order),
    )


# How far everything has been carried out


async def read_cursor(db: Connection | Pool) -> Cursor | None:
    """Return up to where everything has been carried out; None before the first time."""
    row = await db.fetchrow("SELECT directory_version, policy_digest FROM reconcile_cursor")
    return Cursor(row["directory_version"], row["policy_digest"]) if row else None


async def put_cursor(db: Connection | Pool, cursor: Cursor) -> None:
    """Remember up to where everything has been carried out."""
    await db.execute(
        """INSERT INTO reconcile_cursor (directory_version, policy_digest) VALUES ($1, $2)
           ON CONFLICT (sole) DO UPDATE
               SET directory_version = excluded.directory_version, policy_digest = excluded.policy_digest""",
        cursor.directory_version,
        cursor.policy_digest,
    )
