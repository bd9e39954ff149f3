"""What was done and why, what is held for approval, and who approved it, in the database.

An entry is written before its act (`begun`), together with the grant that a join is, and with the room that is owed to
whoever leaves it with the account; it is settled after the act. So a crash leaves neither an act without an entry nor a
membership that nobody remembers granting, and the event of an act may come before the act is settled. What an
interrupted run left open is marked by the next one. Runs themselves are kept by `run_store`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.database.listen import MEMBERSHIP
from bridge.ids import EventId, PersonId, RoomId, UserId
from bridge.membership.audit import Act, Entry, Held, Loss, Run
from bridge.membership.values import ACTIONS, TAKES_AWAY, Action, Change, Plan

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


ENTRIES = """entry.*, run.cause, run.plan_digest, run.approved_by,
    coalesce((SELECT display_name FROM scim_resource WHERE id = run.by_person), run.by_person, run.set_off_by)
        AS set_off_by,
    coalesce((SELECT display_name FROM scim_resource WHERE id = run.approved_by), run.approved_by) AS approver
    FROM entry JOIN run ON run.id = run_id"""
"""What `entry_of` takes, with names as they are today."""


async def begin_entry(
    db: Connection | Pool,
    run: Run,
    change: Change,
    room_id: RoomId | None,
    at: datetime,
    *,
    grant: bool = False,
    owe: bool = False,
) -> int:
    """Write the entry of a change that is about to be tried; return its number.

    With `grant`, for a join, the room is granted by it. With `owe`, for a removal, whoever had joined the room by hand
    is owed it until the return.
    """
    entry: int = await db.fetchval(
        """WITH granting AS (
               INSERT INTO granted (room_id, user_id, granted_at, rule) SELECT $5, $6, $2, $9 WHERE $13
               ON CONFLICT (room_id, user_id) DO UPDATE SET rule = excluded.rule),
           owing AS (
               INSERT INTO former_guest (room_id, user_id, left_at)
               SELECT $5, $6, $2 WHERE $15
                   AND NOT EXISTS (SELECT FROM room_member m
                       WHERE m.room_id = $5 AND m.user_id = $6 AND m.membership <> 'join')
                   AND NOT EXISTS (SELECT FROM granted g WHERE g.room_id = $5 AND g.user_id = $6)
               ON CONFLICT DO NOTHING)
           INSERT INTO entry (run_id, at, action, room_key, room_id, user_id, person_id, value, rule, reason,
               directory_version, policy_digest, outcome, approval)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'begun', $14) RETURNING id""",
        run.id,
        at,
        change.action,
        change.room,
        room_id,
        change.user_id,
        change.person,
        change.value,
        change.rule,
        change.reason,
        run.directory_version,
        run.policy_digest,
        grant,
        run.pardons.get(PersonId(change.person), run.approval),
        owe,
    )
    return entry


async def settle_entries(
    db: Connection | Pool,
    entries: Sequence[int],
    outcome: str,
    at: datetime,
    *,
    error: str | None = None,
    room_id: RoomId | None = None,
    sessions_ended: int | None = None,
) -> None:
    """Say how these changes ended; `room_id` is that of a room that did not exist when they were begun."""
    await db.execute(
        """UPDATE entry SET outcome = $2, settled_at = $3, error = $4, room_id = coalesce(room_id, $5),
               sessions_ended = $6 WHERE id = ANY($1)""",
        list(entries),
        outcome,
        at,
        error,
        room_id,
        sessions_ended,
    )


async def settle_membership(
    db: Connection | Pool, entry: int, room_id: RoomId, user_id: UserId, membership: str, at: datetime
) -> None:
    """Say that somebody is in a room now (`join`) and owed it no longer, or out of it (`leave`) and no longer granted
    it, all or nothing.

    The moment of the newest event stays, so that the event of this very change is still taken.
    """
    await db.execute(
        """WITH settled AS (UPDATE entry SET outcome = 'done', settled_at = $5 WHERE id = $1),
               revoked AS (DELETE FROM granted WHERE room_id = $2 AND user_id = $3 AND $4 = 'leave'),
               returned AS (DELETE FROM former_guest WHERE room_id = $2 AND user_id = $3 AND $4 = 'join')
           INSERT INTO room_member (room_id, user_id, membership, changed_at) VALUES ($2, $3, $4, to_timestamp(0))
           ON CONFLICT (room_id, user_id) DO UPDATE SET membership = excluded.membership, event_id = NULL
           WHERE room_member.membership <> excluded.membership""",
        entry,
        room_id,
        user_id,
        membership,
        at,
    )


async def record_entries(
    db: Connection | Pool, run: Run, changes: Sequence[Change], outcome: str, at: datetime, *, error: str | None = None
) -> None:
    """Write entries of changes that are not tried: held ones, and those passed over."""
    columns: list[list[Any]] = [
        [change.action for change in changes],
        *([getattr(change, name) for change in changes] for name in _TEXTS),
    ]
    await db.execute(
        """INSERT INTO entry (run_id, at, action, room_key, user_id, person_id, value, rule, reason,
               directory_version, policy_digest, outcome, error, settled_at)
           SELECT $1, $2, t.*, $3, $4, $5, $6, $2
           FROM unnest($7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[]) AS t""",
        run.id,
        at,
        run.directory_version,
        run.policy_digest,
        outcome,
        error,
        *columns,
    )


async def read_entries(
    db: Connection | Pool,
    *,
    person: PersonId | None = None,
    user_id: UserId | None = None,
    room: str | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Return the newest entries first: of a person or user ID (either will do), of a room by its key or ID, or all."""
    rows = await db.fetch(
        f"""SELECT {ENTRIES}
           WHERE (($1::text IS NULL AND $2::text IS NULL) OR person_id = $1 OR user_id = $2)
               AND ($3::text IS NULL OR room_key = $3 OR room_id = $3)
           ORDER BY entry.id DESC LIMIT $4""",
        person,
        user_id,
        room,
        limit,
    )
    return [entry_of(row) for row in rows]


