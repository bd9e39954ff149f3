"""Barriers, their sides and who has come too close, in the database: one function for each statement.

`reconcile` writes the sides, before it acts on them; what people do by themselves, and what Synapse asks before it lets
them, is judged by these tables alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.database.listen import BARRIERS
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.barriers import Breach, Seat, Seats, Sides
from bridge.policy.schema import Barrier

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class OpenBreach:
    """Somebody who must be taken out of a room, or told why."""

    id: int
    room_id: RoomId
    user_id: UserId
    reason: str
    is_there: bool
    """Still in the room, or invited."""
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Together:
    """The two sides of a barrier in one room."""

    room_id: RoomId
    key: RoomKey | None
    """None for a room that people made."""
    reason: str
    one: tuple[UserId, ...]
    other: tuple[UserId, ...]
    since: datetime | None
    """When the second side came, as far as events tell."""


async def put_barriers(db: Connection | Pool, barriers: Sequence[Barrier], at: datetime) -> None:
    """Make these the barriers; others go with their sides."""
    await db.execute(
        """WITH gone AS (DELETE FROM barrier WHERE NOT (id = ANY($1)))
           INSERT INTO barrier (id, one, other, reason, exempt, since)
           SELECT id, one, other, reason, string_to_array(exempt, ' '), $6
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS t (id, one, other, reason, exempt)
           ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, exempt = excluded.exempt""",
        [each.id for each in barriers],
        [each.one.text for each in barriers],
        [each.other.text for each in barriers],
        [each.reason for each in barriers],
        [" ".join(each.exempt) for each in barriers],
        at,
    )


async def put_sides(db: Connection | Pool, seats: Seats, users: Collection[UserId] | None) -> None:
    """Remember the seats of these users, or of everybody: whoever is not in `seats` has none."""
    rows = [(user, seat.barrier, seat.side) for user, taken in seats.items() for seat in taken]
    columns = [[row[at] for row in rows] for at in range(3)]
    await db.execute(
        """WITH wanted AS (
               SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[]) AS t (user_id, barrier, side)
           ), gone AS (
               DELETE FROM barrier_side s WHERE ($4::text[] IS NULL OR user_id = ANY($4)) AND NOT EXISTS (
                   SELECT FROM wanted w WHERE (w.user_id, w.barrier, w.side) = (s.user_id, s.barrier, s.side)))
           INSERT INTO barrier_side (user_id, barrier, side) SELECT user_id, barrier, side FROM wanted
           ON CONFLICT DO NOTHING""",
        *columns,
        None if users is None else list(users),
    )


async def read_seats(db: Connection | Pool, users: Collection[UserId]) -> dict[UserId, frozenset[Seat]]:
    """Return the seats of those of the users who have some."""
    rows = await db.fetch("SELECT user_id, barrier, side FROM barrier_side WHERE user_id = ANY($1)", list(users))
    return _seats(rows)


async def read_seats_beside(db: Connection | Pool, users: Collection[UserId], sides: Sides) -> Seats:
    """Return the seats of the users: those known already, and of everybody else as the database has them."""
    stored = await read_seats(db, [user for user in users if user not in sides.known])
    return {**stored, **{user: sides.seats[user] for user in users if user in sides.seats}}


async def read_taken(
    db: Connection | Pool, barriers: Collection[str], touched: Collection[UserId]
) -> dict[RoomKey, frozenset[Seat]]:
    """Return the seats of these barriers that others than those touched take in each managed room."""
    rows = await db.fetch(
        """SELECT key, barrier.id AS barrier, side
           FROM managed_room CROSS JOIN barrier CROSS JOIN (VALUES (0), (1)) AS sides (side)
           WHERE barrier.id = ANY($1) AND kind <> 'space' AND EXISTS (
               SELECT FROM room_member m JOIN barrier_side s USING (user_id)
               WHERE m.room_id = managed_room.room_id AND membership IN ('join', 'invite')
                   AND s.barrier = barrier.id AND s.side = sides.side AND NOT (user_id = ANY($2)))""",
        list(barriers),
        list(touched),
    )
    found: defaultdict[RoomKey, frozenset[Seat]] = defaultdict(frozenset)
    for row in rows:
        found[RoomKey(row["key"])] |= {Seat(row["barrier"], row["side"])}
    return found


async def read_opposed(
    db: Connection | Pool, rooms: Collection[RoomId], users: Collection[UserId]
) -> dict[RoomId, dict[UserId, frozenset[Seat]]]:
    """Return, for each of these rooms that barriers are about, the seats of those users and of whoever is there on a
    side opposite to one of theirs; of barriers from which the room's rule is not exempt."""
    rows = await db.fetch(
        """WITH asked AS (SELECT DISTINCT barrier, 1 - side AS side FROM barrier_side WHERE user_id = ANY($2))
           SELECT m.room_id, m.user_id, s.barrier, s.side
           FROM room_member m JOIN barrier_side s USING (user_id)
           JOIN barrier ON barrier.id = s.barrier
           LEFT JOIN managed_room r USING (room_id)
           WHERE m.room_id = ANY($1) AND membership IN ('join', 'invite')
               AND (m.user_id = ANY($2) OR (s.barrier, s.side) IN (SELECT barrier, side FROM asked))
               AND r.kind IS DISTINCT FROM 'space' AND NOT (coalesce(r.rule, '') = ANY(barrier.exempt))""",
        list(rooms),
        list(users),
    )
    by_room: defaultdict[RoomId, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        by_room[RoomId(row["room_id"])].append(row)
    return {room_id: _seats(found) for room_id, found in by_room.items()}


async def read_obstacle(db: Connection | Pool, user: UserId, room_id: RoomId, inside: UserId) -> str | None:
    """Return the reason of a barrier between the user and somebody in the room, `inside` among them; None without one,
    and where Muster itself has decided that the user is to be there."""
    reason: str | None = await db.fetchval(
        """SELECT reason FROM barrier_side mine
           JOIN barrier ON barrier.id = mine.barrier
           LEFT JOIN managed_room r ON r.room_id = $2
           WHERE mine.user_id = $1 AND r.kind IS DISTINCT FROM 'space' AND NOT (coalesce(r.rule, '') = ANY(exempt))
               AND NOT EXISTS (SELECT FROM granted WHERE granted.room_id = $2 AND granted.user_id = $1)
               AND (EXISTS (
                   SELECT FROM barrier_side theirs
                   WHERE theirs.barrier = mine.barrier AND theirs.side = 1 - mine.side
                       AND theirs.user_id = $3 AND theirs.user_id <> $1)
               OR EXISTS (
                   SELECT FROM room_member m JOIN barrier_side theirs USING (user_id)
                   WHERE m.room_id = $2 AND membership IN ('join', 'invite') AND m.user_id <> $1
                       AND theirs.barrier = mine.barrier AND theirs.side = 1 - mine.side))
           LIMIT 1""",
        user,
        room_id,
        inside,
    )
    return reason


async def note_breaches(db: Connection | Pool, breaches: Sequence[Breach], at: datetime) -> None:
    """Keep breaches until they are put right, and wake whoever does; one that is open already is the same."""
    await db.execute(
        f"""WITH noted AS (
                INSERT INTO breach (room_id, user_id, other, barrier, reason, found_at)
                SELECT t.room_id, t.user_id, t.other, t.barrier, barrier.reason, $5
                FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t (room_id, user_id, other, barrier)
                JOIN barrier ON barrier.id = t.barrier
                WHERE NOT EXISTS (SELECT FROM breach b WHERE b.room_id = t.room_id AND b.user_id = t.user_id
                    AND b.settled_at IS NULL))
            SELECT pg_notify('{BARRIERS}', '')""",  # noqa: S608 - our own constant
        [each.room_id for each in breaches],
        [each.user_id for each in breaches],
        [each.other for each in breaches],
        [each.barrier for each in breaches],
        at,
    )


async def read_open(db: Connection | Pool) -> list[OpenBreach]:
    """Return the breaches with which something is still to be done, oldest first."""
    rows = await db.fetch(
        """SELECT id, breach.room_id, user_id, reason, settled_at IS NOT NULL AS is_settled,
               coalesce(membership IN ('join', 'invite'), false) AS is_there
           FROM breach LEFT JOIN room_member USING (room_id, user_id)
           WHERE settled_at IS NULL OR told_at IS NULL ORDER BY id"""
    )
    return [OpenBreach(**row) for row in rows]


async def settle(db: Connection | Pool, breach: int, at: datetime) -> None:
    """Remember that whoever came later is out again."""
    await db.execute("UPDATE breach SET settled_at = $2 WHERE id = $1", breach, at)


async def mark_told(db: Connection | Pool, breach: int, at: datetime) -> None:
    """Remember that somebody was told why."""
    await db.execute("UPDATE breach SET told_at = $2 WHERE id = $1", breach, at)


async def read_together(db: Connection | Pool) -> list[Together]:
    """Return every room in which both sides of a barrier are, rooms of the policy first."""
    rows = await db.fetch(
        """WITH inside AS (
               SELECT m.room_id, r.key, s.barrier, s.side, array_agg(m.user_id ORDER BY m.user_id) AS users,
                   min(nullif(m.changed_at, to_timestamp(0))) AS since
               FROM room_member m JOIN barrier_side s USING (user_id)
               JOIN barrier ON barrier.id = s.barrier
               LEFT JOIN managed_room r USING (room_id)
               WHERE membership IN ('join', 'invite') AND r.kind IS DISTINCT FROM 'space'
                   AND NOT (coalesce(r.rule, '') = ANY(barrier.exempt))
               GROUP BY m.room_id, r.key, s.barrier, s.side)
           SELECT one.room_id, one.key, barrier.reason, one.users AS one, other.users AS other,
               greatest(one.since, other.since) AS since
           FROM inside one JOIN inside other ON other.room_id = one.room_id AND other.barrier = one.barrier
           JOIN barrier ON barrier.id = one.barrier
           WHERE one.side = 0 AND other.side = 1 AND one.users || other.users <> ARRAY[one.users[1], one.users[1]]
           ORDER BY one.key NULLS LAST, one.room_id, barrier.id"""
    )
    return [
        Together(row["room_id"], row["key"], row["reason"], tuple(row["one"]), tuple(row["other"]), row["since"])
        for row in rows
    ]


def _seats(rows: Iterable[asyncpg.Record]) -> dict[UserId, frozenset[Seat]]:
    found: defaultdict[UserId, frozenset[Seat]] = defaultdict(frozenset)
    for row in rows:
        found[UserId(row["user_id"])] |= {Seat(row["barrier"], row["side"])}
    return dict(found)
