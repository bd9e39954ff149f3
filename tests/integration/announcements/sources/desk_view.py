"""What is seen of announcements in the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Pool


async def announcements(pool: Pool) -> list[tuple[str, str, str]]:
    """Origin, state and text of each announcement, oldest first."""
    rows = await pool.fetch(
        "SELECT origin, state, body->>'body' AS text FROM announcement JOIN announcement_text ON announcement = id"
        " ORDER BY id, language"
    )
    return sorted((row["origin"], row["state"], row["text"]) for row in rows)


async def said(pool: Pool, room_id: str) -> list[str]:
    """What the bot is to say in a room, in the order in which it was put."""
    rows = await pool.fetch(
        "SELECT content->>'body' AS body FROM outgoing WHERE room_id = $1 AND act = 'send' ORDER BY id", room_id
    )
    return [row["body"] for row in rows]


async def notices(pool: Pool) -> list[str]:
    """What the administrators are told."""
    return [row["body"] for row in await pool.fetch("SELECT body FROM notice ORDER BY raised_at, topic")]


async def nothing_changed(pool: Pool) -> bool:
    """Whether nothing is to be announced, and nothing remembered that came."""
    tables = ("announcement", "outgoing", "source_item")
    counts = [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608 - ours
    return counts == [0, 0, 0]
