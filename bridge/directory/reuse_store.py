"""Suspected reuse of an externalId: who is sent under the id of somebody else who has left, and what was decided.

What is held is not written to the directory: HR's next push or file brings it again, after somebody has decided.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from bridge.directory import history_store
from bridge.directory.identity import Suspicion
from bridge.directory.person import Person, Standing
from bridge.directory.scim_shape import comparison_key
from bridge.directory.scim_user import person_of
from bridge.errors import UnknownNameError
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Former:
    """A User under an externalId, also one that was deleted."""

    person: Person
    document: dict[str, Any]
    deleted: bool
    today: date
    """UTC's."""


async def load_formers(connection: Connection | Pool, external_id: str) -> list[Former]:
    """Return every User that has this externalId, those that were deleted last, of these the latest first."""
    rows = await connection.fetch(
        """SELECT id, document, deleted, standing, changed, (now() AT TIME ZONE 'UTC')::date AS today
           FROM scim_resource WHERE kind = 'User' AND external_id = $1 AND NOT deleted
           UNION ALL
           SELECT id, document, deleted, standing, changed, (now() AT TIME ZONE 'UTC')::date
           FROM scim_resource WHERE kind = 'User' AND external_id = $1 AND deleted
           ORDER BY deleted, changed DESC""",
        external_id,
    )
    return [
        Former(
            person_of(
                row["document"],
                row["id"],
                deleted=row["deleted"],
                standing=Standing(row["standing"]) if row["standing"] else None,
            ),
            row["document"],
            row["deleted"],
            row["today"],
        )
        for row in rows
    ]


async def load_confirmed(db: Connection | Pool) -> frozenset[tuple[str, str]]:
    """Return who is the same person as somebody said: pairs of a person's id and a userName in comparison form."""
    rows = await db.fetch("SELECT person_id, name_key FROM suspected_reuse WHERE confirmed")
    return frozenset((row["person_id"], row["name_key"]) for row in rows)


async def load_suspicions(db: Connection | Pool) -> list[Suspicion]:
    """Return what nobody has decided yet, in the order of the userNames."""
    rows = await db.fetch(
        """SELECT person_id, external_id, user_name, source FROM suspected_reuse WHERE NOT confirmed
           ORDER BY name_key COLLATE "C" """
    )
    return [Suspicion(row["person_id"], row["external_id"], row["user_name"], row["source"]) for row in rows]


async def put_suspicions(db: Connection | Pool, suspicions: Collection[Suspicion]) -> None:
    """Keep what is held; what is there already stays as it is."""
    await db.executemany(
        """INSERT INTO suspected_reuse (person_id, name_key, external_id, user_name, source, seen_at)
           VALUES ($1, $2, $3, $4, $5, now()) ON CONFLICT DO NOTHING""",
        [
            (each.person, comparison_key(each.user_name), each.external_id, each.user_name, each.source)
            for each in suspicions
        ],
    )


async def decide_reuse(pool: Pool, user_name: str, *, same: bool) -> Sequence[PersonId]:
    """Settle what is held of somebody: the same person as before, or somebody else, who then gets the externalId.

    Returns whose id it was. Raises `UnknownNameError` when nothing is held under that userName.
    """
    async with pool.acquire() as connection, connection.transaction():
        await history_store.lock_directory(connection)
        rows = await connection.fetch(
            "SELECT person_id FROM suspected_reuse WHERE name_key = $1 AND NOT confirmed", comparison_key(user_name)
        )
        former = [PersonId(row["person_id"]) for row in rows]
        if not former:
            raise UnknownNameError(f"Nothing is held of {user_name!r}. `muster directory review` lists what is.")
        if same:
            await _confirm(connection, comparison_key(user_name))
        else:
            await _release(connection, former)
    return former


async def _confirm(connection: Connection, name_key: str) -> None:
    await connection.execute("UPDATE suspected_reuse SET confirmed = true WHERE name_key = $1", name_key)


async def _release(connection: Connection, former: Sequence[PersonId]) -> None:
    """Take the externalId from those who had it, and forget what was held because of it."""
    version = await history_store.next_version(connection)
    await connection.execute(
        """UPDATE scim_resource SET external_id = NULL, document = document - 'externalId', keys = keys - 'externalId',
               version = $2, changed = $2, modified = now() WHERE id = ANY($1)""",
        former,
        version,
    )
    await connection.execute("DELETE FROM suspected_reuse WHERE person_id = ANY($1)", former)
    await history_store.record_history(connection, former, version=version, source="review", action="changed")
    await history_store.wake(connection, former)
