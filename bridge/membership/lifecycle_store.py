"""Who has left since when, the stages of leaving, successors, and rooms that were handed over, in the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from bridge.ids import PersonId, RoomId, UserId
from bridge.membership.lifecycle import Stage

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Takeover:
    """A room that somebody else administrates now, who does not know it yet."""

    room_id: RoomId
    heir: UserId
    giver: UserId
    name: str
    """Of the room; empty when it has none."""


@dataclass(frozen=True, slots=True)
class LeaverProgress:
    """A stage of one leaver, and whether it is done."""

    number: int
    steps: tuple[str, ...]
    due_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody who has left."""

    user_id: UserId
    person: PersonId
    name: str
    left_at: datetime | None
    stages: tuple[LeaverProgress, ...]

    @property
    def next_due(self) -> datetime | None:
        """When the first stage that is not done is due; None when all are."""
        return next((stage.due_at for stage in self.stages if stage.done_at is None), None)


# Leavers and their stages


async def read_leavers(db: Connection | Pool) -> list[Leaver]:
    """Return everybody with stages of leaving: who has the next one due first, then those without, by user ID."""
    rows = await db.fetch(
        """SELECT user_id, person_id, display_name, left_at, number, steps, due_at, done_at
           FROM leaver_stage JOIN account USING (user_id) ORDER BY user_id COLLATE "C", number"""
    )
    found = []
    for _, stages in groupby(rows, itemgetter("user_id")):
        listed = list(stages)
        progress = (
            LeaverProgress(row["number"], tuple(row["steps"].split()), row["due_at"], row["done_at"]) for row in listed
        )
        first = listed[0]
        found.append(
            Leaver(
                UserId(first["user_id"]),
                PersonId(first["person_id"]),
                first["display_name"],
                first["left_at"],
                tuple(progress),
            )
        )
    return sorted(found, key=lambda each: (each.next_due is None, each.next_due or _NEVER))


async def note_leavers(db: Connection | Pool, users: Collection[UserId], at: datetime) -> dict[UserId, datetime]:
    """Remember that these users, as far as their account is disabled, have left by now; return since when they have."""
    rows = await db.fetch(
        """WITH noted AS (
               UPDATE account SET left_at = $2 WHERE user_id = ANY($1) AND NOT enabled AND left_at IS NULL
               RETURNING user_id, left_at)
           SELECT user_id, left_at FROM noted
           UNION ALL
           SELECT user_id, left_at FROM account WHERE user_id = ANY($1) AND NOT enabled AND left_at IS NOT NULL""",
        list(users),
        at,
    )
    return {UserId(row["user_id"]): row["left_at"] for row in rows}


async def forget_leavers(db: Connection | Pool, users: Collection[UserId]) -> None:
    """Remember that these users are no leavers (any more), and have no stages before them."""
    await db.execute(
        """WITH back AS (UPDATE account SET left_at = NULL WHERE user_id = ANY($1) AND left_at IS NOT NULL)
           DELETE FROM leaver_stage WHERE user_id = ANY($1)""",
        list(users),
    )


async def put_stages(db: Connection | Pool, stages: Mapping[UserId, Sequence[Stage]], now: datetime) -> None:
    """Keep the stages of these leavers, each done as soon as it is due and what it asks is so."""
    rows = [(user, stage) for user, listed in stages.items() for stage in listed]
    await db.execute(
        """WITH wanted AS (
               SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::timestamptz[])
                   AS t (user_id, number, steps, due_at)
           ), judged AS (
               SELECT wanted.*, due_at <= $5
                   AND (steps !~ 'leave_rooms' OR NOT EXISTS (
                       SELECT FROM room_member m WHERE m.user_id = wanted.user_id
                           AND m.membership IN ('join', 'invite')))
                   AND (steps !~ 'deactivate' OR deactivated_at IS NOT NULL) AS done
               FROM wanted JOIN account USING (user_id)
           ), gone AS (
               DELETE FROM leaver_stage s WHERE s.user_id = ANY($1)
                   AND NOT EXISTS (SELECT FROM wanted w WHERE w.user_id = s.user_id AND w.number = s.number)
           )
           INSERT INTO leaver_stage AS s (user_id, number, steps, due_at, done_at)
           SELECT user_id, number, steps, due_at, CASE WHEN done THEN $5 END FROM judged
           ON CONFLICT (user_id, number) DO UPDATE SET steps = excluded.steps, due_at = excluded.due_at,
               done_at = CASE WHEN excluded.done_at IS NOT NULL THEN coalesce(s.done_at, excluded.done_at) END
           WHERE (s.steps, s.due_at, s.done_at IS NULL)
               IS DISTINCT FROM (excluded.steps, excluded.due_at, excluded.done_at IS NULL)""",
        [user for user, _ in rows],
        [stage.number for _, stage in rows],
        [" ".join(stage.steps) for _, stage in rows],
        [stage.due_at for _, stage in rows],
        now,
    )


async def due_between(db: Connection | Pool, since: datetime, until: datetime) -> frozenset[PersonId]:
    """Return for whom a stage became due after `since` and not after `until`, and is not done."""
    rows = await db.fetch(
        """SELECT DISTINCT person_id FROM leaver_stage JOIN account USING (user_id)
           WHERE done_at IS NULL AND due_at > $1 AND due_at <= $2""",
        since,
        until,
    )
    return frozenset(PersonId(row["person_id"]) for row in rows)


async def next_due(db: Connection | Pool, since: datetime) -> datetime | None:
    """Return the first moment after `since` at which a stage is due."""
    found: datetime | None = await db.fetchval(
        "SELECT min(due_at) FROM leaver_stage WHERE done_at IS NULL AND due_at > $1", since
    )
    return found


