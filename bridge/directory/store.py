"""The people as values, from the database.

What SCIM wrote is read here as `Person`; `bridge.directory.scim_storage` and `bridge.directory.intake` write. Whoever
follows changes keeps the version of the last `changed_since` as a cursor; notifications on
`bridge.database.listen.DIRECTORY` only say that it is worth looking.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from bridge.directory.history import HistoryEntry
from bridge.directory.local_day import Boundary
from bridge.directory.person import Person, Standing
from bridge.directory.scim_shape import comparison_key
from bridge.directory.scim_user import person_of
from bridge.errors import UnknownNameError
from bridge.ids import PersonId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

_PEOPLE: Final = """
    WITH groups AS (
        SELECT m.member_id, array_agg(g.display_name ORDER BY g.display_name COLLATE "C", g.id) AS names,
               array_agg(g.id ORDER BY g.display_name COLLATE "C", g.id) AS ids
        FROM group_member m JOIN scim_resource g ON g.id = m.group_id WHERE {member} GROUP BY m.member_id
    ), managers AS (
        SELECT m.person_id, array_agg(m.job) AS jobs, array_agg(boss.id) AS ids, array_agg(boss.display_name) AS names
        FROM manager_reference m JOIN scim_resource boss ON boss.id = m.manager_id AND NOT boss.deleted
        WHERE {report} GROUP BY m.person_id
    )
    SELECT r.id, r.document, r.deleted, r.standing, r.changed, groups.names AS groups, groups.ids AS group_ids,
           managers.jobs, managers.ids AS manager_ids, managers.names AS manager_names
    FROM scim_resource r
    LEFT JOIN managers ON managers.person_id = r.id
    LEFT JOIN groups ON groups.member_id = r.id
    WHERE r.kind = 'User' AND {person} ORDER BY r.id"""


@dataclass(frozen=True, slots=True)
class Changes:
    """Who has changed after a version, and the version up to which this is the whole truth."""

    version: int
    ids: frozenset[PersonId]


async def load_people(db: Connection | Pool, ids: Collection[PersonId] | None = None) -> list[Person]:
    """Return everybody, or these, in the order of their ids; also those who have left."""
    rows = (
        await db.fetch(_PEOPLE.format(member="true", report="true", person="true"))
        if ids is None
        else await db.fetch(
            _PEOPLE.format(member="m.member_id = ANY($1)", report="m.person_id = ANY($1)", person="r.id = ANY($1)"),
            list(ids),
        )
    )
    return [_person(row) for row in rows]


async def load_person(db: Connection | Pool, name: str) -> Person:
    """Return the one person with that id, userName, externalId or display name, in this order.

    Case does not matter for userName and display name. Raises `UnknownNameError`, naming the nearest, when there is
    none, or when several have that display name. Somebody deleted is found when nobody else is.
    """
    for deleted in (False, True):
        rows = await _find(db, name, deleted=deleted)
        best = [row for row in rows if row["rank"] == rows[0]["rank"]]
        if len(best) == 1:
            return (await load_people(db, [best[0]["id"]]))[0]
        if best:
            names = ", ".join(row["user_name"] for row in best[:5])
            raise UnknownNameError(f"{len(best)} people are called {name!r}: say which by userName ({names}).")
    raise UnknownNameError(f"There is no person {name!r}.{await _nearest(db, name)}")


async def people_named(db: Connection | Pool, names: Collection[str]) -> dict[str, PersonId]:
    """Return whom each of the names is the id, the userName or the externalId of, in this order; not who is deleted."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (name) name, id FROM unnest($1::text[], $2::text[], $3::text[]) AS t (name, key, exact)
           JOIN scim_resource r ON r.kind = 'User' AND NOT deleted
               AND (r.id = name OR r.name_key = key OR r.external_id = exact)
           ORDER BY name, r.id = name DESC, r.name_key = key DESC, r.id""",
        list(names),
        [comparison_key(name) for name in names],
        [comparison_key(name, case_exact=True) for name in names],
    )
    return {row["name"]: PersonId(row["id"]) for row in rows}


async def changed_since(db: Connection | Pool, version: int) -> Changes:
    """Return who has changed after that directory version: their data, groups, or the name of their manager."""
    row = await db.fetchrow(
        """SELECT version, ARRAY(SELECT id FROM scim_resource WHERE kind = 'User' AND changed > $1) AS ids
           FROM directory_version""",
        version,
    )
    assert row is not None
    return Changes(row["version"], frozenset(row["ids"]))


async def boundaries_between(db: Connection | Pool, first: date, last: date) -> list[Boundary]:
    """Return for whom an employment begins or is over on these days, both included."""
    return [
        Boundary(row["id"], row["day"], row["timezone"])
        for row in await db.fetch(
            """SELECT r.id, b.day, r.document->>'timezone' AS timezone
               FROM employment_boundary b JOIN scim_resource r ON r.id = b.person_id
               WHERE b.day BETWEEN $1 AND $2 AND NOT r.deleted""",
            first,
            last,
        )
    ]


async def first_boundary_after(db: Connection | Pool, day: date) -> date | None:
    """Return the next day after this one on which an employment begins or is over."""
    found: date | None = await db.fetchval("SELECT min(day) FROM employment_boundary WHERE day > $1", day)
    return found


async def directory_version(db: Connection | Pool) -> int:
    """Return the number that grows with every change of anybody; 0 when there has been none."""
    version: int = await db.fetchval("SELECT version FROM directory_version")
    return version


async def count_people(db: Connection | Pool) -> int:
    """Return how many people HR knows, whether they work here or not."""
    count: int = await db.fetchval("SELECT count(*) FROM scim_resource WHERE kind = 'User' AND NOT deleted")
    return count


async def load_history(db: Connection | Pool, person: PersonId) -> list[HistoryEntry]:
    """Return every state the person has had, the oldest first."""
    rows = await db.fetch("SELECT * FROM person_history WHERE person_id = $1 ORDER BY version", person)
    return [
        HistoryEntry(
            row["version"],
            row["recorded_at"],
            row["source"],
            row["action"],
            row["valid_from"],
            person_of(
                row["document"],
                person,
                deleted=row["action"] == "deleted",
                groups=[group["display"] for group in row["document"].get("groups") or ()],
                group_ids=[group["value"] for group in row["document"].get("groups") or ()],
                standing=_standing(row),
                version=row["version"],
            ),
        )
        for row in rows
    ]


async def _find(db: Connection | Pool, name: str, *, deleted: bool) -> list[asyncpg.Record]:
    return await db.fetch(
        """SELECT id, document->>'userName' AS user_name,
                  CASE WHEN id = $1 THEN 1 WHEN name_key = $2 THEN 2 WHEN external_id = $4 THEN 3 ELSE 4 END AS rank
           FROM scim_resource
           WHERE kind = 'User' AND deleted = $3
             AND (id = $1 OR name_key = $2 OR external_id = $4 OR display_name = $1 OR keys->>'displayName' = $2)
           ORDER BY rank, name_key COLLATE "C" """,
        name,
        comparison_key(name),
        deleted,
        comparison_key(name, case_exact=True),
    )


async def _nearest(db: Connection | Pool, name: str) -> str:
    rows = await db.fetch("SELECT document->>'userName', display_name FROM scim_resource WHERE kind = 'User'")
    known = {comparison_key(text): text for row in rows for text in row}
    near = get_close_matches(comparison_key(name), known, n=3, cutoff=0.6)
    return f" Nearest: {', '.join(known[key] for key in near)}." if near else ""


def _person(row: asyncpg.Record) -> Person:
    return person_of(
        row["document"],
        row["id"],
        deleted=row["deleted"],
        managers={
            job: (id_, name)
            for job, id_, name in zip(
                row["jobs"] or (), row["manager_ids"] or (), row["manager_names"] or (), strict=True
            )
        },
        groups=row["groups"] or (),
        group_ids=row["group_ids"] or (),
        standing=_standing(row),
        version=row["changed"],
    )


def _standing(row: asyncpg.Record) -> Standing | None:
    return Standing(row["standing"]) if row["standing"] else None
