"""The versions of the policy that were in force, so that one can be had back and an old entry can be read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def keep_policy(db: Connection | Pool, digest: str, text: str, at: datetime) -> None:
    """Remember that this version is in force from now on."""
    await db.execute(
        "INSERT INTO policy_version (digest, text, loaded_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (digest) DO UPDATE SET loaded_at = excluded.loaded_at",
        digest,
        text,
        at,
    )


async def last_policy(db: Connection | Pool) -> str | None:
    """Return the text of the version that was in force last, or None before the first."""
    text: str | None = await db.fetchval("SELECT text FROM policy_version ORDER BY loaded_at DESC LIMIT 1")
    return text
