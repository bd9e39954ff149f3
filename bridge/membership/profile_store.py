"""The statements about profiles: one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Position:
    """How far the comparison that is under way has come."""

    started_at: datetime
    user_id: UserId
    """The last account compared; empty at the beginning."""


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
    """Remember what the homeserver has of these fields."""
    await db.execute(
        "UPDATE account SET profile = (profile - $2::text[]) || $3::jsonb WHERE user_id = $1",
        user_id,
        list(fields),
        dict(found),
    )


async def read_profiles(db: Connection | Pool, after: UserId, count: int) -> dict[UserId, dict[str, str]]:
    """Return what we know of the profiles of the next enabled accounts, in the order of their user IDs."""
    rows = await db.fetch(
        """SELECT user_id, profile FROM account WHERE enabled AND user_id COLLATE "C" > $1
           ORDER BY user_id COLLATE "C" LIMIT $2""",
        after,
        count,
    )
    return {UserId(row["user_id"]): row["profile"] for row in rows}


async def read_profile(db: Connection | Pool, user_id: UserId) -> dict[str, str]:
    """Return what we know of one account's profile."""
    profile: dict[str, str] = await db.fetchval("SELECT profile FROM account WHERE user_id = $1", user_id)
    return profile


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
