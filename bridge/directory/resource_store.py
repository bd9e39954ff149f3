"""The statements on SCIM resources, by themselves: one function each. Searching is `page_store`.

Writers begin and end as `history_store` says; `create_user` and `update_user` do all of it by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from bridge.database.listen import DIRECTORY
from bridge.directory.group_store import RELATED_TO
from bridge.directory.identity import has_left
from bridge.directory.import_plan import Known
from bridge.directory.person import Standing
from bridge.directory.scim_resource import Resource, Stored
from bridge.directory.scim_user import person_of

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

COLUMNS: Final = "r.id, r.kind, r.document, r.version, r.changed, r.created, r.modified"


async def find_resource(db: Connection | Pool, kind: str, id_: str, *, related: bool = True) -> Stored | None:
    """Return the User or Group, without its groups or members if they are not wanted, unless deleted."""
    row = await db.fetchrow(
        f"""SELECT {COLUMNS}, {RELATED_TO.format(wanted="$3::boolean")}
            FROM scim_resource r WHERE r.kind = $1 AND r.id = $2 AND NOT r.deleted""",  # noqa: S608
        kind,
        id_,
        related,
    )
    return None if row is None else stored_of(row)


async def insert_resources(connection: Connection, resources: Sequence[Resource], version: int) -> None:
    """Store new resources. Raises `asyncpg.UniqueViolationError` when a name is taken."""
    await connection.execute(
        """INSERT INTO scim_resource (id, kind, name_key, external_id, display_name, active, manager_id, document, keys,
                                      version, changed, created, modified, standing)
           SELECT u.*, $10, $10, now(), now(), employment_standing(u.keys, 'left')
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
               $6::boolean[], $7::text[], $8::jsonb[], $9::jsonb[])
               AS u(id, kind, name_key, external_id, display_name, active, manager_id, document, keys)""",
        *_columns(resources),
        version,
    )
    await _put_boundaries(connection, resources)


async def update_resources(connection: Connection, resources: Sequence[Resource], version: int) -> None:
    """Store the new state of resources. Raises `asyncpg.UniqueViolationError` when a name is taken."""
    await connection.execute(
        """UPDATE scim_resource r SET name_key = u.name_key, external_id = u.external_id,
               display_name = u.display_name, active = u.active, manager_id = u.manager_id, document = u.document,
               keys = u.keys, version = $10, changed = $10, modified = now(), deleted = false,
               standing = employment_standing(u.keys, r.standing)
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[],
                       $8::jsonb[], $9::jsonb[])
               AS u(id, kind, name_key, external_id, display_name, active, manager_id, document, keys)
           WHERE r.id = u.id AND r.kind = u.kind""",
        *_columns(resources),
        version,
    )
    await connection.execute(
        "DELETE FROM employment_boundary WHERE person_id = ANY($1)", [resource.id for resource in resources]
    )
    await _put_boundaries(connection, resources)


async def create_user(db: Connection | Pool, user: Resource, source: str) -> Stored:
    """Store a new User with its history and its wake-up, in one statement that is a database transaction by itself.

    Waits for other writers. Raises `asyncpg.UniqueViolationError` when the name is taken.
    """
    row = await db.fetchrow(
        f"""WITH v AS (UPDATE directory_version SET version = version + 1 RETURNING version),
            r AS (INSERT INTO scim_resource (id, kind, name_key, external_id, display_name, active, manager_id,
                                             document, keys, version, changed, created, modified, standing)
                  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, v.version, v.version, now(), now(),
                         employment_standing($9, 'left') FROM v RETURNING *),
            b AS (INSERT INTO employment_boundary (person_id, day)
                  SELECT r.id, boundary.day FROM r, employment_boundaries(r.document) AS boundary(day)),
            h AS (INSERT INTO person_history (person_id, version, recorded_at, source, action, document, standing,
                                              valid_from)
                  SELECT r.id, r.version, now(), $10, 'created', r.document || '{{"groups": []}}'::jsonb, r.standing,
                         effective_day(NULL, r.document, now()) FROM r)
            SELECT {COLUMNS}, NULL::jsonb AS related, pg_notify($11, r.id) FROM r""",  # noqa: S608
        *(column[0] for column in _columns([user])),
        source,
        DIRECTORY,
    )
    assert row is not None
    return stored_of(row)


async def update_user(db: Connection | Pool, user: Resource, before: Stored, source: str) -> Stored | None:
    """Store the new state of a User as `create_user` does, if nothing that concerns it has changed since `before`.

    Returns None when something has. Reports of a manager are not touched, so the display name must be as before.
    """
    row = await db.fetchrow(
        f"""WITH v AS (UPDATE directory_version SET version = version + 1 RETURNING version),
            r AS (UPDATE scim_resource r SET name_key = $3, external_id = $4, display_name = $5, active = $6,
                      manager_id = $7, document = $8, keys = $9, version = v.version, changed = v.version,
                      modified = now(), standing = employment_standing($9, r.standing)
                  FROM v WHERE r.id = $1 AND r.kind = $2 AND NOT r.deleted AND r.version = $10 AND r.changed = $11
                  RETURNING r.*),
            s AS (SELECT {COLUMNS}, r.standing, {RELATED_TO.format(wanted="true")} FROM r),
            d AS (DELETE FROM employment_boundary WHERE person_id IN (SELECT id FROM r)),
            b AS (INSERT INTO employment_boundary (person_id, day)
                  SELECT r.id, boundary.day FROM r, employment_boundaries(r.document) AS boundary(day)),
            h AS (INSERT INTO person_history (person_id, version, recorded_at, source, action, document, standing,
                                              valid_from)
                  SELECT s.id, s.version, now(), $12, 'changed',
                         s.document || jsonb_build_object('groups', coalesce(s.related, '[]')), s.standing,
                         effective_day(before.document, s.document, now())
                  FROM s LEFT JOIN LATERAL (SELECT p.document FROM person_history p WHERE p.person_id = s.id
                                            ORDER BY p.version DESC LIMIT 1) AS before ON true)
            SELECT s.*, pg_notify($13, s.id) FROM s""",  # noqa: S608
        *(column[0] for column in _columns([user])),
        before.version,
        before.changed,
        source,
        DIRECTORY,
    )
    return None if row is None else stored_of(row)


async def mark_deleted(connection: Connection, id_: str, version: int) -> None:
    """Hide a User from SCIM; it is kept, and is nobody who works here."""
    await connection.execute(
        """UPDATE scim_resource SET deleted = true, active = false, version = $2, changed = $2, modified = now()
           WHERE id = $1""",
        id_,
        version,
    )


async def load_users(connection: Connection, *, deleted: bool = False) -> list[Known]:
    """Return every User that is not deleted, or every one that is, in the order of creation."""
    rows = await connection.fetch(
        """SELECT r.id, r.document, r.deleted, r.standing, groups.names, (now() AT TIME ZONE 'UTC')::date AS today
           FROM scim_resource r
           LEFT JOIN (SELECT m.member_id, array_agg(g.display_name ORDER BY g.id) AS names
                      FROM group_member m JOIN scim_resource g ON g.id = m.group_id GROUP BY m.member_id) AS groups
               ON groups.member_id = r.id
           WHERE r.kind = 'User' AND r.deleted = $1 ORDER BY r.created, r.id""",
        deleted,
    )
    return [
        Known(row["id"], row["document"], tuple(row["names"] or ()), left=_has_left(row), deleted=deleted)
        for row in rows
    ]


async def find_users(connection: Connection, keys: Collection[str]) -> list[Known]:
    """Return those whose externalId or userName, in the form comparisons use, is one of these."""
    rows = await connection.fetch(
        """SELECT r.id, r.document,
                  ARRAY(SELECT g.display_name FROM group_member m JOIN scim_resource g ON g.id = m.group_id
                        WHERE m.member_id = r.id ORDER BY g.id) AS names
           FROM scim_resource r
           WHERE r.kind = 'User' AND NOT r.deleted AND (r.external_id = ANY($1) OR r.name_key = ANY($1))
           ORDER BY r.created, r.id""",
        list(keys),
    )
    return [Known(row["id"], row["document"], tuple(row["names"])) for row in rows]


async def analyze(connection: Connection) -> None:
    """Let PostgreSQL look at the tables again; after many rows have come at once it would guess badly."""
    await connection.execute("ANALYZE scim_resource, group_member")


async def _put_boundaries(connection: Connection, resources: Sequence[Resource]) -> None:
    """Write down the days on which the employments of these begin or are over."""
    await connection.execute(
        """INSERT INTO employment_boundary (person_id, day)
           SELECT r.id, boundary.day FROM scim_resource r, employment_boundaries(r.document) AS boundary(day)
           WHERE r.id = ANY($1) AND r.kind = 'User'""",
        [resource.id for resource in resources],
    )


def _has_left(row: asyncpg.Record) -> bool:
    standing = Standing(row["standing"]) if row["standing"] else None
    person = person_of(row["document"], row["id"], deleted=row["deleted"], standing=standing)
    return has_left(person, row["today"])


def _columns(resources: Sequence[Resource]) -> tuple[list[Any], ...]:
    return (
        [resource.id for resource in resources],
        [resource.kind for resource in resources],
        [resource.name_key for resource in resources],
        [resource.external_id for resource in resources],
        [resource.display_name for resource in resources],
        [resource.active for resource in resources],
        [resource.manager_id for resource in resources],
        [resource.document for resource in resources],
        [resource.keys for resource in resources],
    )


def stored_of(row: asyncpg.Record) -> Stored:
    return Stored(
        row["id"],
        row["kind"],
        row["document"],
        row["version"],
        row["changed"],
        row["created"],
        row["modified"],
        row["related"] or [],
    )
