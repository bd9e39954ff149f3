"""The statements on whom each feed has named, who is missing, and who waits for a second person: one function each.

Whoever writes holds the directory's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from bridge.database.listen import MEMBERSHIP
from bridge.directory.door import AbsenceList, Missing
from bridge.ids import PersonId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

_KEPT_BY: Final = """coalesce(
    (SELECT min(o.feed) FROM feed_person o JOIN feed f ON f.name = o.feed
     WHERE o.person_id = {person} AND o.feed <> {feed} AND o.absent_since IS NULL AND f.whole_at IS NOT NULL),
    (SELECT 'hook:' || min(source) FROM hook_person WHERE person_id = {person} HAVING count(*) > 0),
    (SELECT min(source) FROM person_history
     WHERE person_id = {person} AND action = 'created' AND source LIKE 'scim:%'))"""
"""Another source that brings somebody now. A feed that never shows everybody does not say whom it has dropped."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody who works here and is missing from a feed, to be shown."""

    feed: str
    person: PersonId
    user_name: str
    display_name: str
    since: datetime
    kept_by: str | None
    waits: bool
    """For a second person."""


async def put_feed(connection: Connection, feed: str, whole_at: datetime | None) -> None:
    """Note that there is such a feed, and when it showed everybody, if it did."""
    await connection.execute(
        """INSERT INTO feed (name, whole_at) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET whole_at = coalesce(excluded.whole_at, feed.whole_at)""",
        feed,
        whole_at,
    )


async def load_named(db: Connection | Pool, feed: str) -> dict[PersonId, datetime | None]:
    """Return whom the feed has named, each with the time since when it does no more."""
    rows = await db.fetch("SELECT person_id, absent_since FROM feed_person WHERE feed = $1", feed)
    return {PersonId(row["person_id"]): row["absent_since"] for row in rows}


async def put_named(connection: Connection, feed: str, people: Collection[PersonId]) -> None:
    """Note that the feed names these people; whoever was missing is back."""
    await connection.execute(
        """INSERT INTO feed_person (feed, person_id) SELECT $1, unnest($2::text[])
           ON CONFLICT (feed, person_id) DO UPDATE SET absent_since = NULL
           WHERE feed_person.absent_since IS NOT NULL""",
        feed,
        list(people),
    )


async def note_absent(connection: Connection, feed: str, people: Collection[PersonId], since: datetime) -> None:
    """Note since when these people are missing, unless that is known."""
    await connection.execute(
        """UPDATE feed_person SET absent_since = $3
           WHERE feed = $1 AND person_id = ANY($2) AND absent_since IS NULL""",
        feed,
        list(people),
        since,
    )


async def forget_named(connection: Connection, feed: str, people: Collection[PersonId]) -> None:
    """Forget that the feed has named these people, so that they cannot be missing before it names them anew."""
    await connection.execute("DELETE FROM feed_person WHERE feed = $1 AND person_id = ANY($2)", feed, list(people))


async def forget_feed(connection: Connection, feed: str) -> bool:
    """Forget a feed that is given up: it names nobody, and nobody is missing from it. Returns whether there was one."""
    await connection.execute("DELETE FROM feed_person WHERE feed = $1", feed)
    await drop_list(connection, feed)
    status: str = await connection.execute("DELETE FROM feed WHERE name = $1", feed)
    return status.endswith(" 1")


async def load_feeds(db: Connection | Pool) -> list[str]:
    """Return the names of all feeds."""
    return [row["name"] for row in await db.fetch("SELECT name FROM feed ORDER BY name")]


async def load_missing(db: Connection | Pool, feed: str, people: Collection[PersonId]) -> list[Missing]:
    """Return what is known of these people whom the feed has named and does not name now."""
    rows = await db.fetch(
        f"""SELECT n.person_id, n.absent_since, {_KEPT_BY.format(person="n.person_id", feed="n.feed")} AS kept_by,
                   (SELECT max(o.absent_since) FROM feed_person o JOIN feed f ON f.name = o.feed
                    WHERE o.person_id = n.person_id AND o.feed <> n.feed AND f.whole_at IS NOT NULL) AS unnamed_since
            FROM feed_person n WHERE n.feed = $1 AND n.person_id = ANY($2)""",  # noqa: S608 - our own constant
        feed,
        list(people),
    )
    return [
        Missing(PersonId(row["person_id"]), row["absent_since"], row["unnamed_since"], row["kept_by"] or "")
        for row in rows
    ]


