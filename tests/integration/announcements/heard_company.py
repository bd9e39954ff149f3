"""An announcement that stands in two rooms, for those who answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.announcements.form import Form
from bridge.announcements.heard import HeardConsumer
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from tests.integration.announcements.company import ANNA, BO, BOT, CY, NEWS, NIGHT, NOW, event

if TYPE_CHECKING:
    from bridge.database import Pool

ID = "7kq2-m9xd"
COPIES = {NEWS: EventId("$news"), NIGHT: EventId("$night")}
POLL = EventId("$poll")
TEXT = "The gate is closed."


async def open_announcement(
    pool: Pool,
    form: Form | None = None,
    *,
    announcement: str = ID,
    copies: Mapping[RoomId, EventId] = COPIES,
    people: Sequence[UserId] = (ANNA, BO, CY),
    at: datetime = NOW - timedelta(hours=1),
) -> None:
    """Put an open announcement into the database, with its copies done and everybody reached."""
    await pool.execute(
        "INSERT INTO announcement (id, desk, author, author_name, created_at, opened_at, audience, form)"
        " VALUES ($1, 'desk', $2, 'Anna Tamm', $3, $3, '{\"rooms\": []}', $4)",
        announcement,
        ANNA,
        at,
        (form or Form()).as_json(),
    )
    await put_text(pool, 1, announcement=announcement, at=at)
    for room_id, event_id in copies.items():
        await put_said(pool, room_id, event_id, "copy", announcement=announcement, at=at)
    await pool.executemany(
        "INSERT INTO recipient (announcement, user_id, targeted_at, delivered_at) VALUES ($1, $2, $3, $3)",
        [(announcement, user_id, at) for user_id in people],
    )


async def put_text(
    pool: Pool, version: int, *, minor: bool = False, announcement: str = ID, at: datetime = NOW
) -> None:
    """Put a version of the text."""
    await pool.execute(
        "INSERT INTO announcement_text VALUES ($1, $2, '', $3, $4, $5)",
        announcement,
        version,
        {"msgtype": "m.text", "body": TEXT},
        minor,
        at,
    )


async def put_said(
    pool: Pool,
    room_id: RoomId,
    event_id: EventId,
    role: str,
    *,
    version: int = 1,
    announcement: str = ID,
    at: datetime = NOW,
) -> None:
    """Put something that the bot has said."""
    await pool.execute(
        "INSERT INTO outgoing (key, act, rank, due_at, room_id, event_type, content, announcement, version, role,"
        " state, event_id, said_in, done_at)"
        " VALUES ($1, 'send', 3, $2, $3, 'm.room.message', '{}', $4, $5, $6, 'done', $7, $3, $2)",
        f"{announcement}/{role}/{room_id}/{version}/{event_id}",
        at,
        room_id,
        announcement,
        version,
        role,
        event_id,
    )


def vote(sender: UserId, option: int, *, target: str = POLL, room_id: RoomId = NEWS) -> Event:
    """A vote."""
    content: dict[str, Any] = {
        "m.relates_to": {"rel_type": "m.reference", "event_id": target},
        "org.matrix.msc3381.poll.response": {"answers": [str(option)]},
    }
    return event(room_id, sender, content, "org.matrix.msc3381.poll.response")


def consumer(pool: Pool) -> HeardConsumer:
    """The consumer, at noon."""
    return HeardConsumer(pool, bot=BOT, clock=lambda: NOW)
