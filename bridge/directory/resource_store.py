"""The statements on SCIM resources, by themselves: one function each. Searching is `page_store`.

Writers begin and end as `history_store` says; `create_user` and `update_user` do all of it by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from bridge.database.listen import DIRECTORY
from bridge.directory.group_store import RELATED_TO
from bridge.directory.history_store import insert_history
from bridge.directory.identity import has_left
from bridge.directory.import_plan import Known
from bridge.directory.person import Standing
from bridge.directory.scim_resource import Resource, Stored
from bridge.directory.scim_user import person_of
from bridge.directory.token_store import HOLDS

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

COLUMNS: Final = "r.id, r.kind, r.document, r.version, r.changed, r.created, r.modified"
"""What `stored_of` reads, with `RELATED_TO`."""
_NEXT: Final = "v AS (UPDATE directory_version SET version = version + 1 WHERE {holds} RETURNING version)"
_SENT: Final = """u AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[],
        $7::jsonb[], $8::jsonb[]) AS sent (id, kind, name_key, external_id, display_name, active, document, keys))"""
"""The resources to be written, as `_columns` gives them."""
_SENT_ALONE: Final = """u AS (SELECT $1::text AS id, $2::text AS kind, $3::text AS name_key, $4::text AS external_id,
        $5::text AS display_name, $6::boolean AS active, $7::jsonb AS document, $8::jsonb AS keys)"""
"""One resource to be written, as `_row` gives it.

Of an array PostgreSQL believes that it has many entries, and makes a new plan for every one that has not.
"""
_INSERTED: Final = """r AS (INSERT INTO scim_resource (
              id, kind, name_key, external_id, display_name, active, document, keys,
              version, changed, created, modified, standing)
          SELECT u.*, v.version, v.version, now(), now(), employment_standing(u.keys, 'left') FROM u, v
          WHERE ({unless}) IS NOT TRUE RETURNING *)"""
"""What is new: `u`, with the version in `v`."""
_UPDATED: Final = """r AS (UPDATE scim_resource r SET name_key = u.name_key, external_id = u.external_id,
              display_name = u.display_name, active = u.active, document = u.document,
              keys = u.keys, version = v.version, changed = v.version, modified = now(), deleted = false,
              standing = employment_standing(u.keys, r.standing)
          FROM u, v WHERE r.id = u.id AND r.kind = u.kind AND {which} RETURNING r.*),
    d AS (DELETE FROM employment_boundary WHERE person_id = ANY(ARRAY(SELECT id FROM r)))"""
"""What is changed: `u`, with the version in `v`."""
_BOUNDARIES: Final = """INSERT INTO employment_boundary (person_id, day)
    SELECT r.id, boundary.day FROM r, employment_boundaries(r.document) AS boundary(day) WHERE r.kind = 'User'"""
"""The days on which the employments of those in `r` begin or are over."""
_UNCHANGED: Final = "r.id = $1 AND NOT r.deleted AND r.version = $9 AND r.changed = $10"
"""The one in `u` is as it was read."""
_KNOWN: Final = """u.external_id <> '' AND (
    (SELECT true FROM scim_resource f WHERE f.external_id = u.external_id AND NOT f.deleted LIMIT 1)
    OR (SELECT true FROM scim_resource f WHERE f.external_id = u.external_id AND f.deleted LIMIT 1))"""
"""Somebody, or a group, has or had the externalId of `u`; in two parts because each has its index.