async def load_absences(db: Connection | Pool) -> list[Absence]:
    """Return everybody who works here and is missing from some feed, by feed and name."""
    rows = await db.fetch(
        f"""SELECT n.feed, n.person_id, r.document->>'userName' AS user_name, r.display_name, n.absent_since,
                   {_KEPT_BY.format(person="n.person_id", feed="n.feed")} AS kept_by,
                   EXISTS (SELECT FROM absence_list l WHERE l.feed = n.feed AND l.approved_at IS NULL
                           AND n.person_id = ANY(l.people)) AS waits
            FROM feed_person n JOIN scim_resource r ON r.id = n.person_id
            WHERE n.absent_since IS NOT NULL AND r.active AND NOT r.deleted
            ORDER BY n.feed, r.name_key""",  # noqa: S608 - our own constant
    )
    return [
        Absence(
            row["feed"],
            PersonId(row["person_id"]),
            row["user_name"],
            row["display_name"],
            row["absent_since"],
            row["kept_by"],
            row["waits"],
        )
        for row in rows
    ]


# Who left by being missing


async def load_removals(db: Connection | Pool, feed: str, since: datetime) -> frozenset[PersonId]:
    """Return who has left by being missing from the feed after that moment, without anybody's approval."""
    rows = await db.fetch("SELECT person_id FROM feed_removal WHERE feed = $1 AND removed_at > $2", feed, since)
    return frozenset(PersonId(row["person_id"]) for row in rows)


async def put_removals(connection: Connection, feed: str, people: Collection[PersonId], at: datetime) -> None:
    """Note that these people have left by being missing from the feed."""
    await connection.execute(
        """INSERT INTO feed_removal (feed, person_id, removed_at) SELECT $1, unnest($2::text[]), $3
           ON CONFLICT (feed, person_id) DO UPDATE SET removed_at = excluded.removed_at""",
        feed,
        list(people),
        at,
    )


async def forget_removals(db: Connection | Pool, before: datetime) -> None:
    """Forget who had left by being missing before a moment; the history of people stays."""
    await db.execute("DELETE FROM feed_removal WHERE removed_at < $1", before)


# Who waits for a second person


async def load_lists(db: Connection | Pool, feed: str | None = None) -> list[AbsenceList]:
    """Return the lists that wait, of one feed or all, oldest first."""
    rows = await db.fetch(
        """SELECT feed, people, reason, held_at, told_at FROM absence_list
           WHERE approved_at IS NULL AND ($1::text IS NULL OR feed = $1) ORDER BY held_at, feed""",
        feed,
    )
    return [_list(row) for row in rows]


async def put_list(connection: Connection, waiting: AbsenceList) -> None:
    """Keep a list instead of the feed's last one, and wake whoever tells the administrators."""
    await drop_list(connection, waiting.feed)
    await connection.execute(
        "INSERT INTO absence_list (feed, digest, people, reason, held_at) VALUES ($1, $2, $3, $4, $5)",
        waiting.feed,
        waiting.digest,
        list(waiting.people),
        waiting.reason,
        waiting.held_at,
    )
    await connection.execute("SELECT pg_notify($1, '')", MEMBERSHIP)


async def drop_list(connection: Connection, feed: str) -> None:
    """Forget the feed's list that waits, if there is one, and a no to it."""
    await connection.execute(
        """WITH dropped AS (DELETE FROM absence_list WHERE feed = $1 AND approved_at IS NULL RETURNING digest),
               rejected AS (DELETE FROM rejection WHERE digest IN (SELECT digest FROM dropped))
           DELETE FROM held_notice WHERE digest IN (SELECT digest FROM dropped)""",
        feed,
    )


async def mark_told(db: Connection | Pool, waiting: AbsenceList, at: datetime) -> None:
    """Remember that the administrators know of this very list."""
    await db.execute(
        "UPDATE absence_list SET told_at = $3 WHERE feed = $1 AND digest = $2 AND approved_at IS NULL",
        waiting.feed,
        waiting.digest,
        at,
    )


async def approve_list(
    connection: Connection, waiting: AbsenceList, approved_by: PersonId, at: datetime, version: int
) -> None:
    """Record a second person's yes, and the directory version that it made."""
    await connection.execute(
        """UPDATE absence_list SET approved_at = $3, approved_by = $4, version = $5
           WHERE feed = $1 AND digest = $2 AND approved_at IS NULL""",
        waiting.feed,
        waiting.digest,
        at,
        approved_by,
        version,
    )


async def load_pardons(db: Connection | Pool, people: Collection[PersonId]) -> dict[PersonId, str]:
    """Return which of these were let go by a second person and have not been here since, with the list's digest."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (p.id) p.id, l.digest FROM absence_list l CROSS JOIN unnest(l.people) AS p(id)
           WHERE l.approved_at IS NOT NULL AND l.people && $1::text[] AND p.id = ANY($1)
               AND NOT EXISTS (SELECT FROM person_history h WHERE h.person_id = p.id AND h.version > l.version
                               AND h.document->>'active' IS DISTINCT FROM 'false')
           ORDER BY p.id, l.id DESC""",
        list(people),
    )
    return {PersonId(row["id"]): row["digest"] for row in rows}


def _list(row: asyncpg.Record) -> AbsenceList:
    people: Sequence[str] = row["people"]
    return AbsenceList(
        row["feed"], tuple(map(PersonId, people)), row["reason"], row["held_at"], told=row["told_at"] is not None
    )