async def read_run(db: Connection | Pool, run: int) -> list[Entry]:
    """Return everything that a run did, in its order."""
    rows = await db.fetch(
        f"""SELECT {ENTRIES}
           WHERE run_id = $1 ORDER BY entry.id""",
        run,
    )
    return [entry_of(row) for row in rows]


async def read_policy_before(db: Connection | Pool, run: int) -> str | None:
    """Return the digest of the policy that the last run before this one carried out."""
    digest: str | None = await db.fetchval(
        "SELECT policy_digest FROM entry WHERE run_id < $1 ORDER BY id DESC LIMIT 1", run
    )
    return digest


async def read_last_arrivals(
    db: Connection | Pool, person: PersonId, until: datetime | None = None
) -> dict[str, Entry]:
    """Return the newest entry that was to put this person into, or out of, each room, by room key or ID.

    With `until`, the newest of those that were written by then.
    """
    rows = await db.fetch(
        f"""SELECT DISTINCT ON (room_key) {ENTRIES}
           WHERE person_id = $1 AND room_key <> '' AND action IN ('join', 'remove')
               AND ($2::timestamptz IS NULL OR at <= $2) ORDER BY room_key, entry.id DESC""",
        person,
        until,
    )
    return {row["room_key"]: entry_of(row) for row in rows}


async def read_losses(db: Connection | Pool, since: datetime) -> list[Loss]:
    """Return what has been taken away since then without anybody's approval, or may have been."""
    rows = await db.fetch(
        """SELECT DISTINCT user_id, person_id, room_key FROM entry
           WHERE at > $1 AND action = ANY($2) AND outcome IN ('begun', 'done', 'interrupted') AND approval IS NULL""",
        since,
        sorted(TAKES_AWAY),
    )
    return [Loss(UserId(row["user_id"]), PersonId(row["person_id"]), row["room_key"]) for row in rows]


# What waits for a second person


async def hold(
    db: Connection | Pool,
    plan: Plan,
    reasons: Sequence[str],
    at: datetime,
    *,
    caused_by: PersonId | None = None,
    protected: Collection[PersonId] = (),
) -> bool:
    """Keep a plan for approval; return False when that very plan is held already."""
    status: str = await db.execute(
        """INSERT INTO held (digest, changes, reasons, held_at, caused_by, protected) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT DO NOTHING""",
        plan.digest,
        [_written(change) for change in plan.changes],
        list(reasons),
        at,
        caused_by,
        sorted(protected),
    )
    return status.endswith(" 1")


async def read_held(db: Connection | Pool, approved_after: datetime | None = None) -> list[Held]:
    """Return what is held, oldest first; an approval counts that was given after the moment, or any."""
    rows = await db.fetch(
        """SELECT digest, changes, reasons, held_at, told_at IS NOT NULL AS told, approved_by, rejected_by, caused_by,
               protected
           FROM held
           LEFT JOIN (SELECT digest, approved_by FROM approval WHERE $1::timestamptz IS NULL OR at > $1) AS approval
               USING (digest)
           LEFT JOIN rejection USING (digest) ORDER BY held_at, digest""",
        approved_after,
    )
    return [
        Held(
            digest=row["digest"],
            changes=tuple(_change(change) for change in row["changes"]),
            reasons=tuple(row["reasons"]),
            held_at=row["held_at"],
            told=row["told"],
            approved_by=row["approved_by"],
            rejected_by=row["rejected_by"],
            caused_by=row["caused_by"],
            protected=tuple(map(PersonId, row["protected"])),
        )
        for row in rows
    ]


