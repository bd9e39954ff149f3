"""The table `outgoing` as its writers see it: one function per statement.

What becomes of the rows is `postman`'s, with the statements in `postman_store`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements.values import Copy, Outgoing, Role, Sent
from bridge.database.listen import ANNOUNCEMENTS
from bridge.ids import EventId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool

_PUT = """
    INSERT INTO outgoing (key, act, role, rank, due_at, room_id, user_id, event_type, content, target, announcement,
                          version)
    SELECT key, act, role, rank, due_at, room_id, user_id, event_type, content, target, announcement, version
    FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[], $6::text[], $7::text[],
                $8::text[], $9::jsonb[], $10::text[], $11::text[], $12::integer[]) WITH ORDINALITY
         AS row (key, act, role, rank, due_at, room_id, user_id, event_type, content, target, announcement, version,
                 position)
    ORDER BY position
    ON CONFLICT (key) DO UPDATE SET
        content = excluded.content, due_at = excluded.due_at, rank = excluded.rank, version = excluded.version,
        turn = outgoing.turn + (outgoing.state <> 'waiting')::integer,
        attempts = CASE outgoing.state WHEN 'waiting' THEN outgoing.attempts ELSE 0 END,
        error = CASE outgoing.state WHEN 'waiting' THEN outgoing.error END,
        retry_at = CASE outgoing.state WHEN 'waiting' THEN outgoing.retry_at END,
        state = 'waiting'
    WHERE outgoing.state = 'waiting' OR outgoing.content IS DISTINCT FROM excluded.content
"""


async def put(db: Database, rows: Sequence[Outgoing]) -> None:
    """Let the bot say, change or take back all of this, in this order among those of equal rank and moment.

    A key that waits already gets the new content, moment and rank; one that is done or failed is done once more when
    its content differs; otherwise nothing changes. The postman is woken when the database transaction commits.
    """
    distinct = list({row.key: row for row in rows}.values())
    await db.execute(
        _PUT,
        [row.key for row in distinct],
        [row.act for row in distinct],
        [row.role for row in distinct],
        [row.rank for row in distinct],
        [row.due_at for row in distinct],
        [row.room_id for row in distinct],
        [row.user_id for row in distinct],
        [row.event_type for row in distinct],
        [row.content for row in distinct],
        [row.target for row in distinct],
        [row.announcement for row in distinct],
        [row.version for row in distinct],
    )
    await wake(db)


async def wake(db: Database) -> None:
    """Wake the postman when the database transaction commits."""
    await db.execute("SELECT pg_notify($1, '')", ANNOUNCEMENTS)


async def has(db: Database, key: str) -> bool:
    """Tell whether there is a row of this key, whatever became of it."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT FROM outgoing WHERE key = $1)", key)
    return found


async def cancel(db: Database, announcement: str) -> None:
    """Drop what waits for an announcement and was never tried.

    What was tried may stand in its room already: it is finished, so that a redaction put behind it finds its event.
    """
    await db.execute(
        "DELETE FROM outgoing WHERE announcement = $1 AND state = 'waiting' AND attempts = 0", announcement
    )


async def load_copies(db: Database, announcement: str) -> list[Copy]:
    """Return the copies of an announcement, in the order in which they were put."""
    rows = await db.fetch(
        "SELECT key, rank, room_id, user_id, state, event_id FROM outgoing"
        " WHERE announcement = $1 AND role = 'copy' AND act = 'send' ORDER BY id",
        announcement,
    )
    return [Copy(**row) for row in rows]


async def of_event(db: Database, event_ids: Collection[EventId]) -> Mapping[EventId, Sent]:
    """Return what these events are, as far as the bot sent them through the postman."""
    rows = await db.fetch(
        "SELECT event_id, announcement, version, role, said_in, user_id, key FROM outgoing WHERE event_id = ANY($1)",
        list(event_ids),
    )
    return {
        EventId(row["event_id"]): Sent(
            announcement=row["announcement"],
            version=row["version"],
            role=Role(row["role"]),
            room_id=row["said_in"],
            user_id=row["user_id"],
            key=row["key"],
        )
        for row in rows
    }


async def forget_content(db: Pool, before: datetime) -> None:
    """Forget what each copy said that was done before this, except of what is current: its texts are kept once."""
    await db.execute(
        """UPDATE outgoing SET content = '{}' WHERE state <> 'waiting' AND content <> '{}' AND done_at < $1
               AND NOT EXISTS (SELECT FROM announcement WHERE announcement.id = outgoing.announcement
                               AND announcement.state = 'open')""",
        before,
    )
