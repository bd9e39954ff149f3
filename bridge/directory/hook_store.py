"""The statements on the inbox of webhooks: one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.database.listen import HOOKS
from bridge.directory.hook_mapping import HookEvent, Unusable
from bridge.directory.hook_outcome import REVIVABLE, Outcome

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event of the inbox that nobody has acted on."""

    seq: int
    source: str
    event: HookEvent


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as people are shown it: never with its values."""

    seq: int
    source: str
    subject: str
    """Empty when it names nobody."""
    occurred_at: datetime
    received_at: datetime
    outcome: Outcome | None
    """None while it waits."""
    reason: str | None


async def store_events(db: Pool, source: str, delivery: str, events: Sequence[HookEvent | Unusable]) -> bool:
    """Keep what a delivery says and wake who acts on it; return whether it had not come before. One statement."""
    unusable = [event if isinstance(event, Unusable) else None for event in events]
    stored: int = await db.fetchval(
        """WITH stored AS (
               INSERT INTO hook_event (source, delivery, position, subject, occurred_at, attributes, outcome, reason,
                                       handled_at)
               SELECT $1, $2, u.position, u.subject, u.occurred_at, u.attributes, u.outcome, u.reason,
                      CASE WHEN u.outcome IS NOT NULL THEN now() END
               FROM unnest($3::text[], $4::timestamptz[], $5::jsonb[], $6::text[], $7::text[]) WITH ORDINALITY
                   AS u(subject, occurred_at, attributes, outcome, reason, position)
               ON CONFLICT DO NOTHING RETURNING seq)
           SELECT count(*) FROM stored, LATERAL (SELECT pg_notify($8, '')) AS woken""",
        source,
        delivery,
        [event.subject for event in events],
        [event.occurred_at for event in events],
        [{} if isinstance(event, Unusable) else dict(event.attributes) for event in events],
        [each and each.outcome for each in unusable],
        [each and each.reason for each in unusable],
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


async def finish(connection: Connection, seq: int, outcome: Outcome, reason: str | None) -> None:
    """Note what became of an event; what is in the directory now is not kept a second time."""
    await connection.execute(
        """UPDATE hook_event SET handled_at = now(), outcome = $2, reason = $3,
               attributes = CASE WHEN $4 THEN attributes ELSE '{}' END
           WHERE seq = $1""",
        seq,
        outcome,
        reason,
        outcome in REVIVABLE,
    )


async def read_events(
    db: Connection | Pool, *, outcome: Outcome | None = None, source: str | None = None, limit: int = 100
) -> list[Seen]:
    """Return the newest events first: those with an outcome, of a source, or all."""
    rows = await db.fetch(
        """SELECT seq, source, subject, occurred_at, received_at, outcome, reason FROM hook_event
           WHERE ($1::text IS NULL OR outcome = $1) AND ($2::text IS NULL OR source = $2) ORDER BY seq DESC LIMIT $3""",
        outcome,
        source,
        limit,
    )
    return [_seen(row) for row in rows]


async def find_event(db: Connection | Pool, seq: int) -> Seen | None:
    """Return the event of this number, if it is still known."""
    row = await db.fetchrow(
        "SELECT seq, source, subject, occurred_at, received_at, outcome, reason FROM hook_event WHERE seq = $1", seq
    )
    return None if row is None else _seen(row)


async def retry_events(db: Connection | Pool, *, seq: int | None = None, source: str | None = None) -> int:
    """Let an event, or all of a source, wait again if its values are kept; wake who acts on it; return how many."""
    retried: int = await db.fetchval(
        """WITH retried AS (
               UPDATE hook_event SET handled_at = NULL, outcome = NULL, reason = NULL
               WHERE (seq = $1 OR source = $2) AND outcome = ANY($3) AND attributes <> '{}' RETURNING seq)
           SELECT count(*) FROM retried, LATERAL (SELECT pg_notify($4, '')) AS woken""",
        seq,
        source,
        sorted(REVIVABLE),
        HOOKS,
    )
    return retried


async def reopen_held(connection: Connection, external_ids: Collection[str]) -> None:
    """Let those events wait again that were held because of these ids, and wake who acts on them."""
    await connection.execute(
        """WITH reopened AS (
               UPDATE hook_event SET handled_at = NULL, outcome = NULL, reason = NULL
               WHERE subject = ANY($1) AND outcome = 'held' RETURNING seq)
           SELECT pg_notify($2, '') FROM reopened LIMIT 1""",
        list(external_ids),
        HOOKS,
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
           ON CONFLICT (source, subject) DO UPDATE SET person_id = $3,
               told_at = CASE WHEN hook_person.person_id = $3 THEN hook_person.told_at || $4 ELSE $4 END""",
        source,
        subject,
        person_id,
        {name: moment.isoformat() for name, moment in told.items()},
    )


async def forget_handled(db: Connection | Pool, before: datetime) -> None:
    """Forget what was handled of what came before a moment; senders try again for three days at most."""
    await db.execute("DELETE FROM hook_event WHERE handled_at IS NOT NULL AND received_at < $1", before)


def _seen(row: asyncpg.Record) -> Seen:
    return Seen(**{**row, "outcome": Outcome(row["outcome"]) if row["outcome"] else None})
