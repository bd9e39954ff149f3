"""The statements on what others did by hand, what rests, and what people are told of it: one function each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.database.listen import MEMBERSHIP, REMARKS
from bridge.ids import EventId, RoomId, UserId
from bridge.membership.fighting import About, Fight, Intervention, Rest
from bridge.membership.remark import Correction

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


async def note_interventions(db: Connection | Pool, found: Sequence[Intervention]) -> None:
    """Remember what others did, and wake whoever looks at it; what is known already is not news."""
    await db.execute(
        f"""WITH noted AS (
                INSERT INTO intervention (room_id, subject, field, value, sender, event_id, noticed_at)
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                    $7::timestamptz[])
                ON CONFLICT DO NOTHING)
            SELECT pg_notify('{MEMBERSHIP}', '')""",  # noqa: S608 - our own constant
        [one.room_id for one in found],
        [one.subject for one in found],
        [one.field for one in found],
        [one.value for one in found],
        [one.sender for one in found],
        [one.event_id for one in found],
        [one.noticed_at for one in found],
    )


async def read_interventions(db: Connection | Pool, since: datetime) -> list[Intervention]:
    """Return what is to be looked at, and what was put right since then, oldest first."""
    rows = await db.fetch(
        """SELECT * FROM intervention WHERE settled_at IS NULL
           UNION ALL SELECT * FROM intervention WHERE settled_at > $1 ORDER BY id""",
        since,
    )
    return [_intervention(row) for row in rows]


async def read_pending(db: Connection | Pool) -> list[Intervention]:
    """Return what is to be looked at and does not rest, oldest first."""
    rows = await db.fetch(
        """SELECT * FROM intervention i WHERE settled_at IS NULL AND NOT EXISTS (
               SELECT FROM rest r WHERE r.room_id = i.room_id AND r.subject = i.subject AND r.field = i.field)
           ORDER BY id"""
    )
    return [_intervention(row) for row in rows]


async def newest_altered(db: Connection | Pool) -> int:
    """Return the number of the newest intervention in a room's settings that is to be put right; 0 when none is."""
    newest: int = await db.fetchval(
        """SELECT coalesce(max(id), 0) FROM intervention i WHERE settled_at IS NULL AND subject = '' AND NOT EXISTS (
               SELECT FROM rest r WHERE r.room_id = i.room_id AND r.subject = '' AND r.field = i.field)"""
    )
    return newest


async def read_corrections(db: Connection | Pool, found: Sequence[Intervention]) -> dict[int, tuple[int, Correction]]:
    """Return which of these was put right since, by the number of the intervention, with the entry that did it."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (i.id) i.id AS intervention, entry.id, entry.rule, entry.reason, entry.value
           FROM intervention i JOIN entry ON entry.room_id = i.room_id AND entry.user_id = i.subject
               AND entry.outcome = 'done' AND entry.at >= i.noticed_at
               AND CASE i.field WHEN 'member' THEN entry.action IN ('join', 'remove')
                                WHEN 'power' THEN entry.action IN ('raise power', 'lower power')
                                ELSE entry.action = 'change room'
                                     AND i.field = ANY(string_to_array(entry.value, ', ')) END
           WHERE i.id = ANY($1) ORDER BY i.id, entry.id DESC""",
        [one.id for one in found],
    )
    return _corrections(rows, found)


async def read_profile_corrections(
    db: Connection | Pool, found: Sequence[Intervention]
) -> dict[int, tuple[int, Correction]]:
    """Return the same for interventions in profiles."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (i.id) i.id AS intervention, entry.id, entry.rule, entry.reason, entry.value
           FROM intervention i JOIN entry ON entry.user_id = i.subject AND entry.outcome = 'done'
               AND entry.at >= i.noticed_at
               AND CASE i.field WHEN 'displayname' THEN entry.action = 'rename account'
                                ELSE entry.action = 'change profile' AND split_part(entry.value, ' ', 1) = i.field END
           WHERE i.id = ANY($1) AND i.room_id = '' ORDER BY i.id, entry.id DESC""",
        [one.id for one in found],
    )
    return _corrections(rows, found)


def _corrections(rows: Iterable[asyncpg.Record], found: Sequence[Intervention]) -> dict[int, tuple[int, Correction]]:
    by_id = {one.id: one for one in found}
    return {
        row["intervention"]: (
            row["id"],
            Correction(by_id[row["intervention"]], row["rule"], row["reason"], row["value"]),
        )
        for row in rows
    }


async def settle_intervention(db: Connection | Pool, number: int, entry: int, rule: str, at: datetime) -> None:
    """Remember by which entry something was put right."""
    await db.execute(
        "UPDATE intervention SET entry_id = $2, rule = $3, settled_at = $4 WHERE id = $1", number, entry, rule, at
    )


