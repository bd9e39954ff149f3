"""The table `outgoing` as the postman sees it: what is next, and what became of it. One function per statement.

A *lane* is a room, or a person's room: one errand at a time is under way in each. Lanes are locked by advisory locks
of the session, so that they are free at once when the process dies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.announcements.errand import Errand
from bridge.announcements.values import Act
from bridge.ids import EventId, RoomId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool

_LANES = 0x6C616E65
"""The first key of the locks; the second is the lane's hash."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an errand came to."""

    id: int
    content: Mapping[str, Any] | None
    """What was said; when the row has other words by now, they are still to be said."""
    event_id: EventId | None
    room_id: RoomId | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an errand came to nothing."""

    id: int
    error: str
    retry_at: datetime | None
    """None: never."""


_NEXT = """
    WITH held AS MATERIALIZED (
        SELECT objid::bigint FROM pg_locks
        WHERE locktype = 'advisory' AND classid::bigint = $4 AND objsubid = 2
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
    next AS MATERIALIZED (
        SELECT id, lane FROM outgoing o
        WHERE state = 'waiting' AND due_at <= $1 AND rank <= $3 AND (retry_at IS NULL OR retry_at <= $1)
            AND hashtext(lane)::bigint & 4294967295 NOT IN (SELECT objid FROM held)
            AND NOT EXISTS (SELECT FROM outgoing t WHERE t.key = o.target AND t.state = 'waiting')
            AND NOT EXISTS (
                SELECT FROM outgoing p
                WHERE p.lane = o.lane AND p.state = 'waiting' AND p.due_at <= $1
                    AND (p.rank, p.due_at, p.id) < (o.rank, o.due_at, o.id)
                    AND NOT EXISTS (SELECT FROM outgoing t WHERE t.key = p.target AND t.state = 'waiting'))
        ORDER BY rank, due_at, id LIMIT $2)
    SELECT id, lane FROM next WHERE pg_try_advisory_lock($4::integer, hashtext(lane))"""


async def lock_next(db: Connection, now: datetime, limit: int, rank: int) -> list[tuple[int, str]]:
    """Lock the lanes of what is next, of this rank or a higher one; return the rows with their lanes.

    The highest rank goes first, then what is due longest; in a lane nothing overtakes what is before it, also when
    that waits for its next try. What is done to another row waits until that is done.
    """
    return [(row["id"], row["lane"]) for row in await db.fetch(_NEXT, now, limit, rank, _LANES)]


async def count_attempts(db: Database, ids: Sequence[int]) -> list[Errand]:
    """Count one more attempt for those of the rows that still wait, and return them."""
    rows = await db.fetch(
        """UPDATE outgoing o SET attempts = o.attempts + 1
           FROM outgoing own LEFT JOIN outgoing t ON t.key = own.target
               LEFT JOIN account a ON a.user_id = own.user_id
           WHERE own.id = o.id AND o.id = ANY($1) AND o.state = 'waiting'
           RETURNING o.id, o.key, o.turn, o.act, o.lane, o.room_id, o.user_id, o.event_type, o.content,
               o.attempts - 1 AS attempts, t.event_id AS target_event, t.said_in AS target_room,
               coalesce(a.enabled, true) AS enabled""",
        list(ids),
    )
    return [Errand(**{**row, "act": Act(row["act"])}) for row in rows]


async def unlock(db: Connection, lanes: Sequence[str]) -> None:
    """Let others into the lanes that `lock_next` locked."""
    await db.execute(
        "SELECT pg_advisory_unlock($2, hashtext(lane)) FROM unnest($1::text[]) AS lane", list(lanes), _LANES
    )


async def mark_done(db: Database, said: Sequence[Said], at: datetime) -> list[int]:
    """Record what was said; return the rows for which that is news, without those that have got other words since."""
    rows = await db.fetch(
        """UPDATE outgoing o SET state = 'done', event_id = said.event_id, said_in = said.said_in, done_at = $5,
               error = NULL, retry_at = NULL
           FROM unnest($1::bigint[], $2::jsonb[], $3::text[], $4::text[]) AS said (id, content, event_id, said_in)
           WHERE o.id = said.id AND state = 'waiting' AND o.content IS NOT DISTINCT FROM said.content
           RETURNING o.id""",
        [one.id for one in said],
        [one.content for one in said],
        [one.event_id for one in said],
        [one.room_id for one in said],
        at,
    )
    return [row["id"] for row in rows]


async def find_waiting(db: Database, key: str, turn: int, act: Act) -> int | None:
    """Return the row that waits by this name, under way or not."""
    found: int | None = await db.fetchval(
        "SELECT id FROM outgoing WHERE key = $1 AND turn = $2 AND act = $3 AND state = 'waiting'", key, turn, act
    )
    return found


async def mark_reached(db: Database, ids: Sequence[int], at: datetime) -> None:
    """Record that those have got the announcement whom these copies were for: who is in the room, or the one person.

    The rows are locked in order, because two rooms of one announcement have recipients in common.
    """
    await db.execute(
        """WITH copy AS (
               SELECT announcement, room_id, user_id FROM outgoing
               WHERE id = ANY($1) AND role = 'copy' AND act = 'send'),
           hearer AS (
               SELECT announcement, m.user_id FROM copy JOIN room_member m USING (room_id) WHERE membership = 'join'
               UNION SELECT announcement, user_id FROM copy WHERE user_id IS NOT NULL),
           reached AS (
               SELECT announcement, user_id FROM recipient JOIN hearer USING (announcement, user_id)
               WHERE delivered_at IS NULL ORDER BY announcement, user_id FOR NO KEY UPDATE OF recipient)
           UPDATE recipient r SET delivered_at = $2 FROM reached
           WHERE r.announcement = reached.announcement AND r.user_id = reached.user_id""",
        list(ids),
        at,
    )


async def mark_refused(db: Database, refused: Sequence[Refused]) -> None:
    """Record why the homeserver refused, and when that is tried again."""
    await db.execute(
        """UPDATE outgoing o SET error = refused.error, retry_at = refused.retry_at,
               state = CASE WHEN refused.retry_at IS NULL THEN 'failed' ELSE state END
           FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) AS refused (id, error, retry_at)
           WHERE o.id = refused.id AND state = 'waiting'""",
        [one.id for one in refused],
        [one.error for one in refused],
        [one.retry_at for one in refused],
    )


async def mark_away(db: Database, ids: Sequence[int]) -> None:
    """Record that there was no answer: that counts as one attempt, however long the homeserver is away."""
    await db.execute(
        "UPDATE outgoing SET attempts = greatest(attempts - 1, 1) WHERE id = ANY($1) AND state = 'waiting'", list(ids)
    )


async def next_due(db: Database) -> datetime | None:
    """Return the first moment at which something that waits is due, in the past for what others have in hand."""
    found: datetime | None = await db.fetchval(
        "SELECT min(greatest(due_at, retry_at)) FROM outgoing WHERE state = 'waiting'"
    )
    return found
