"""What HR's words for how somebody is employed mean: the configuration's table, kept where all writers read it.

A person keeps the standing of the last word that was understood. Translating is `employment_standing` in the database,
so that whoever writes a person translates alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.directory import history_store
from bridge.directory.person import Standing
from bridge.directory.scim_shape import MUSTER, STATUS, comparison_key
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class UnknownStatus:
    """Somebody of whom HR says a word that the table lacks."""

    person: PersonId
    user_name: str
    word: str


async def put_statuses(pool: Pool, statuses: Mapping[str, Standing]) -> None:
    """Make this the table; those whose standing it changes are changed people. Without words nobody has a standing."""
    wanted = {comparison_key(word): standing.value for word, standing in statuses.items()}
    async with pool.acquire() as connection, connection.transaction():
        if await _load(connection) == wanted:
            return
        await history_store.lock_directory(connection)
        await _replace(connection, wanted)
        version = await history_store.next_version(connection)
        changed = await _translate_again(connection, version)
        await history_store.record_history(
            connection, changed, version=version, source="configuration", action="changed"
        )
        await history_store.wake(connection, changed)


async def load_unknown(db: Connection | Pool) -> list[UnknownStatus]:
    """Return of whom HR says a word that the table lacks, in the order of their userNames; nobody without a table."""
    rows = await db.fetch(
        """SELECT id, document->>'userName' AS user_name, document->$1::text->>$2::text AS word FROM scim_resource
           WHERE kind = 'User' AND NOT deleted AND keys->$1::text->>$2::text <> ''
             AND EXISTS (SELECT FROM employment_status)
             AND NOT EXISTS (SELECT FROM employment_status s WHERE s.word = keys->$1::text->>$2::text)
           ORDER BY name_key COLLATE "C" """,
        MUSTER,
        STATUS,
    )
    return [UnknownStatus(row["id"], row["user_name"], row["word"]) for row in rows]


async def _load(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT word, standing FROM employment_status")
    return {row["word"]: row["standing"] for row in rows}


async def _replace(connection: Connection, statuses: Mapping[str, str]) -> None:
    await connection.execute("DELETE FROM employment_status")
    await connection.execute(
        "INSERT INTO employment_status (word, standing) SELECT * FROM unnest($1::text[], $2::text[])",
        list(statuses),
        list(statuses.values()),
    )


async def _translate_again(connection: Connection, version: int) -> list[str]:
    rows = await connection.fetch(
        """UPDATE scim_resource SET standing = employment_standing(keys, standing), changed = $1
           WHERE kind = 'User' AND standing IS DISTINCT FROM employment_standing(keys, standing) RETURNING id""",
        version,
    )
    return [row["id"] for row in rows]
