"""The directory's version, what people have been, and who is told of a change: what every write begins and ends with.

Writers hold `lock_directory` for the length of their database transaction, take one `next_version`, and end with
`record_history` and `wake`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from bridge.database.listen import DIRECTORY
from bridge.directory.group_store import RELATED_TO
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

WAKE_EACH: Final = 100
"""Up to so many people are named in notifications of their own; for more there is one without a name."""


async def lock_directory(connection: Connection) -> None:
    """Wait until no other database transaction writes to the directory, and keep others out until this one ends."""
    await connection.execute("SELECT FROM directory_version FOR UPDATE")


async def next_version(connection: Connection) -> int:
    """Return the directory version that this database transaction makes."""
    version: int = await connection.fetchval("UPDATE directory_version SET version = version + 1 RETURNING version")
    return version


async def record_history(
    connection: Connection, ids: Collection[str], *, version: int, source: str, action: str
) -> None:
    """Keep the present state of these people, if they are people; an earlier entry of the same version stays."""
    await connection.execute(
        f"""INSERT INTO person_history (person_id, version, recorded_at, source, action, document, standing,
                                        valid_from)
            SELECT p.id, $2, now(), $3, $4, p.document || jsonb_build_object('groups', coalesce(p.related, '[]')),
                   p.standing, effective_day(before.document, p.document, now())
            FROM (SELECT r.id, r.document, r.standing, {RELATED_TO.format(wanted="true")}
                  FROM scim_resource r WHERE r.id = ANY($1) AND r.kind = 'User') AS p
            LEFT JOIN LATERAL (SELECT h.document FROM person_history h WHERE h.person_id = p.id
                               ORDER BY h.version DESC LIMIT 1) AS before ON true
            ON CONFLICT DO NOTHING""",  # noqa: S608
        list(ids),
        version,
        source,
        action,
    )


async def wake(connection: Connection, ids: Collection[str]) -> None:
    """Wake whoever waits for changes of these people, once this database transaction is committed."""
    if len(ids) > WAKE_EACH:
        await connection.execute("SELECT pg_notify($1, '')", DIRECTORY)
        return
    await connection.execute(
        "SELECT pg_notify($1, id) FROM scim_resource WHERE id = ANY($2) AND kind = 'User'", DIRECTORY, list(ids)
    )


async def touch_people(connection: Connection, ids: Collection[str], version: int) -> None:
    """Note that something a selector may ask of these people has changed beside their document."""
    await connection.execute(
        "UPDATE scim_resource SET changed = $2 WHERE id = ANY($1) AND kind = 'User'", list(ids), version
    )


async def touch_reports(connection: Connection, manager_ids: Collection[str], version: int) -> None:
    """Note that the managers of some people have changed their names, or have come or gone."""
    await connection.execute(
        "UPDATE scim_resource SET changed = $2 WHERE manager_id = ANY($1) AND kind = 'User'",
        list(manager_ids),
        version,
    )


async def put_link(connection: Connection, old: PersonId, new: PersonId) -> None:
    """Note that somebody has said that these two records are one person."""
    await connection.execute(
        "INSERT INTO person_link (old_id, new_id, linked_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING", old, new
    )


async def load_links(db: Connection | Pool) -> frozenset[tuple[PersonId, PersonId]]:
    """Return which records are one person: pairs of the old and the new one."""
    rows = await db.fetch("SELECT old_id, new_id FROM person_link")
    return frozenset((PersonId(row["old_id"]), PersonId(row["new_id"])) for row in rows)
