"""What there is, in the database: accounts, managed rooms, and the current state that a plan is compared with.

Who is in which room is written by `member_store`, what was done and why by `audit_store`; the rows of managed rooms
are read by `place_store`, whose names are here too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership.place_store import Place as Place
from bridge.membership.place_store import read_all_places
from bridge.membership.place_store import read_place_keys as read_place_keys
from bridge.membership.place_store import read_places as read_places
from bridge.membership.values import Current, CurrentAccount, DesiredRoom
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


# The current state


async def read_current(
    db: Connection | Pool,
    *,
    bot: UserId,
    touched: Collection[UserId] | None = None,
    leaving: Collection[UserId] = (),
) -> Current:
    """Return what there is, of everybody or (accounts, memberships and power) of those touched.

    All managed rooms are in it either way. `leaving` are the users whose rooms elsewhere are wanted: those whose
    account is, or ought to be, disabled. The bot is nobody's member.
    """
    only = None if touched is None else list(touched)
    places = await read_all_places(db)
    members = await _read_members(db, bot, only)
    granted = await _read_granted(db, only)
    guests = await _read_former_guests(db, only)
    power = await _read_power(db, bot, only)
    altered = await _read_altered(db)
    told = {room_id for room_id, _ in members} | granted.keys() | guests.keys() | power.keys() | altered.keys()
    inhabited = {places.keys[room_id]: room_id for room_id in told if room_id in places.keys}
    rooms = dict(places.empty)
    rooms.update(
        {
            key: replace(
                rooms[key],
                members=frozenset(members[room_id, "join"]),
                invited=frozenset(members[room_id, "invite"]),
                granted=frozenset(granted[room_id]),
                guests=frozenset(guests[room_id]),
                power=power.get(room_id, {}),
                altered=altered.get(room_id, frozenset()),
            )
            for key, room_id in inhabited.items()
        }
    )
    accounts = await read_accounts(db, None if only is None else await people_of(db, only))
    elsewhere = await read_elsewhere(db, leaving)
    return Current(accounts, rooms, elsewhere, places.served, inhabited=frozenset(inhabited))


async def read_elsewhere(db: Connection | Pool, users: Collection[UserId]) -> dict[RoomId, frozenset[UserId]]:
    """Return the rooms that Muster does not manage and that these users are in or invited to."""
    rows = await db.fetch(
        """SELECT room_id, array_agg(user_id) AS users FROM room_member
           WHERE user_id = ANY($1) AND membership IN ('join', 'invite', 'knock')
               AND NOT EXISTS (SELECT FROM managed_room WHERE managed_room.room_id = room_member.room_id)
           GROUP BY room_id""",
        list(users),
    )
    return {RoomId(row["room_id"]): frozenset(map(UserId, row["users"])) for row in rows}


async def room_sizes(db: Connection | Pool, keys: Collection[RoomKey]) -> dict[RoomKey, int]:
    """Return how many have joined each of these managed rooms, the bot among them."""
    rows = await db.fetch(
        """SELECT key, count(user_id) AS members FROM managed_room
           LEFT JOIN room_member ON room_member.room_id = managed_room.room_id AND membership = 'join'
           WHERE key = ANY($1) GROUP BY key""",
        list(keys),
    )
    return {RoomKey(row["key"]): row["members"] for row in rows}


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


async def _read_members(
    db: Connection | Pool, bot: UserId, only: list[UserId] | None
) -> defaultdict[tuple[RoomId, str], list[UserId]]:
    """Return who has joined and who is invited, of each managed room."""
    rows = await db.fetch(
        """SELECT room_id, membership, array_agg(user_id) AS users
           FROM room_member JOIN managed_room USING (room_id)
           WHERE membership IN ('join', 'invite') AND user_id <> $1 AND ($2::text[] IS NULL OR user_id = ANY($2))
           GROUP BY room_id, membership""",
        bot,
        only,
    )
    found: defaultdict[tuple[RoomId, str], list[UserId]] = defaultdict(list)
    for row in rows:
        found[RoomId(row["room_id"]), row["membership"]] = row["users"]
    return found


async def _read_granted(db: Connection | Pool, only: list[UserId] | None) -> defaultdict[RoomId, list[UserId]]:
    """Return whom Muster put into each room."""
    rows = await db.fetch(
        """SELECT room_id, array_agg(user_id) AS users FROM granted
           WHERE $1::text[] IS NULL OR user_id = ANY($1) GROUP BY room_id""",
        only,
    )
    found: defaultdict[RoomId, list[UserId]] = defaultdict(list)
    for row in rows:
        found[RoomId(row["room_id"])] = row["users"]
    return found


async def _read_former_guests(db: Connection | Pool, only: list[UserId] | None) -> defaultdict[RoomId, list[UserId]]:
    """Return who was in each room by hand when the account was disabled."""
    rows = await db.fetch(
        """SELECT room_id, array_agg(user_id) AS users FROM former_guest
           WHERE $1::text[] IS NULL OR user_id = ANY($1) GROUP BY room_id""",
        only,
    )
    found: defaultdict[RoomId, list[UserId]] = defaultdict(list)
    for row in rows:
        found[RoomId(row["room_id"])] = row["users"]
    return found


async def _read_altered(db: Connection | Pool) -> dict[RoomId, frozenset[str]]:
    """Return which settings of each room somebody else has changed."""
    rows = await db.fetch(
        """SELECT room_id, array_agg(field) AS fields FROM intervention
           WHERE settled_at IS NULL AND subject = '' GROUP BY room_id"""
    )
    return {RoomId(row["room_id"]): frozenset(row["fields"]) for row in rows}


async def _read_power(db: Connection | Pool, bot: UserId, only: list[UserId] | None) -> dict[RoomId, dict[UserId, int]]:
    """Return who has another level than 0, of each managed room."""
    wanted = None if only is None else frozenset(only)
    rows = await db.fetch(
        """SELECT room_id, users FROM room_power JOIN managed_room USING (room_id)
           WHERE $1::text[] IS NULL OR users ?| $1""",
        only,
    )
    return {RoomId(row["room_id"]): _levels(row["users"], bot, wanted) for row in rows}


def _levels(users: Mapping[str, Any], bot: UserId, wanted: frozenset[UserId] | None) -> dict[UserId, int]:
    return {UserId(user): level for user, level in users.items() if user != bot and (wanted is None or user in wanted)}
