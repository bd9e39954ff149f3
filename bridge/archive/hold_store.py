"""The statements on holds, one function each.

`read_holds` and `held_seqs` are what retention and erasure ask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.archive.hold import Custodian, Hold, Release
from bridge.archive.scope import Scope
from bridge.archive.scope_store import matching, read_bounds
from bridge.database.listen import SELFSERVICE
from bridge.ids import EventId, UserId

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool


async def read_holds(db: Connection | Pool) -> list[Hold]:
    """Return the holds that are in force, the oldest first."""
    rows = await db.fetch("SELECT * FROM archive_hold WHERE released_at IS NULL ORDER BY placed_at, number")
    return [_hold(row) for row in rows]


async def held_seqs(db: Connection | Pool, seqs: Collection[int]) -> frozenset[int]:
    """Return which of the events at these positions are in the scope of a hold that is in force."""
    held: set[int] = set()
    for hold in await read_holds(db):
        if rest := set(seqs) - held:
            held |= await matching(db, await read_bounds(db, hold.scope), rest)
    return frozenset(held)


async def read_all(db: Connection | Pool) -> list[Hold]:
    """Return all holds, those that are over too, the newest first."""
    return [_hold(row) for row in await db.fetch("SELECT * FROM archive_hold ORDER BY placed_at DESC, number")]


async def read_hold(db: Connection | Pool, number: str) -> Hold | None:
    """Return a hold."""
    row = await db.fetchrow("SELECT * FROM archive_hold WHERE number = $1", number)
    return _hold(row) if row else None


async def lock_hold(db: Connection, number: str) -> None:
    """Keep others from changing a hold until the database transaction ends."""
    await db.execute("SELECT FROM archive_hold WHERE number = $1 FOR UPDATE", number)


async def put_hold(db: Connection, hold: Hold) -> None:
    """Store a new hold; raises asyncpg's error when there is one of this number."""
    await db.execute(
        "INSERT INTO archive_hold"
        " (number, reason, scope, case_number, silent, remind, placed_by, placed_at, placed_entry)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        hold.number,
        hold.reason,
        hold.scope.as_json(),
        hold.case,
        hold.silent,
        hold.remind,
        hold.placed_by,
        hold.since,
        hold.entry,
    )


async def release_hold(db: Connection, number: str, release: Release) -> None:
    """Note that a hold is over; whoever was told of it is to be told that too."""
    await db.execute(
        f"""WITH over AS (
                UPDATE archive_custodian SET next_at = CASE WHEN told > 0 THEN $3::timestamptz END WHERE number = $1),
            released AS (
                UPDATE archive_hold SET released_by = $2, released_at = $3, released_entry = $4 WHERE number = $1)
            SELECT pg_notify('{SELFSERVICE}', '')""",  # noqa: S608 - our own constant
        number,
        release.by,
        release.at,
        release.entry,
    )


# Custodians


async def put_custodians(db: Connection, number: str, users: Iterable[UserId], next_at: datetime | None) -> None:
    """Store whom a hold names, and when they are to be told, and wake whoever tells."""
    await db.execute(
        f"""WITH added AS (
                INSERT INTO archive_custodian (number, user_id, next_at) SELECT $1, unnest($2::text[]), $3)
            SELECT pg_notify('{SELFSERVICE}', '')""",
        number,
        sorted(users),
        next_at,
    )


async def read_custodians(db: Connection | Pool, number: str) -> list[Custodian]:
    """Return whom a hold names."""
    rows = await db.fetch(
        "SELECT user_id, told, acknowledged_at FROM archive_custodian WHERE number = $1 ORDER BY user_id", number
    )
    return [Custodian(UserId(row["user_id"]), row["told"], row["acknowledged_at"]) for row in rows]


async def lock_due(db: Connection, now: datetime) -> tuple[str, Custodian] | None:
    """Return the first custodian who is to be told of a hold by now, with its number; others leave them alone."""
    row = await db.fetchrow(
        """SELECT number, user_id, told, acknowledged_at FROM archive_custodian WHERE next_at <= $1
           ORDER BY next_at, number, user_id LIMIT 1 FOR UPDATE SKIP LOCKED""",
        now,
    )
    return (row["number"], Custodian(UserId(row["user_id"]), row["told"], None)) if row else None


async def next_due(db: Connection | Pool) -> datetime | None:
    """Return when the next custodian is to be told."""
    found: datetime | None = await db.fetchval("SELECT min(next_at) FROM archive_custodian")
    return found


async def note_told(db: Connection, key: str, number: str, user_id: UserId, next_at: datetime | None) -> None:
    """Note that a custodian is told once more, by the act with this key, and when again."""
    await db.execute(
        """WITH told AS (
               UPDATE archive_custodian SET told = told + 1, next_at = $4 WHERE number = $2 AND user_id = $3)
           INSERT INTO archive_hold_message (key, number, user_id) VALUES ($1, $2, $3)""",
        key,
        number,
        user_id,
        next_at,
    )