async def deactivate_account(db: Connection | Pool, user_id: UserId, at: datetime) -> None:
    """Remember that an account is deactivated."""
    await db.execute("UPDATE account SET deactivated_at = $2 WHERE user_id = $1", user_id, at)


# Who takes over


async def enabled_users(db: Connection | Pool, people: Collection[PersonId]) -> dict[PersonId, UserId]:
    """Return the accounts of those of the people who have one that is enabled."""
    rows = await db.fetch("SELECT person_id, user_id FROM account WHERE person_id = ANY($1) AND enabled", list(people))
    return {PersonId(row["person_id"]): UserId(row["user_id"]) for row in rows}


async def standing_of(db: Connection | Pool, users: Collection[UserId]) -> dict[UserId, bool]:
    """Return of those of the users who have an account of ours whether it is enabled."""
    rows = await db.fetch("SELECT user_id, enabled FROM account WHERE user_id = ANY($1)", list(users))
    return {UserId(row["user_id"]): row["enabled"] for row in rows}


async def successors_of(db: Connection | Pool, people: Collection[PersonId]) -> dict[PersonId, PersonId]:
    """Return who was named to take over the rooms of these people."""
    rows = await db.fetch("SELECT person_id, successor_id FROM successor WHERE person_id = ANY($1)", list(people))
    return {PersonId(row["person_id"]): PersonId(row["successor_id"]) for row in rows}


async def name_successor(db: Connection | Pool, person: PersonId, successor: PersonId, at: datetime) -> None:
    """Remember who takes over somebody's rooms, in the place of whoever was named before."""
    await db.execute(
        """INSERT INTO successor (person_id, successor_id, named_at) VALUES ($1, $2, $3)
           ON CONFLICT (person_id) DO UPDATE SET successor_id = excluded.successor_id, named_at = excluded.named_at""",
        person,
        successor,
        at,
    )


async def forget_successor(db: Connection | Pool, person: PersonId) -> bool:
    """Forget who was to take over; return whether there was anybody."""
    status: str = await db.execute("DELETE FROM successor WHERE person_id = $1", person)
    return status != "DELETE 0"


async def read_former_places(
    db: Connection | Pool, returning: Collection[UserId], only: Collection[UserId] | None
) -> dict[RoomId, frozenset[UserId]]:
    """Return the rooms that Muster does not manage and that users left with their account, who are back or `returning`.

    With `only`, of these users.
    """
    rows = await db.fetch(
        """SELECT room_id, array_agg(user_id) AS users FROM former_guest f JOIN account USING (user_id)
           WHERE (enabled OR user_id = ANY($1)) AND ($2::text[] IS NULL OR user_id = ANY($2))
               AND NOT EXISTS (SELECT FROM managed_room m WHERE m.room_id = f.room_id)
           GROUP BY room_id""",
        list(returning),
        None if only is None else list(only),
    )
    return {RoomId(row["room_id"]): frozenset(map(UserId, row["users"])) for row in rows}


async def read_owed_inside(db: Connection | Pool, users: Collection[UserId]) -> list[UserId]:
    """Return who of these users has an account that is enabled, and is owed a room that they are in by the events."""
    rows = await db.fetch(
        """SELECT DISTINCT user_id FROM former_guest
           JOIN account USING (user_id) JOIN room_member USING (room_id, user_id)
           WHERE user_id = ANY($1) AND enabled AND membership = 'join'""",
        list(users),
    )
    return [UserId(row["user_id"]) for row in rows]


async def forget_owed(db: Connection | Pool, user_id: UserId, rooms: Collection[RoomId]) -> None:
    """Forget that somebody is owed these rooms."""
    await db.execute("DELETE FROM former_guest WHERE user_id = $1 AND room_id = ANY($2)", user_id, list(rooms))


async def put_takeover(db: Connection | Pool, takeover: Takeover, at: datetime) -> None:
    """Say that a room is about to be handed over."""
    await db.execute(
        """INSERT INTO takeover (room_id, heir, giver, name, at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (room_id, heir) DO UPDATE
               SET giver = excluded.giver, name = excluded.name, at = excluded.at, told_at = NULL""",
        takeover.room_id,
        takeover.heir,
        takeover.giver,
        takeover.name,
        at,
    )


async def drop_takeover(db: Connection | Pool, room_id: RoomId, heir: UserId) -> None:
    """Say that the room was not handed over after all."""
    await db.execute("DELETE FROM takeover WHERE room_id = $1 AND heir = $2", room_id, heir)


async def read_takeovers(db: Connection | Pool) -> list[tuple[Takeover, datetime]]:
    """Return the rooms of which nobody has told the heir, with when they were handed over, oldest first."""
    rows = await db.fetch("SELECT * FROM takeover WHERE told_at IS NULL ORDER BY at, room_id")
    return [(Takeover(row["room_id"], row["heir"], row["giver"], row["name"]), row["at"]) for row in rows]


async def mark_heir_told(db: Connection | Pool, takeover: Takeover, at: datetime) -> None:
    """Remember that the heir knows."""
    await db.execute(
        "UPDATE takeover SET told_at = $3 WHERE room_id = $1 AND heir = $2", takeover.room_id, takeover.heir, at
    )


async def forget_takeovers(db: Connection | Pool, before: datetime) -> None:
    """Forget of which rooms the heirs were told before a moment; the entries of the audit log stay."""
    await db.execute("DELETE FROM takeover WHERE told_at < $1", before)
