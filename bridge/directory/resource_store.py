"""The statements on SCIM resources: one function each.

Writers hold `lock_directory` for the length of their database transaction, take one `next_version`, and end with
`record_history` and `wake`. Reading people as values is `bridge.directory.store`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from bridge.database.listen import DIRECTORY
from bridge.directory.filter_sql import ANY, Condition
from bridge.directory.identity import has_left
from bridge.directory.import_plan import Known
from bridge.directory.person import Standing
from bridge.directory.scim_resource import Resource, Stored
from bridge.directory.scim_user import person_of
from bridge.ids import PersonId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

WAKE_EACH: Final = 100
"""Up to so many people are named in notifications of their own; for more there is one without a name."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which resources of one kind are wanted, and the SQL text they are sorted by.

    The arguments of several selections' conditions are numbered on through all of them.
    """

    kind: str
    condition: Condition = ANY
    order: str = "NULL::text"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The resource beside which a page lies: by what it is sorted, and which it is."""

    place: str | None
    created: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the sorted matches is wanted."""

    offset: int = 0
    limit: int | None = None
    anchor: Anchor | None = None
    """Only what lies behind it, whether or not it is there still."""
    is_before: bool = False
    """What lies before the anchor instead, of which the `limit` nearest to it; or without an anchor, the last."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A resource with its place in a sorted list."""

    stored: Stored
    anchor: Anchor


_RELATED: Final = """CASE WHEN NOT {wanted} THEN NULL WHEN r.kind = 'Group' THEN
    (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', m.member_id, '$ref', o.kind || 's/' || o.id,
            'type', o.kind)) ORDER BY m.position)
        FROM group_member m LEFT JOIN scim_resource o ON o.id = m.member_id WHERE m.group_id = r.id)
    ELSE
    (SELECT jsonb_agg(jsonb_build_object('value', o.id, '$ref', 'Groups/' || o.id, 'type', 'direct',
            'display', o.display_name) ORDER BY o.display_name COLLATE "C", o.id)
        FROM group_member m JOIN scim_resource o ON o.id = m.group_id WHERE m.member_id = r.id)
    END AS related"""
_COLUMNS: Final = "r.id, r.kind, r.document, r.version, r.changed, r.created, r.modified"


async def lock_directory(connection: Connection) -> None:
    """Wait until no other database transaction writes to the directory, and keep others out until this one ends."""
    await connection.execute("SELECT FROM directory_version FOR UPDATE")


async def next_version(connection: Connection) -> int:
    """Return the directory version that this database transaction makes."""
    version: int = await connection.fetchval("UPDATE directory_version SET version = version + 1 RETURNING version")
    return version


async def find_resource(db: Connection | Pool, kind: str, id_: str, *, related: bool = True) -> Stored | None:
    """Return the User or Group, without its groups or members if they are not wanted, unless deleted."""
    row = await db.fetchrow(
        f"""SELECT {_COLUMNS}, {_RELATED.format(wanted="$3::boolean")}
            FROM scim_resource r WHERE r.kind = $1 AND r.id = $2 AND NOT r.deleted""",  # noqa: S608
        kind,
        id_,
        related,
    )
    return None if row is None else _stored(row)


async def count_resources(db: Connection | Pool, selections: Sequence[Selection]) -> int:
    """Return how many match."""
    count: int = await db.fetchval(f"SELECT count(*) FROM ({_matching(selections)}) AS matching", *_values(selections))  # noqa: S608
    return count


async def select_resources(
    db: Connection | Pool, selections: Sequence[Selection], span: Span, *, descending: bool, related: bool
) -> list[Placed]:
    """Return a part of several kinds as one collection, sorted by text in code point order.

    Resources without a sort value come last, or first when descending; equal ones in the order of their creation.
    """
    values = _values(selections)
    condition = ""
    if span.anchor is not None:
        condition = f"WHERE {_beside(span, first=len(values) + 1, descending=descending)}"
        values += [span.anchor.place, span.anchor.created, span.anchor.id]
    page = f"OFFSET {span.offset:d}" if span.limit is None else f"OFFSET {span.offset:d} LIMIT {span.limit:d}"
    rows = await db.fetch(
        f"""WITH page AS (SELECT id, place FROM ({_matching(selections)}) AS matching {condition}
                          ORDER BY {_order("created, id", descending, span.is_before)} {page})
            SELECT {_COLUMNS}, place, {_RELATED.format(wanted="true" if related else "false")}
            FROM page JOIN scim_resource r USING (id)
            ORDER BY {_order("r.created, r.id", descending, False)}""",  # noqa: S608
        *values,
    )
    return [Placed(_stored(row), Anchor(row["place"], row["created"], row["id"])) for row in rows]


