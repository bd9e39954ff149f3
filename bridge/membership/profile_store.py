"""The statements about profiles: one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.database.listen import PROFILES
from bridge.ids import EventId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Position:
    """How far the comparison that is under way has come."""

    started_at: datetime
    user_id: UserId
    """The last account compared; empty at the beginning."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a membership shows of somebody's profile; empty texts for what it does not have."""

    user_id: UserId
    event_id: EventId
    name: str
    picture: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A profile to be read, because of an event."""

    user_id: UserId
    event_id: EventId
    noticed: int


async def put_field(db: Connection | Pool, user_id: UserId, name: str, text: str) -> None:
    """Remember a field that was set, or with an empty text deleted."""
    await db.execute(
        """UPDATE account SET profile = CASE WHEN $3 = '' THEN profile - $2::text
                                             ELSE profile || jsonb_build_object($2::text, $3::text) END
           WHERE user_id = $1""",
        user_id,
        name,
        text,
    )


async def take_in(db: Connection | Pool, user_id: UserId, fields: Collection[str], found: Mapping[str, str]) -> None:
    """Remember what the homeserver has of these fields, the display name among them."""
    await db.execute(
        """UPDATE account SET profile = (profile - $2::text[]) || ($3::jsonb - 'displayname'),
                              display_name = coalesce($3::jsonb->>'displayname', '')
           WHERE user_id = $1""",
        user_id,
        list(fields),
        dict(found),
    )


async def read_profiles(db: Connection | Pool, after: UserId, count: int) -> dict[UserId, dict[str, str]]:
    """Return what we know of the profiles of the next enabled accounts, in the order of their user IDs."""
    rows = await db.fetch(
        """SELECT user_id, profile || jsonb_build_object('displayname', display_name) AS profile
           FROM account WHERE enabled AND user_id COLLATE "C" > $1
           ORDER BY user_id COLLATE "C" LIMIT $2""",
        after,
        count,
    )
    return {UserId(row["user_id"]): row["profile"] for row in rows}


async def read_profile(db: Connection | Pool, user_id: UserId) -> dict[str, str] | None:
    """Return what we know of one account's profile; None when that is not an enabled account of ours."""
    profile: dict[str, str] | None = await db.fetchval(
        """SELECT profile || jsonb_build_object('displayname', display_name) FROM account
           WHERE enabled AND user_id = $1""",
        user_id,
    )
    return profile


# Profiles that an event shows otherwise


async def note_doubts(db: Connection | Pool, shown: Collection[Shown]) -> None:
    """Have the profiles read that events show otherwise than we know them, and wake whoever does."""
    await db.execute(
        f"""WITH noted AS (
                INSERT INTO profile_doubt (user_id, event_id)
                SELECT t.user_id, t.event_id
                FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t (user_id, event_id, name, picture)
                JOIN account a USING (user_id)
                WHERE a.enabled AND (a.display_name <> t.name OR coalesce(a.profile->>'avatar_url', '') <> t.picture)
                ON CONFLICT (user_id) DO UPDATE SET event_id = excluded.event_id, noticed = excluded.noticed
                RETURNING user_id)
            SELECT pg_notify('{PROFILES}', '') FROM noted LIMIT 1""",  # noqa: S608 - our own constant
        [one.user_id for one in shown],
        [one.event_id for one in shown],
        [one.name for one in shown],
        [one.picture for one in shown],
    )


async def read_doubts(db: Connection | Pool, count: int) -> list[Doubt]:
    """Return some profiles to read, the longest noted first."""
    rows = await db.fetch("SELECT user_id, event_id, noticed FROM profile_doubt ORDER BY noticed LIMIT $1", count)
    return [Doubt(UserId(row["user_id"]), EventId(row["event_id"]), row["noticed"]) for row in rows]


async def forget_doubt(db: Connection | Pool, doubt: Doubt) -> None:
    """Forget a doubt that is settled; one noted anew in the meantime stays."""
    await db.execute("DELETE FROM profile_doubt WHERE user_id = $1 AND noticed = $2", doubt.user_id, doubt.noticed)


# The slow comparison


async def read_position(db: Connection | Pool) -> Position | None:
    """Return how far the comparison has come; None before the first."""
    row = await db.fetchrow("SELECT started_at, position FROM profile_audit")
    return Position(row["started_at"], UserId(row["position"])) if row else None


async def put_position(db: Connection | Pool, at: Position) -> None:
    """Remember how far the comparison has come."""
    await db.execute(
        """INSERT INTO profile_audit (started_at, position) VALUES ($1, $2)
           ON CONFLICT (sole) DO UPDATE SET started_at = excluded.started_at, position = excluded.position""",
        at.started_at,
        at.user_id,
    )
