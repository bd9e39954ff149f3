"""The table of what goes out by second channels: one function per statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.database.listen import CHANNELS
from bridge.ids import PersonId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


@dataclass(frozen=True, slots=True)
class Outward:
    """A message to somebody by a second channel, as it is written."""

    key: str
    """Says what it is; putting it again changes nothing."""
    channel: str
    user_id: UserId
    subject: str
    body: str
    about: str
    """What it belongs to."""
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message whose turn it is."""

    id: int
    key: str
    user_id: UserId
    subject: str
    body: str
    attempts: int
    """This one included."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far one channel has come with what belongs together."""

    sent: int = 0
    waiting: int = 0
    failed: int = 0
    error: str = ""
    """Of one that waits; empty when none has been refused."""


async def put(db: Database, messages: Sequence[Outward]) -> None:
    """Keep messages to be sent, and wake who sends; those whose key is known change nothing."""
    await db.execute(
        """WITH put AS (
               INSERT INTO channel_message (key, channel, user_id, subject, body, about, due_at)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                                    $7::timestamptz[])
               ON CONFLICT (key) DO NOTHING RETURNING 1)
           SELECT pg_notify($8, '') FROM (SELECT count(*) AS rows FROM put) AS counted WHERE rows > 0""",
        [message.key for message in messages],
        [message.channel for message in messages],
        [message.user_id for message in messages],
        [message.subject for message in messages],
        [message.body for message in messages],
        [message.about for message in messages],
        [message.due_at for message in messages],
        CHANNELS,
    )


async def claim(db: Database, channel: str, now: datetime, until: datetime, limit: int) -> list[Claimed]:
    """Count one more attempt for the messages that are due, and return them; nobody else claims them `until` then."""
    rows = await db.fetch(
        """UPDATE channel_message SET attempts = attempts + 1, due_at = $3 WHERE id IN (
               SELECT id FROM channel_message WHERE channel = $1 AND state = 'waiting' AND due_at <= $2
               ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)
           RETURNING id, key, user_id, subject, body, attempts""",
        channel,
        now,
        until,
        limit,
    )
    return sorted((Claimed(**row) for row in rows), key=lambda claimed: claimed.id)


async def mark_sent(db: Database, message: int, at: datetime) -> None:
    """Record that the channel took the message."""
    await db.execute("UPDATE channel_message SET state = 'sent', sent_at = $2, error = NULL WHERE id = $1", message, at)


async def mark_refused(db: Database, message: int, error: str, again_at: datetime | None) -> None:
    """Record why the channel did not take the message, and when to try again; None: never."""
    await db.execute(
        """UPDATE channel_message SET error = $2, due_at = coalesce($3, due_at),
                  state = CASE WHEN $3::timestamptz IS NULL THEN 'failed' ELSE state END
           WHERE id = $1 AND state = 'waiting'""",
        message,
        error,
        again_at,
    )


async def cancel(db: Database, about: str) -> None:
    """Drop what waits and belongs to this; what is on its way goes out."""
    await db.execute("DELETE FROM channel_message WHERE about = $1 AND state = 'waiting' AND attempts = 0", about)


async def next_due(db: Database, channel: str) -> datetime | None:
    """Return when the next message of a channel is due."""
    found: datetime | None = await db.fetchval(
        "SELECT min(due_at) FROM channel_message WHERE channel = $1 AND state = 'waiting'", channel
    )
    return found


async def count(db: Database, about: str) -> dict[str, Tally]:
    """Return how far each channel has come with what belongs to this."""
    rows = await db.fetch(
        """SELECT channel, count(*) FILTER (WHERE state = 'sent') AS sent,
                  count(*) FILTER (WHERE state = 'waiting') AS waiting,
                  count(*) FILTER (WHERE state = 'failed') AS failed,
                  coalesce(max(error) FILTER (WHERE state = 'waiting'), '') AS error
           FROM channel_message WHERE about = $1 GROUP BY channel ORDER BY channel""",
        about,
    )
    return {row["channel"]: Tally(row["sent"], row["waiting"], row["failed"], row["error"]) for row in rows}


async def load_moments(db: Database, about: str) -> list[tuple[str, UserId, datetime | None]]:
    """Return what belongs to this: the channel, to whom, and when it went out; None: it has not."""
    rows = await db.fetch(
        "SELECT channel, user_id, sent_at FROM channel_message WHERE about = $1 ORDER BY channel, id", about
    )
    return [(row["channel"], UserId(row["user_id"]), row["sent_at"]) for row in rows]


async def persons_of(db: Database, users: Collection[UserId]) -> Mapping[UserId, PersonId]:
    """Return whose accounts these are."""
    rows = await db.fetch("SELECT user_id, person_id FROM account WHERE user_id = ANY($1)", list(users))
    return {UserId(row["user_id"]): PersonId(row["person_id"]) for row in rows}
