"""The statements on the inbox of webhooks: one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from bridge.database.listen import HOOKS
from bridge.directory.hook_mapping import HookEvent

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

KEEP: Final = timedelta(days=7)
"""How long the ids of deliveries are remembered; senders try again for three days at most."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event of the inbox that nobody has acted on."""

    seq: int
    source: str
    event: HookEvent


async def store_events(db: Pool, source: str, delivery: str, events: Sequence[HookEvent]) -> bool:
    """Keep what a delivery says and wake who acts on it; return whether it had not come before. One statement."""
    stored: int = await db.fetchval(
        """WITH stored AS (
               INSERT INTO hook_event (source, delivery, position, subject, occurred_at, attributes)
               SELECT $1, $2, u.position, u.subject, u.occurred_at, u.attributes
               FROM unnest($3::text[], $4::timestamptz[], $5::jsonb[]) WITH ORDINALITY
                   AS u(subject, occurred_at, attributes, position)
               ON CONFLICT DO NOTHING RETURNING seq)
           SELECT count(*) FROM stored, LATERAL (SELECT pg_notify($6, '')) AS woken""",
        source,
        delivery,
        [event.subject for event in events],
        [event.occurred_at for event in events],
        [dict(event.attributes) for event in events],
        HOOKS,
    )
    return stored > 0


async def next_waiting(connection: Connection) -> Waiting | None:
    """Return the event that has waited longest, locked until the database transaction ends."""
    row = await connection.fetchrow(
        """SELECT seq, source, subject, occurred_at, attributes FROM hook_event
           WHERE handled_at IS NULL ORDER BY seq LIMIT 1 FOR UPDATE"""
    )
    if row is None:
        return None
    return Waiting(row["seq"], row["source"], HookEvent(row["subject"], row["occurred_at"], row["attributes"]))


async def finish(connection: Connection, seq: int, outcome: str, reason: str | None) -> None:
    """Note what became of an event; what is in the directory now, or never will be, is not kept a second time."""
    await connection.execute(
        """UPDATE hook_event SET handled_at = now(), outcome = $2, reason = $3,
               attributes = CASE WHEN $2 = 'unknown' THEN attributes ELSE '{}' END
           WHERE seq = $1""",
        seq,
        outcome,
        reason,
    )


async def reopen_unknown(connection: Connection, source: str, subject: str) -> None:
    """Let those events wait again that came before anybody could be made of them."""
    await connection.execute(
        """UPDATE hook_event SET handled_at = NULL, outcome = NULL, reason = NULL
           WHERE source = $1 AND subject = $2 AND outcome = 'unknown'""",
        source,
        subject,
    )


async def people_of(connection: Connection, source: str, ids: Collection[str]) -> set[str]:
    """Return those of these people whom the source has written before."""
    rows = await connection.fetch(
        "SELECT person_id FROM hook_person WHERE source = $1 AND person_id = ANY($2)", source, list(ids)
    )
    return {row["person_id"] for row in rows}


async def told_at(connection: Connection, source: str, subject: str) -> dict[str, datetime]:
    """Return the moment of the newest word of the source about each attribute of the person."""
    told = await connection.fetchval(
        "SELECT told_at FROM hook_person WHERE source = $1 AND subject = $2", source, subject
    )
    return {name: datetime.fromisoformat(moment) for name, moment in (told or {}).items()}


async def remember_person(
    connection: Connection,
    source: str,
    subject: str,
    person_id: str,
    told: Mapping[str, datetime],
) -> None:
    """Note that the source has written this person, and when each of these attributes was so."""
    await connection.execute(
        """INSERT INTO hook_person (source, subject, person_id, told_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (source, subject) DO UPDATE SET person_id = $3, told_at = hook_person.told_at || $4""",
        source,
        subject,
        person_id,
        {name: moment.isoformat() for name, moment in told.items()},
    )


async def forget_old(connection: Connection) -> None:
    """Forget deliveries that nobody will send again."""
    await connection.execute(
        "DELETE FROM hook_event WHERE handled_at IS NOT NULL AND received_at < now() - $1::interval", KEEP
    )
