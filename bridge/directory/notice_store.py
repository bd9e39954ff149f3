"""The statements on what the administrators are told: one function each.

Saying it in their room is left to `bridge.membership.noticeboard`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from bridge.database.listen import NOTICES
from bridge.directory.notice import Notice

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def put_notice(db: Connection | Pool, notice: Notice) -> None:
    """Keep a notice to be told, and wake who tells; while there is one of its topic, only note that it goes on."""
    await db.execute(
        """WITH raised AS (
               INSERT INTO notice (topic, body, raised_at, last_at) VALUES ($1, $2, now(), now())
               ON CONFLICT (topic) DO UPDATE SET last_at = now() RETURNING told_at)
           SELECT pg_notify($3, '') FROM raised WHERE told_at IS NULL""",
        notice.topic,
        notice.body,
        NOTICES,
    )


async def read_untold(db: Connection | Pool) -> list[tuple[Notice, datetime]]:
    """Return what nobody has been told yet, with the moment it was raised, oldest first."""
    rows = await db.fetch("SELECT topic, body, raised_at FROM notice WHERE told_at IS NULL ORDER BY raised_at, topic")
    return [(Notice(row["topic"], row["body"]), row["raised_at"]) for row in rows]


async def mark_told(db: Connection | Pool, topic: str) -> None:
    """Remember that the administrators know."""
    await db.execute("UPDATE notice SET told_at = now() WHERE topic = $1", topic)


async def forget_quiet(db: Connection | Pool, before: datetime) -> None:
    """Forget what was told and had its last reason before a moment: with another it is told anew."""
    await db.execute("DELETE FROM notice WHERE told_at IS NOT NULL AND last_at < $1", before)