Of EXISTS PostgreSQL makes a hash of every externalId there is, as long as it believes the table to be small.
"""


async def find_resource(
    db: Connection | Pool, kind: str, id_: str, *, related: bool = True, token: bytes | None = None
) -> Stored | None:
    """Return the User or Group, without its groups or members if they are not wanted, unless deleted.

    Nobody is shown to the bearer of a `token`, told by its hash, that is not valid.
    """
    row = await db.fetchrow(
        f"""SELECT {COLUMNS}, {RELATED_TO.format(wanted="$3::boolean")}
            FROM scim_resource r WHERE r.kind = $1 AND r.id = $2 AND NOT r.deleted
              AND {HOLDS.format(hash="$4")}""",  # noqa: S608
        kind,
        id_,
        related,
        token,
    )
    return None if row is None else stored_of(row)


async def insert_resources(connection: Connection, resources: Sequence[Resource], version: int) -> None:
    """Store new resources. Raises `asyncpg.UniqueViolationError` when a name is taken."""
    await connection.execute(
        f"WITH v AS (SELECT $9::bigint AS version), {_SENT}, {_INSERTED.format(unless='false')} {_BOUNDARIES}",
        *_columns(resources),
        version,
    )


async def update_resources(connection: Connection, resources: Sequence[Resource], version: int) -> None:
    """Store the new state of resources. Raises `asyncpg.UniqueViolationError` when a name is taken."""
    await connection.execute(
        f"WITH v AS (SELECT $9::bigint AS version), {_SENT}, {_UPDATED.format(which='true')} {_BOUNDARIES}",
        *_columns(resources),
        version,
    )


async def create_user(
    db: Connection | Pool, user: Resource, source: str, *, token: bytes | None = None
) -> Stored | None:
    """Store a new User with its history and its wake-up, in one statement that is a database transaction by itself.

    Waits for other writers. Returns None, having stored nothing, when somebody has or had the externalId, or for
    the bearer of a `token`, told by its hash, that is not valid. Raises `asyncpg.UniqueViolationError` when the name
    is taken.
    """
    row = await db.fetchrow(
        f"""WITH {_NEXT.format(holds=HOLDS.format(hash="$11"))}, {_SENT_ALONE}, {_INSERTED.format(unless=_KNOWN)},
            b AS ({_BOUNDARIES}),
            p AS (SELECT {COLUMNS}, r.standing, NULL::jsonb AS related FROM r),
            h AS ({insert_history("p.version", "$9", "'created'")})
            SELECT p.*, pg_notify($10, p.id) FROM p""",  # noqa: S608
        *_row(user),
        source,
        DIRECTORY,
        token,
    )
    return None if row is None else stored_of(row)


async def update_user(db: Connection | Pool, user: Resource, before: Stored, source: str) -> Stored | None:
    """Store the new state of a User as `create_user` does, if nothing that concerns it has changed since `before`.

    Returns None when something has. Reports of a manager are not touched, so the display name must be as before.
    """
    row = await db.fetchrow(
        f"""WITH {_NEXT.format(holds="true")}, {_SENT_ALONE}, {_UPDATED.format(which=_UNCHANGED)},
            b AS ({_BOUNDARIES}),
            p AS (SELECT {COLUMNS}, r.standing, {RELATED_TO.format(wanted="true")} FROM r),
            h AS ({insert_history("p.version", "$11", "'changed'")})
            SELECT p.*, pg_notify($12, p.id) FROM p""",  # noqa: S608
        *_row(user),
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
        """SELECT r.id, r.document, r.deleted, r.standing, groups.names, local_day(r.document, now()) AS today
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


async def find_users(connection: Connection, keys: Collection[str], *, deleted: bool = False) -> list[Known]:
    """Return those whose externalId or userName, in the form comparisons use, is one of these; or the deleted ones."""
    rows = await connection.fetch(
        """SELECT r.id, r.document, r.deleted, r.standing, local_day(r.document, now()) AS today,
                  ARRAY(SELECT g.display_name FROM group_member m JOIN scim_resource g ON g.id = m.group_id
                        WHERE m.member_id = r.id ORDER BY g.id) AS names
           FROM scim_resource r
           WHERE r.kind = 'User' AND r.deleted = $2 AND (r.external_id = ANY($1) OR r.name_key = ANY($1))
           ORDER BY r.created, r.id""",
        list(keys),
        deleted,
    )
    return [
        Known(row["id"], row["document"], tuple(row["names"]), left=_has_left(row), deleted=deleted) for row in rows
    ]


async def analyze(connection: Connection) -> None:
    """Let PostgreSQL look at the tables again; after many rows have come at once it would guess badly."""
    await connection.execute("SELECT analyze_people()")


def _has_left(row: asyncpg.Record) -> bool:
    standing = Standing(row["standing"]) if row["standing"] else None
    person = person_of(row["document"], row["id"], deleted=row["deleted"], standing=standing)
    return has_left(person, row["today"])


def _row(resource: Resource) -> tuple[Any, ...]:
    return (
        resource.id,
        resource.kind,
        resource.name_key,
        resource.external_id,
        resource.display_name,
        resource.active,
        resource.document,
        resource.keys,
    )


def _columns(resources: Sequence[Resource]) -> list[list[Any]]:
    rows = [_row(resource) for resource in resources]
    return [[row[column] for row in rows] for column in range(8)]


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