async def drop_interventions(db: Connection | Pool, numbers: Collection[int]) -> None:
    """Forget what the policy has nothing against."""
    await db.execute("DELETE FROM intervention WHERE id = ANY($1) AND settled_at IS NULL", list(numbers))


async def forget_settled(db: Connection | Pool, before: datetime) -> None:
    """Forget what was put right before a moment; the entry that did it stays."""
    await db.execute("DELETE FROM intervention WHERE settled_at < $1", before)


# What rests


async def begin_rest(db: Connection | Pool, fight: Fight, at: datetime) -> int | None:
    """Leave something as it is from now on, and return the number of the rest; None when it rests already."""
    number: int | None = await db.fetchval(
        """INSERT INTO rest (room_id, subject, field, leaver, sender, since) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT DO NOTHING RETURNING id""",
        fight.about.room_id,
        fight.about.subject,
        fight.about.field,
        fight.leaver,
        fight.sender,
        at,
    )
    return number


async def read_rests(db: Connection | Pool) -> list[Rest]:
    """Return what rests, the longest first."""
    rows = await db.fetch("SELECT * FROM rest ORDER BY id")
    return [
        Rest(
            row["id"],
            About(RoomId(row["room_id"]), UserId(row["subject"]), row["field"]),
            row["leaver"],
            UserId(row["sender"]),
            row["since"],
        )
        for row in rows
    ]


async def end_rest(db: Connection | Pool, number: int) -> bool:
    """Have something looked at again, with its past forgotten, and wake whoever does; False when nothing so rests."""
    ended: bool = await db.fetchval(
        f"""WITH ended AS (DELETE FROM rest WHERE id = $1 RETURNING room_id, subject, field),
                past AS (
                    DELETE FROM intervention i USING ended e WHERE i.settled_at IS NOT NULL
                        AND i.room_id = e.room_id AND i.subject = e.subject AND i.field = e.field),
                again AS (
                    UPDATE intervention i SET id = DEFAULT FROM ended e WHERE i.settled_at IS NULL
                        AND i.room_id = e.room_id AND i.subject = e.subject AND i.field = e.field),
                noted AS (
                    INSERT INTO drift (user_id, noticed)
                    SELECT subject, nextval('drift_noticed') FROM ended WHERE subject <> ''
                    ON CONFLICT (user_id) DO UPDATE SET noticed = excluded.noticed),
                woken AS (SELECT pg_notify('{MEMBERSHIP}', '') FROM ended)
            SELECT count(*) > 0 FROM woken""",  # noqa: S608 - our own constant
        number,
    )
    return ended


# What people are told


async def put_remark(
    db: Connection | Pool, user_id: UserId, room_id: RoomId, body: str, at: datetime, quiet: timedelta
) -> None:
    """Keep something to be told to somebody, and wake who tells, unless that person was told of the room lately."""
    await db.execute(
        f"""WITH put AS (
                INSERT INTO remark (user_id, room_id, body, raised_at) SELECT $1, $2, $3, $4
                WHERE NOT EXISTS (
                    SELECT FROM remark
                    WHERE user_id = $1 AND room_id = $2 AND raised_at > $4::timestamptz - $5::interval)
                RETURNING id)
            SELECT pg_notify('{REMARKS}', '') FROM put""",  # noqa: S608 - our own constant
        user_id,
        room_id,
        body,
        at,
        quiet,
    )


async def read_unsent(db: Connection | Pool) -> list[tuple[int, UserId, str]]:
    """Return what is to be told, oldest first: its number, whom, and the text."""
    rows = await db.fetch("SELECT id, user_id, body FROM remark WHERE sent_at IS NULL ORDER BY id LIMIT 100")
    return [(row["id"], UserId(row["user_id"]), row["body"]) for row in rows]


async def mark_sent(db: Connection | Pool, number: int, at: datetime) -> None:
    """Remember that somebody was told, or cannot be."""
    await db.execute("UPDATE remark SET sent_at = $2 WHERE id = $1", number, at)


async def forget_sent(db: Connection | Pool, before: datetime) -> None:
    """Forget what was told before a moment."""
    await db.execute("DELETE FROM remark WHERE sent_at < $1", before)


async def names_of(db: Connection | Pool, users: Collection[UserId]) -> Mapping[UserId, str]:
    """Return how the accounts among these are called."""
    rows = await db.fetch("SELECT user_id, display_name FROM account WHERE user_id = ANY($1)", list(users))
    return {UserId(row["user_id"]): row["display_name"] for row in rows}


def _intervention(row: asyncpg.Record) -> Intervention:
    return Intervention(
        id=row["id"],
        room_id=RoomId(row["room_id"]),
        subject=UserId(row["subject"]),
        field=row["field"],
        value=row["value"],
        sender=UserId(row["sender"]),
        event_id=EventId(row["event_id"]),
        noticed_at=row["noticed_at"],
        settled_at=row["settled_at"],
        rule=row["rule"],
    )
