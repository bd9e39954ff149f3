"""The runs of the audit log: what was carried out together, why, and who set it off."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import PersonId
from bridge.membership.audit import SERVICE

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def begin_run(
    db: Connection | Pool,
    cause: str,
    digest: str,
    at: datetime,
    *,
    set_off_by: str = SERVICE,
    by: PersonId | None = None,
    approved_by: str | None = None,
) -> int:
    """Open a run and return its number; `set_off_by` is the service or a system's user, `by` who that is."""
    run: int = await db.fetchval(
        """INSERT INTO run (cause, plan_digest, started_at, set_off_by, by_person, approved_by)
           VALUES ($1, $2, $3, $4, $5, $6) RETURNING id""",
        cause,
        digest,
        at,
        set_off_by,
        by,
        approved_by,
    )
    return run


async def finish_run(db: Connection | Pool, run: int, at: datetime) -> None:
    """Close a run."""
    await db.execute("UPDATE run SET finished_at = $2 WHERE id = $1", run, at)


async def interrupt_begun(db: Connection | Pool, at: datetime) -> None:
    """Mark what earlier runs left open. Only for whoever holds the lock.

    A removal of which the event has come was done: that room is granted no longer. Another is done again.
    """
    await db.execute(
        """WITH open AS (
               UPDATE entry SET outcome = 'interrupted', settled_at = $1,
                   error = 'the run ended before the outcome was recorded' WHERE outcome = 'begun'
               RETURNING action, room_id, user_id)
           DELETE FROM granted g USING open o, room_member m
           WHERE o.action = 'remove' AND g.room_id = o.room_id AND g.user_id = o.user_id
               AND m.room_id = o.room_id AND m.user_id = o.user_id AND m.membership IN ('leave', 'ban')""",
        at,
    )