async def silence(db: Connection, number: str, user_id: UserId) -> None:
    """Note that a custodian is not to be told any more."""
    await db.execute("UPDATE archive_custodian SET next_at = NULL WHERE number = $1 AND user_id = $2", number, user_id)


async def name_message(db: Connection | Pool, key: str, event_id: EventId) -> None:
    """Note which event tells somebody of a hold."""
    await db.execute("UPDATE archive_hold_message SET event_id = $2 WHERE key = $1", key, event_id)


async def find_messages(db: Connection | Pool, event_ids: Collection[EventId]) -> dict[EventId, tuple[str, UserId]]:
    """Return which of these events told whom of which hold."""
    rows = await db.fetch(
        "SELECT event_id, number, user_id FROM archive_hold_message WHERE event_id = ANY($1)", list(event_ids)
    )
    return {EventId(row["event_id"]): (row["number"], UserId(row["user_id"])) for row in rows}


async def unacknowledged(db: Connection | Pool, user_id: UserId) -> list[str]:
    """Return the numbers of the holds in force of which somebody was told and that they have not acknowledged."""
    rows = await db.fetch(
        """SELECT number FROM archive_custodian JOIN archive_hold USING (number)
           WHERE user_id = $1 AND told > 0 AND acknowledged_at IS NULL AND released_at IS NULL ORDER BY number""",
        user_id,
    )
    return [row["number"] for row in rows]


async def acknowledge(db: Connection, number: str, user_id: UserId, at: datetime) -> bool:
    """Note that a custodian has acknowledged a hold; return False when they had before, or were never told."""
    done: str | None = await db.fetchval(
        """UPDATE archive_custodian SET acknowledged_at = $3, next_at = NULL
           WHERE number = $1 AND user_id = $2 AND told > 0 AND acknowledged_at IS NULL RETURNING number""",
        number,
        user_id,
        at,
    )
    return done is not None


def _hold(row: Row) -> Hold:
    over = row["released_at"]
    remind: timedelta = row["remind"]
    return Hold(
        number=row["number"],
        reason=row["reason"],
        scope=Scope.of_json(row["scope"]),
        placed_by=row["placed_by"],
        since=row["placed_at"],
        entry=EventId(row["placed_entry"]),
        case=row["case_number"],
        silent=row["silent"],
        remind=remind,
        release=Release(row["released_by"], over, EventId(row["released_entry"])) if over else None,
    )


# Media


async def read_media_stretch(db: Connection, number: str) -> tuple[int, int]:
    """Return the newest position of the archive, and that up to which a hold's media was looked for."""
    row = await db.fetchrow(
        "SELECT (SELECT size FROM ledger_head) AS newest, media_seq FROM archive_hold WHERE number = $1", number
    )
    assert row is not None
    return row["newest"], row["media_seq"]


async def note_media_until(db: Connection | Pool, number: str, seq: int) -> None:
    """Note up to where a hold's media was looked for."""
    await db.execute("UPDATE archive_hold SET media_seq = $2 WHERE number = $1 AND media_seq < $2", number, seq)


async def put_media(db: Connection | Pool, number: str, media_id: str, state: str) -> None:
    """Note that a hold is about media; what another hold has protected is protected by us for this one too."""
    await db.execute(
        """INSERT INTO archive_held_media (media_id, number, state)
           SELECT $2, $1, CASE WHEN $3 = 'was protected' AND EXISTS (
               SELECT FROM archive_held_media WHERE media_id = $2 AND state = 'protected') THEN 'protected' ELSE $3 END
           ON CONFLICT DO NOTHING""",
        number,
        media_id,
        state,
    )


async def count_media(db: Connection | Pool, number: str) -> tuple[int, int]:
    """Return how much media a hold keeps on the homeserver, and how much was missing there."""
    row = await db.fetchrow(
        """SELECT count(*) FILTER (WHERE state <> 'missing') AS kept, count(*) FILTER (WHERE state = 'missing') AS gone
           FROM archive_held_media WHERE number = $1""",
        number,
    )
    assert row is not None
    return row["kept"], row["gone"]


async def read_free_media(db: Connection | Pool) -> list[tuple[str, bool]]:
    """Return the media of released holds that no hold in force is about, and whether it was we who protected it."""
    rows = await db.fetch(
        """SELECT media_id, bool_or(state = 'protected') AS ours
           FROM archive_held_media JOIN archive_hold USING (number) GROUP BY media_id
           HAVING bool_and(released_at IS NOT NULL) ORDER BY media_id"""
    )
    return [(row["media_id"], row["ours"]) for row in rows]


async def drop_free_media(db: Connection | Pool, media_id: str) -> None:
    """Forget media that no hold in force is about."""
    await db.execute(
        """DELETE FROM archive_held_media WHERE media_id = $1 AND NOT EXISTS (
               SELECT FROM archive_held_media m JOIN archive_hold USING (number)
               WHERE m.media_id = $1 AND released_at IS NULL)""",
        media_id,
    )
