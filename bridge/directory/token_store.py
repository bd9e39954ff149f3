"""The bearer tokens of those who may write to the directory; only their hashes are kept.

A token is 256 bits of randomness, so a plain SHA-256 is a safe hash of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

import asyncpg

from bridge.errors import RefusedError, UnknownNameError

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_PREFIX: Final = "muster_scim_"
HOLDS: Final = """({hash}::bytea IS NULL OR EXISTS (
    SELECT FROM scim_token WHERE scim_token.hash = {hash} AND revoked_at IS NULL))"""
"""The condition that the token of this hash is valid, in a statement that does something for its bearer.

Without a hash it holds: the bearer is known to be admitted.
"""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose a valid token is."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it may be shown."""

    name: str
    source: str
    """By which the history says who wrote; tokens that take each other's place have the same."""
    created_at: datetime
    revoked_at: datetime | None


async def create_token(db: Connection | Pool, name: str, source: str | None = None) -> str:
    """Make a token of that name for a source, by default of the same name, and return it, this once.

    Raises `RefusedError` if the name is taken, or was.
    """
    token = _PREFIX + token_urlsafe(32)
    try:
        await db.execute(
            "INSERT INTO scim_token (name, source, hash, created_at) VALUES ($1, $2, $3, now())",
            name,
            source or name,
            hash_of(token),
        )
    except asyncpg.UniqueViolationError as error:
        raise RefusedError(f"There is, or was, a token called {name!r}. Choose a name that was never used.") from error
    return token


async def find_token(db: Connection | Pool, token: str) -> Bearer | None:
    """Return whose a valid token is. Every hash is compared, in constant time."""
    hashed = hash_of(token)
    rows = await db.fetch("SELECT name, source, hash FROM scim_token WHERE revoked_at IS NULL")
    matching = [Bearer(row["name"], row["source"]) for row in rows if compare_digest(row["hash"], hashed)]
    return matching[0] if matching else None


async def is_valid(db: Connection | Pool, hashed: bytes) -> bool:
    """Tell whether the token of which this is the hash may be used."""
    valid: bool = await db.fetchval(f"SELECT {HOLDS.format(hash='$1')}", hashed)
    return valid


async def revoke_token(db: Connection | Pool, name: str) -> None:
    """Make the token useless from now on. Raises `UnknownNameError`."""
    row = await db.fetchrow(
        "UPDATE scim_token SET revoked_at = coalesce(revoked_at, now()) WHERE name = $1 RETURNING name", name
    )
    if row is None:
        raise UnknownNameError(f"There is no token called {name!r}.")


async def load_tokens(db: Connection | Pool) -> list[Token]:
    """Return every token there is or was, by name."""
    rows = await db.fetch('SELECT name, source, created_at, revoked_at FROM scim_token ORDER BY name COLLATE "C"')
    return [Token(row["name"], row["source"], row["created_at"], row["revoked_at"]) for row in rows]


def hash_of(token: str) -> bytes:
    """Return the hash by which a token is known."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