async def insert_resources(connection: Connection, resources: Sequence[Resource], version: int) -> None:
    """Store new resources. Raises `asyncpg.UniqueViolationError` when a name is taken."""
    await connection.execute(
        """INSERT INTO scim_resource (id, kind, name_key, external_id, display_name, active, document, keys,
                                      version, changed, created, modified, standing)
           SELECT u.*, $9, $9, now(), now(), employment_standing(u.keys, 'left')
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
               $6::boolean[], $7::jsonb[], $8::jsonb[])
               AS u(id, kind, name_key, external_id, display_name, active, document, keys)""",
        *_columns(resources),
        version,
    )
    await _put_boundaries(connection, resources)


async def update_resources(connection: Connection, resources: Sequence[Resource], version: int) -> None:
    """Store the new state of resources. Raises `asyncpg.UniqueViolationError` when a name is taken."""
    await connection.execute(
        """UPDATE scim_resource r SET name_key = u.name_key, external_id = u.external_id,
               display_name = u.display_name, active = u.active, document = u.document,
               keys = u.keys, version = $9, changed = $9, modified = now(), deleted = false,
               standing = employment_standing(u.keys, r.standing)
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[],
                       $7::jsonb[], $8::jsonb[])
               AS u(id, kind, name_key, external_id, display_name, active, document, keys)
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
            r AS (INSERT INTO scim_resource (id, kind, name_key, external_id, display_name, active,
                                             document, keys, version, changed, created, modified, standing)
                  SELECT $1, $2, $3, $4, $5, $6, $7, $8, v.version, v.version, now(), now(),
                         employment_standing($8, 'left') FROM v RETURNING *),
            b AS (INSERT INTO employment_boundary (person_id, day)
                  SELECT r.id, boundary.day FROM r, employment_boundaries(r.document) AS boundary(day)),
            h AS (INSERT INTO person_history (person_id, version, recorded_at, source, action, document, standing,
                                              valid_from)
                  SELECT r.id, r.version, now(), $9, 'created', r.document || '{{"groups": []}}'::jsonb, r.standing,
                         effective_day(NULL, r.document, now()) FROM r)
            SELECT {_COLUMNS}, NULL::jsonb AS related, pg_notify($10, r.id) FROM r""",  # noqa: S608
        *(column[0] for column in _columns([user])),
        source,
        DIRECTORY,
    )
    assert row is not None
    return _stored(row)


async def update_user(db: Connection | Pool, user: Resource, before: Stored, source: str) -> Stored | None:
    """Store the new state of a User as `create_user` does, if nothing that concerns it has changed since `before`.

    Returns None when something has. Reports of a manager are not touched, so the display name must be as before.
    """
    row = await db.fetchrow(
        f"""WITH v AS (UPDATE directory_version SET version = version + 1 RETURNING version),
            r AS (UPDATE scim_resource r SET name_key = $3, external_id = $4, display_name = $5, active = $6,
                      document = $7, keys = $8, version = v.version, changed = v.version,
                      modified = now(), standing = employment_standing($8, r.standing)
                  FROM v WHERE r.id = $1 AND r.kind = $2 AND NOT r.deleted AND r.version = $9 AND r.changed = $10
                  RETURNING r.*),
            s AS (SELECT {_COLUMNS}, r.standing, {_RELATED.format(wanted="true")} FROM r),
            d AS (DELETE FROM employment_boundary WHERE person_id IN (SELECT id FROM r)),
            b AS (INSERT INTO employment_boundary (person_id, day)
                  SELECT r.id, boundary.day FROM r, employment_boundaries(r.document) AS boundary(day)),
            h AS (INSERT INTO person_history (person_id, version, recorded_at, source, action, document, standing,
                                              valid_from)
                  SELECT s.id, s.version, now(), $11, 'changed',
                         s.document || jsonb_build_object('groups', coalesce(s.related, '[]')), s.standing,
                         effective_day(before.document, s.document, now())
                  FROM s LEFT JOIN LATERAL (SELECT p.document FROM person_history p WHERE p.person_id = s.id
                                            ORDER BY p.version DESC LIMIT 1) AS before ON true)
            SELECT s.*, pg_notify($12, s.id) FROM s""",  # noqa: S608
        *(column[0] for column in _columns([user])),
        before.version,
        before.changed,
        source,
        DIRECTORY,
    )
    return None if row is None else _stored(row)


async def mark_deleted(connection: Connection, id_: str, version: int) -> None:
    """Hide a User from SCIM; it is kept, and is nobody who works here."""
    await connection.execute(
        """UPDATE scim_resource SET deleted = true, active = false, version = $2, changed = $2, modified = now()
           WHERE id = $1""",
        id_,
        version,
    )


async def delete_group(connection: Connection, id_: str) -> None:
    """Forget a group and who was in it."""
    await connection.execute("DELETE FROM scim_resource WHERE id = $1 AND kind = 'Group'", id_)


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


async def group_ids(connection: Connection) -> dict[str, str]:
    """Return the id of every group by its name as comparisons use it."""
    rows = await connection.fetch("SELECT name_key, id FROM scim_resource WHERE kind = 'Group' AND NOT deleted")
    return {row["name_key"]: row["id"] for row in rows}


