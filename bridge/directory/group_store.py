"""The statements on who is in which group: one function each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bridge.database import Connection

RELATED_TO: Final = """CASE WHEN NOT {wanted} THEN NULL WHEN r.kind = 'Group' THEN
    (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', m.member_id, '$ref', o.kind || 's/' || o.id,
            'type', o.kind)) ORDER BY m.position)
        FROM group_member m LEFT JOIN scim_resource o ON o.id = m.member_id WHERE m.group_id = r.id)
    ELSE
    (SELECT jsonb_agg(jsonb_build_object('value', o.id, '$ref', 'Groups/' || o.id, 'type', 'direct',
            'display', o.display_name) ORDER BY o.display_name COLLATE "C", o.id)
        FROM group_member m JOIN scim_resource o ON o.id = m.group_id WHERE m.member_id = r.id)
    END AS related"""
"""The groups of the User `r`, or the members of the Group, as SCIM lists them; NULL unless `wanted`."""


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


async def delete_group(connection: Connection, id_: str) -> None:
    """Forget a group and who was in it."""
    await connection.execute("DELETE FROM scim_resource WHERE id = $1 AND kind = 'Group'", id_)
