"""Who stands above and below whom, in the database: the manager relation, a few levels of it at a time."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def people_above(db: Connection | Pool, people: Collection[PersonId], levels: int) -> frozenset[PersonId]:
    """Return the managers of these people, theirs, and so on, up to so many levels."""
    rows = await db.fetch(
        """WITH RECURSIVE above (id, level) AS (
               SELECT unnest($1::text[]), 0
               UNION
               SELECT m.manager_id, above.level + 1 FROM above JOIN manager_reference m ON m.person_id = above.id
               WHERE above.level < $2 AND m.manager_id IS NOT NULL)
           SELECT DISTINCT id FROM above WHERE level > 0""",
        list(people),
        levels,
    )
    return frozenset(PersonId(row["id"]) for row in rows)


async def people_below(db: Connection | Pool, people: Collection[PersonId], levels: int) -> frozenset[PersonId]:
    """Return who reports to these people, who to those, and so on, down to so many levels."""
    rows = await db.fetch(
        """WITH RECURSIVE below (id, level) AS (
               SELECT unnest($1::text[]), 0
               UNION
               SELECT m.person_id, below.level + 1 FROM below JOIN manager_reference m ON m.manager_id = below.id
               WHERE below.level < $2)
           SELECT DISTINCT id FROM below WHERE level > 0""",
        list(people),
        levels,
    )
    return frozenset(PersonId(row["id"]) for row in rows)