async def member_ids(connection: Connection, group_id: str) -> list[str]:
    """Return who is in the group, in the order of their joining it."""
    rows = await connection.fetch("SELECT member_id FROM group_member WHERE group_id = $1 ORDER BY position", group_id)
    return [row["member_id"] for row in rows]


async def add_members(connection: Connection, memberships: Sequence[tuple[str, str]]) -> list[str]:
    """Put members into groups, given pairs of group and member; return those members who were not there yet."""
    rows = await connection.fetch(
        """INSERT INTO group_member (group_id, member_id)
           SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING RETURNING member_id""",
        [group for group, _ in memberships],
        [member for _, member in memberships],
    )
    return [row["member_id"] for row in rows]


async def remove_members(connection: Connection, memberships: Sequence[tuple[str, str]]) -> list[str]:
    """Take members out of groups, given pairs of group and member; return those members who were there."""
    rows = await connection.fetch(
        """DELETE FROM group_member USING unnest($1::text[], $2::text[]) AS u(group_id, member_id)
           WHERE group_member.group_id = u.group_id AND group_member.member_id = u.member_id
           RETURNING group_member.member_id""",
        [group for group, _ in memberships],
        [member for _, member in memberships],
    )
    return [row["member_id"] for row in rows]


async def leave_groups(connection: Connection, member_id: str) -> list[str]:
    """Take the member out of every group and return these."""
    rows = await connection.fetch("DELETE FROM group_member WHERE member_id = $1 RETURNING group_id", member_id)
    return [row["group_id"] for row in rows]


async def touch_groups(connection: Connection, ids: Collection[str], version: int) -> None:
    """Give groups a new version: who is in them has changed."""
    await connection.execute(
        "UPDATE scim_resource SET version = $2, modified = now() WHERE id = ANY($1)", list(ids), version
    )


async def touch_people(connection: Connection, ids: Collection[str], version: int) -> None:
    """Note that something a selector may ask of these people has changed beside their document."""
    await connection.execute(
        "UPDATE scim_resource SET changed = $2 WHERE id = ANY($1) AND kind = 'User'", list(ids), version
    )


async def touch_reports(connection: Connection, manager_ids: Collection[str], version: int) -> None:
    """Note that the managers of some people have changed their names, or have come or gone."""
    await connection.execute(
        """UPDATE scim_resource SET changed = $2
           WHERE id IN (SELECT person_id FROM manager_reference WHERE manager_id = ANY($1))""",
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


async def record_history(
    connection: Connection, ids: Collection[str], *, version: int, source: str, action: str
) -> None:
    """Keep the present state of these people, if they are people; an earlier entry of the same version stays."""
    await connection.execute(
        f"""INSERT INTO person_history (person_id, version, recorded_at, source, action, document, standing,
                                        valid_from)
            SELECT p.id, $2, now(), $3, $4, p.document || jsonb_build_object('groups', coalesce(p.related, '[]')),
                   p.standing, effective_day(before.document, p.document, now())
            FROM (SELECT r.id, r.document, r.standing, {_RELATED.format(wanted="true")}
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


def _matching(selections: Sequence[Selection]) -> str:
    return " UNION ALL ".join(
        f"SELECT r.id, {each.order} AS place, r.created FROM scim_resource r "  # noqa: S608
        f"WHERE r.kind = '{each.kind}' AND NOT r.deleted AND ({each.condition.sql})"
        for each in selections
    )


def _order(equals: str, descending: bool, is_before: bool) -> str:
    """Return what to sort by: `place`, then `equals`; backwards for what lies before an anchor."""
    place = "DESC NULLS FIRST" if descending != is_before else "ASC NULLS LAST"
    return f'place COLLATE "C" {place}, ' + (equals.replace(",", " DESC,") + " DESC" if is_before else equals)


def _beside(span: Span, *, first: int, descending: bool) -> str:
    """Return the condition of lying behind the anchor, or before it, whose values are numbered from `first`."""
    place, created, id_ = f"${first}::text", f"${first + 1}::timestamptz", f"${first + 2}::text"
    equal = f"(created, id) {'<' if span.is_before else '>'} ({created}, {id_})"
    is_upwards = descending == span.is_before
    if span.anchor is None or span.anchor.place is None:
        # Nothing lies above what has no place.
        return f"{place} IS NULL AND (place IS {'NULL AND' if is_upwards else 'NOT NULL OR'} {equal})"
    further = f'place COLLATE "C" > {place} OR place IS NULL' if is_upwards else f'place COLLATE "C" < {place}'
    return f"({further} OR place = {place} AND {equal})"


def _values(selections: Sequence[Selection]) -> list[object]:
    return [argument for each in selections for argument in each.condition.arguments]


def _columns(resources: Sequence[Resource]) -> tuple[list[Any], ...]:
    return (
        [resource.id for resource in resources],
        [resource.kind for resource in resources],
        [resource.name_key for resource in resources],
        [resource.external_id for resource in resources],
        [resource.display_name for resource in resources],
        [resource.active for resource in resources],
        [resource.document for resource in resources],
        [resource.keys for resource in resources],
    )


def _stored(row: asyncpg.Record) -> Stored:
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
