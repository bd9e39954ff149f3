"""The current state that a plan is compared with, read from the database.

It is written by `store`, `member_store`, `drift_store` and `lifecycle_store`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.place_store import read_all_places
from bridge.membership.store import people_of, read_accounts
from bridge.membership.values import Current

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


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
    return _users_by_room(rows)


async def _read_former_guests(db: Connection | Pool, only: list[UserId] | None) -> defaultdict[RoomId, list[UserId]]:
    """Return who was in each room by hand when the account was disabled."""
    rows = await db.fetch(
        """SELECT room_id, array_agg(user_id) AS users FROM former_guest
           WHERE $1::text[] IS NULL OR user_id = ANY($1) GROUP BY room_id""",
        only,
    )
    return _users_by_room(rows)


def _users_by_room(rows: Iterable[asyncpg.Record]) -> defaultdict[RoomId, list[UserId]]:
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
