"""Who is in every room and with which power, and who is to be looked at again, in the database.

Two writers keep it: `current`, from the events, and `apply`, with each success (memberships together with their entry,
in `audit_store`). An event carries its own moment and wins over anything older; an act never moves that moment, so
that the event which confirms it, or a later one, is still taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge.database.listen import MEMBERSHIP
from bridge.ids import EventId, RoomId, UserId, archivist_of

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The moment of what no event has told us."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody's membership of a room as an event says it."""

    room_id: RoomId
    user_id: UserId
    membership: str
    event_id: EventId
    changed_at: datetime
    sender: UserId


async def apply_memberships(db: Connection | Pool, events: Sequence[Membership], *, bot: UserId) -> list[Membership]:
    """Take in memberships that events tell, one per room and user, and return those to look at.

    Those are the memberships of managed rooms that changed, unless the change is what Muster wanted: the arrival of
    somebody it granted the room to, or a departure by its own hand. Likewise anybody disabled who turns up anywhere.
    An invitation of ours that arrives after the join it led to is not taken. The archive's account, which is in the
    rooms that are encrypted, is nobody's member.
    """
    events = [event for event in events if event.user_id != archivist_of(bot)]
    rows = await db.fetch(
        """
        WITH incoming AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
                AS t (room_id, user_id, membership, event_id, changed_at, sender)
        ), before AS (
            SELECT room_id, user_id, m.membership FROM room_member m JOIN incoming USING (room_id, user_id)
        ), written AS (
            INSERT INTO room_member (room_id, user_id, membership, event_id, changed_at)
            SELECT room_id, user_id, membership, event_id, changed_at FROM incoming
            ON CONFLICT (room_id, user_id) DO UPDATE
                SET membership = excluded.membership, event_id = excluded.event_id, changed_at = excluded.changed_at
                WHERE excluded.changed_at >= room_member.changed_at
                    AND NOT (room_member.event_id IS NULL AND room_member.membership = 'join'
                        AND excluded.membership = 'invite')
            RETURNING room_id, user_id
        )
        SELECT room_id, user_id FROM written
        JOIN incoming USING (room_id, user_id)
        LEFT JOIN before USING (room_id, user_id)
        WHERE before.membership IS DISTINCT FROM incoming.membership AND user_id <> $7 AND CASE
            WHEN EXISTS (SELECT FROM managed_room m WHERE m.room_id = written.room_id) THEN NOT (
                (incoming.membership = 'leave' AND incoming.sender = $7)
                OR (incoming.membership IN ('join', 'invite') AND EXISTS (
                    SELECT FROM granted g WHERE g.room_id = written.room_id AND g.user_id = written.user_id)))
            ELSE incoming.membership IN ('join', 'invite', 'knock') AND EXISTS (
                SELECT FROM account a WHERE a.user_id = written.user_id AND NOT a.enabled)
            END
        """,
        [event.room_id for event in events],
        [event.user_id for event in events],
        [event.membership for event in events],
        [event.event_id for event in events],
        [event.changed_at for event in events],
        [event.sender for event in events],
        bot,
    )
    looked_at = {(row["room_id"], row["user_id"]) for row in rows}
    return [event for event in events if (event.room_id, event.user_id) in looked_at]


async def read_memberships(
    db: Connection | Pool, pairs: Sequence[tuple[RoomId, UserId]]
) -> dict[tuple[RoomId, UserId], str]:
    """Return what users are to rooms, as far as that is known."""
    rows = await db.fetch(
        """SELECT room_id, user_id, membership FROM room_member
           JOIN unnest($1::text[], $2::text[]) AS t (room_id, user_id) USING (room_id, user_id)""",
        [room_id for room_id, _ in pairs],
        [user_id for _, user_id in pairs],
    )
    return {(RoomId(row["room_id"]), UserId(row["user_id"])): row["membership"] for row in rows}


async def read_arrived(db: Connection | Pool, events: Sequence[EventId]) -> frozenset[EventId]:
    """Return which of these events made somebody what they are to a room, where Muster had not put them."""
    rows = await db.fetch(
        """SELECT event_id FROM room_member m WHERE event_id = ANY($1) AND NOT EXISTS (
               SELECT FROM granted g WHERE g.room_id = m.room_id AND g.user_id = m.user_id)""",
        list(events),
    )
    return frozenset(EventId(row["event_id"]) for row in rows)


async def put_power(db: Connection | Pool, room_id: RoomId, users: Mapping[UserId, int]) -> None:
    """Remember levels that we have just set; the moment of the newest event stays."""
    await db.execute(
        """INSERT INTO room_power (room_id, users, changed_at) VALUES ($1, $2, $3)
           ON CONFLICT (room_id) DO UPDATE SET users = excluded.users""",
        room_id,
        dict(users),
        _NEVER,
    )


async def apply_power(db: Connection, room_id: RoomId, users: Mapping[UserId, int], at: datetime) -> list[UserId]:
    """Take in the levels that an event tells and return the users of a managed room whose level changed."""
    row = await db.fetchrow(
        """SELECT users, changed_at, EXISTS (SELECT FROM managed_room m WHERE m.room_id = $1) AS managed
           FROM (SELECT $1 AS room_id) room LEFT JOIN room_power USING (room_id)""",
        room_id,
    )
    assert row is not None
    if row["changed_at"] is not None and row["changed_at"] > at:
        return []
    await db.execute(
        """INSERT INTO room_power (room_id, users, changed_at) VALUES ($1, $2, $3)
           ON CONFLICT (room_id) DO UPDATE SET users = excluded.users, changed_at = excluded.changed_at""",
        room_id,
        dict(users),
        at,
    )
    before: dict[str, int] = row["users"] or {}
    changed = {user for user in before.keys() | users.keys() if before.get(user, 0) != users.get(UserId(user), 0)}
    return [UserId(user) for user in sorted(changed)] if row["managed"] else []


# What waits to be looked at


async def note_drift(db: Connection | Pool, users: Iterable[UserId]) -> None:
    """Have these users looked at again, and wake whoever does."""
    await db.execute(
        f"""WITH noted AS (
                INSERT INTO drift (user_id, noticed)
                SELECT user_id, nextval('drift_noticed') FROM unnest($1::text[]) AS t (user_id)
                ON CONFLICT (user_id) DO UPDATE SET noticed = excluded.noticed)
            SELECT pg_notify('{MEMBERSHIP}', '')""",  # noqa: S608 - our own constant
        sorted(set(users)),
    )


async def read_drift(db: Connection | Pool) -> dict[UserId, int]:
    """Return the users to look at, each with the number of its note."""
    return {UserId(row["user_id"]): row["noticed"] for row in await db.fetch("SELECT user_id, noticed FROM drift")}


async def forget_drift(db: Connection | Pool, notes: Mapping[UserId, int]) -> None:
    """Forget these notes; a user noted anew in the meantime stays."""
    await db.execute(
        "DELETE FROM drift USING unnest($1::text[], $2::bigint[]) AS t (user_id, noticed) "
        "WHERE drift.user_id = t.user_id AND drift.noticed = t.noticed",
        list(notes),
        list(notes.values()),
    )
