"""What only steered is forgotten in time; evidence stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bridge.housekeeping import LONG, SHORT, tidy

if TYPE_CHECKING:
    from bridge.database import Pool

NOW = datetime(2027, 3, 1, tzinfo=UTC)
TABLES = {
    "hook_event": SHORT,
    "notice": SHORT,
    "bot_act": SHORT,
    "intervention": LONG,
    "remark": LONG,
    "held_answer": LONG,
    "feed_removal": LONG,
    "takeover": LONG,
}
FILL = (
    """INSERT INTO hook_event (source, delivery, position, subject, occurred_at, received_at, attributes, handled_at,
           outcome) VALUES ('hr', $1, 0, 's', $2, $2, '{}', $2, 'applied')""",
    "INSERT INTO notice (topic, body, raised_at, last_at, told_at) VALUES ($1, '', $2, $2, $2)",
    "INSERT INTO bot_act (key, kind, user_id, created_at, state) VALUES ($1, 'join', 'u', $2, 'done')",
    """INSERT INTO intervention (room_id, subject, field, value, sender, event_id, noticed_at, settled_at)
       VALUES ('r', 'u', 'member', 'join', 'u', $1, $2, $2)""",
    "INSERT INTO remark (user_id, room_id, body, raised_at, sent_at) VALUES ($1, 'r', '', $2, $2)",
    "INSERT INTO held_answer (event_id, at) VALUES ($1, $2)",
    "INSERT INTO feed_removal (feed, person_id, removed_at) VALUES ('f', $1, $2)",
    "INSERT INTO takeover (room_id, heir, giver, name, at, told_at) VALUES ($1, 'h', 'g', '', $2, $2)",
)
WAITING = (
    """INSERT INTO hook_event (source, delivery, position, subject, occurred_at, received_at, attributes)
       VALUES ('hr', 'w', 0, 's', $1, $1, '{}')""",
    "INSERT INTO notice (topic, body, raised_at, last_at) VALUES ('w', '', $1, $1)",
    "INSERT INTO bot_act (key, kind, user_id, created_at) VALUES ('w', 'join', 'u', $1)",
    """INSERT INTO intervention (room_id, subject, field, value, sender, event_id, noticed_at)
       VALUES ('r', 'u', 'member', 'join', 'u', 'w', $1)""",
    "INSERT INTO remark (user_id, room_id, body, raised_at) VALUES ('w', 'r', '', $1)",
    "INSERT INTO takeover (room_id, heir, giver, name, at) VALUES ('w', 'h', 'g', '', $1)",
)


async def counts(pool: Pool) -> dict[str, int]:
    """Return how many rows each table has."""
    return {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608 - ours


async def test_rows_that_only_steered_are_forgotten_in_time(pool: Pool) -> None:
    """Each after its time, and not before; once more changes nothing."""
    for statement, kept in zip(FILL, TABLES.values(), strict=True):
        await pool.execute(statement, "old", NOW - kept - timedelta(seconds=1))
        await pool.execute(statement, "young", NOW - kept + timedelta(seconds=1))
    for _ in range(2):
        await tidy(pool, NOW)
        assert await counts(pool) == dict.fromkeys(TABLES, 1)


async def test_copies_of_what_is_over_are_emptied(pool: Pool) -> None:
    """Where and when each was said stays; what is current, waits or was said lately keeps its words."""
    for state in ("open", "over"):
        await pool.execute(
            "INSERT INTO announcement (id, desk, author, author_name, audience, created_at, state)"
            " VALUES ($1, 'd', '@a', 'A', '{}', $2, $1)",
            state,
            NOW,
        )
    long_ago = NOW - LONG - timedelta(seconds=1)
    rows = [
        ("current", "open", "done", long_ago),
        ("past", "over", "done", long_ago),
        ("lately", "over", "done", NOW - LONG + timedelta(seconds=1)),
        ("waits", "over", "waiting", None),
        ("answer", None, "done", long_ago),
    ]
    await pool.executemany(
        "INSERT INTO outgoing (key, announcement, state, done_at, act, role, rank, due_at, room_id, content)"
        " VALUES ($1, $2, $3, $4, 'send', 'copy', 3, '2026-01-01Z', '!r', '{\"body\": \"Hello\"}')",
        rows,
    )
    await tidy(pool, NOW)
    said = await pool.fetch("SELECT key FROM outgoing WHERE content->>'body' = 'Hello'")
    assert {row["key"] for row in said} == {"current", "lately", "waits"}
    assert await pool.fetchval("SELECT count(*) FROM outgoing") == len(rows)


async def test_what_is_not_done_is_never_forgotten(pool: Pool) -> None:
    """However long it has waited."""
    for statement in WAITING:
        await pool.execute(statement, NOW - 10 * LONG)
    before = await counts(pool)
    await tidy(pool, NOW)
    assert await counts(pool) == before
    assert sum(before.values()) == len(WAITING)
