"""The versions of the policy that were in force, so that one can be had back and an old entry can be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A version of the policy, and since when it was in force."""

    digest: str
    text: str
    since: datetime


async def keep_policy(db: Connection | Pool, digest: str, text: str, at: datetime) -> None:
    """Remember that this version is in force from now on; one that is in force already stays so since before."""
    await db.execute(
        """WITH kept AS (
               INSERT INTO policy_version (digest, text, loaded_at) VALUES ($1, $2, $3)
               ON CONFLICT (digest) DO UPDATE SET loaded_at = excluded.loaded_at)
           INSERT INTO policy_in_force (since, digest) SELECT $3, $1
           WHERE (SELECT digest FROM policy_in_force ORDER BY id DESC LIMIT 1) IS DISTINCT FROM $1""",
        digest,
        text,
        at,
    )


async def last_policy(db: Connection | Pool) -> str | None:
    """Return the text of the version that was in force last, or None before the first."""
    text: str | None = await db.fetchval("SELECT text FROM policy_version ORDER BY loaded_at DESC LIMIT 1")
    return text


async def policy_at(db: Connection | Pool, moment: datetime) -> PolicyInForce | None:
    """Return the version that was in force at a moment, or None before the first."""
    row = await db.fetchrow(
        """SELECT digest, text, since FROM policy_in_force JOIN policy_version USING (digest)
           WHERE since <= $1 ORDER BY since DESC, id DESC LIMIT 1""",
        moment,
    )
    return PolicyInForce(row["digest"], row["text"], row["since"]) if row else None