async def release(db: Connection | Pool, digests: Sequence[str]) -> None:
    """Forget held plans that were carried out or that no longer are the plan; a yes or no to them lapses.

    Whoever waited for such a removal is to be looked at again.
    """
    await db.execute(
        f"""WITH approved AS (DELETE FROM approval WHERE digest = ANY($1)),
               rejected AS (DELETE FROM rejection WHERE digest = ANY($1)),
               asked AS (DELETE FROM held_notice WHERE digest = ANY($1)),
               released AS (DELETE FROM held WHERE digest = ANY($1)),
               waited AS (DELETE FROM awaiting_removal RETURNING user_id),
               noted AS (
                   INSERT INTO drift (user_id, noticed) SELECT user_id, nextval('drift_noticed') FROM waited
                   ON CONFLICT (user_id) DO UPDATE SET noticed = excluded.noticed RETURNING user_id)
           SELECT pg_notify('{MEMBERSHIP}', '') FROM noted LIMIT 1""",  # noqa: S608 - our own constant
        list(digests),
    )


async def put_awaiting(db: Connection | Pool, users: Collection[str]) -> None:
    """Remember who waits for a removal that is held."""
    await db.execute(
        "INSERT INTO awaiting_removal SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING", list(users)
    )


async def mark_told(db: Connection | Pool, digest: str, at: datetime) -> None:
    """Remember that the administrators know of a held plan."""
    await db.execute("UPDATE held SET told_at = $2 WHERE digest = $1", digest, at)


async def approve(db: Connection | Pool, digest: str, approved_by: PersonId, at: datetime) -> None:
    """Record a second person's yes instead of any earlier yes or no, and wake whoever carries it out."""
    await db.execute(
        f"""WITH approved AS (
                INSERT INTO approval (digest, approved_by, at) VALUES ($1, $2, $3)
                ON CONFLICT (digest) DO UPDATE SET approved_by = excluded.approved_by, at = excluded.at),
                rejected AS (DELETE FROM rejection WHERE digest = $1)
            SELECT pg_notify('{MEMBERSHIP}', '')""",  # noqa: S608 - our own constant
        digest,
        approved_by,
        at,
    )


async def reject(db: Connection | Pool, digest: str, rejected_by: PersonId, at: datetime) -> None:
    """Record a second person's no, instead of any earlier yes."""
    await db.execute(
        """WITH approved AS (DELETE FROM approval WHERE digest = $1)
           INSERT INTO rejection (digest, rejected_by, at) VALUES ($1, $2, $3)
           ON CONFLICT (digest) DO UPDATE SET rejected_by = excluded.rejected_by, at = excluded.at""",
        digest,
        rejected_by,
        at,
    )


async def read_rejected(db: Connection | Pool) -> frozenset[str]:
    """Return the digests to which somebody has said no."""
    return frozenset(row["digest"] for row in await db.fetch("SELECT digest FROM rejection"))


async def put_held_notice(db: Connection | Pool, event_id: EventId, digest: str) -> None:
    """Remember which message asks about a digest."""
    await db.execute(
        "INSERT INTO held_notice (event_id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING", event_id, digest
    )


async def find_held_notice(db: Connection | Pool, event_id: EventId) -> str | None:
    """Return the digest that a message asks about, if it does."""
    digest: str | None = await db.fetchval("SELECT digest FROM held_notice WHERE event_id = $1", event_id)
    return digest


async def put_answer(db: Connection | Pool, event_id: EventId, at: datetime) -> None:
    """Remember that an answer was taken."""
    await db.execute("INSERT INTO held_answer (event_id, at) VALUES ($1, $2) ON CONFLICT DO NOTHING", event_id, at)


async def is_answer_taken(db: Connection | Pool, event_id: EventId) -> bool:
    """Tell whether this very event was taken as an answer before."""
    taken: bool = await db.fetchval("SELECT EXISTS (SELECT FROM held_answer WHERE event_id = $1)", event_id)
    return taken


async def forget_answers(db: Connection | Pool, before: datetime) -> None:
    """Forget which events were taken as answers before a moment; what they came to stays."""
    await db.execute("DELETE FROM held_answer WHERE at < $1", before)


async def expire_approvals(db: Connection | Pool, given_by: datetime) -> list[str]:
    """Forget approvals that were given by then, and return of which held plans."""
    rows = await db.fetch(
        "DELETE FROM approval a USING held WHERE held.digest = a.digest AND a.at <= $1 RETURNING a.digest", given_by
    )
    return sorted(row["digest"] for row in rows)


def _written(change: Change) -> dict[str, str]:
    """Return a change by the name of its action: its place among the actions is not the same for ever."""
    return {"action": change.action.value, **{name: getattr(change, name) for name in _TEXTS}}


def _change(written: Mapping[str, str]) -> Change:
    return Change(ACTIONS.index(Action(written["action"])), **{name: written[name] for name in _TEXTS})


_ENTRY = tuple(field.name for field in fields(Entry))
_ACTS = frozenset(Act)
_TEXTS = ("room", "user_id", "person", "value", "rule", "reason")


def entry_of(row: Mapping[str, Any] | asyncpg.Record) -> Entry:
    """Return an entry of its row with the columns of `ENTRIES`."""
    values = {name: row[name] for name in _ENTRY}
    action = Act(row["action"]) if row["action"] in _ACTS else Action(row["action"])
    return Entry(**values | {"action": action})
