"""What was heard, in the tables: receipts, answers, and what they make of a recipient. One function per statement.

`event` is the archive's and only read. Recipients are locked in order, because the postman marks them too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements.form import Form
from bridge.announcements.hearing import Answer, Asked, Standing
from bridge.announcements.receipts import Receipt
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool

Person = tuple[str, UserId]
"""An announcement, and somebody it is for."""


# Receipts


async def put_receipts(db: Database, receipts: Sequence[Receipt], moments: Sequence[datetime]) -> None:
    """Keep how far people have read the rooms in which announcements stand; no receipt goes back in time."""
    await db.execute(
        """INSERT INTO receipt (room_id, user_id, event_id, at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS row (room_id, user_id, e, at)
           WHERE EXISTS (SELECT FROM outgoing o WHERE o.room_id = row.room_id AND o.role = 'copy')
              OR EXISTS (SELECT FROM personal_room p WHERE p.room_id = row.room_id)
           ORDER BY room_id, user_id
           ON CONFLICT (room_id, user_id) DO UPDATE SET event_id = excluded.event_id, at = excluded.at
           WHERE receipt.at <= excluded.at""",
        [receipt.room_id for receipt in receipts],
        [receipt.user_id for receipt in receipts],
        [receipt.event_id for receipt in receipts],
        list(moments),
    )


async def mark_seen(db: Database, rooms: Collection[RoomId], users: Collection[UserId] | None = None) -> None:
    """Let receipts in these rooms, of these users or all, say which texts their owners have seen.

    A receipt covers every text that stands before its event, in the order of the archive.
    """
    await db.execute(
        """WITH seen AS MATERIALIZED (
               SELECT o.announcement, r.user_id, max(o.version) AS version, max(r.at) AS at
               FROM receipt r JOIN outgoing o ON o.said_in = r.room_id AND o.role = 'copy' AND o.event_id IS NOT NULL
                   JOIN announcement a ON a.id = o.announcement AND a.state = 'open'
                   LEFT JOIN event said ON said.event_id = o.event_id
                   LEFT JOIN event read ON read.event_id = r.event_id
               WHERE r.room_id = ANY($1) AND ($2::text[] IS NULL OR r.user_id = ANY($2))
                   AND (r.event_id = o.event_id OR read.seq >= said.seq)
               GROUP BY o.announcement, r.user_id),
           news AS (
               SELECT announcement, user_id, version, at FROM seen JOIN recipient USING (announcement, user_id)
               WHERE coalesce(seen_version, 0) < version
               ORDER BY announcement, user_id FOR NO KEY UPDATE OF recipient)
           UPDATE recipient r SET seen_at = news.at, seen_version = news.version
           FROM news WHERE r.announcement = news.announcement AND r.user_id = news.user_id""",
        list(rooms),
        None if users is None else list(users),
    )


# Answers


async def load_asked(db: Database, announcements: Collection[str]) -> dict[str, Asked]:
    """Return what these announcements ask."""
    rows = await db.fetch("SELECT id, form, ended_at FROM announcement WHERE id = ANY($1)", list(announcements))
    return {row["id"]: Asked(Form.of_json(row["form"]), row["ended_at"]) for row in rows}


async def load_standing(db: Database, announcements: Collection[str], rooms: Collection[RoomId]) -> list[Standing]:
    """Return the texts of these announcements that stand in these rooms, and since when."""
    rows = await db.fetch(
        "SELECT announcement, said_in AS room_id, version, done_at FROM outgoing"
        " WHERE role = 'copy' AND event_id IS NOT NULL AND announcement = ANY($1) AND said_in = ANY($2)",
        list(announcements),
        list(rooms),
    )
    return [Standing(**row) for row in rows]


async def lock_recipients(db: Database, people: Iterable[Person]) -> set[Person]:
    """Lock the recipients among these until the database transaction ends, and return them."""
    announcements, users = _columns(people)
    rows = await db.fetch(
        """SELECT announcement, user_id FROM recipient
           WHERE (announcement, user_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
           ORDER BY announcement, user_id FOR NO KEY UPDATE""",
        announcements,
        users,
    )
    return {(row["announcement"], UserId(row["user_id"])) for row in rows}


async def add_answers(db: Database, answers: Sequence[Answer], texts: Sequence[str | None]) -> set[EventId]:
    """Keep answers of recipients, each with its text or none; return those that are news."""
    rows = await db.fetch(
        """INSERT INTO acknowledgement (event_id, announcement, user_id, at, version, answer, counts)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::integer[], $6::text[],
                                $7::boolean[])
           ON CONFLICT (event_id) DO NOTHING RETURNING event_id""",
        [answer.event_id for answer in answers],
        [answer.announcement for answer in answers],
        [answer.user_id for answer in answers],
        [answer.at for answer in answers],
        [answer.version for answer in answers],
        list(texts),
        [answer.counts for answer in answers],
    )
    return {EventId(row["event_id"]) for row in rows}


async def find_answers(db: Database, events: Collection[EventId]) -> set[Person]:
    """Return whose answers these events are."""
    rows = await db.fetch("SELECT announcement, user_id FROM acknowledgement WHERE event_id = ANY($1)", list(events))
    return {(row["announcement"], UserId(row["user_id"])) for row in rows}


async def remove_answers(db: Database, events: Collection[EventId]) -> None:
    """Forget answers that were taken back."""
    await db.execute("DELETE FROM acknowledgement WHERE event_id = ANY($1)", list(events))


async def mark_tallied(db: Database, people: Iterable[Person]) -> set[Person]:
    """Note that these have answered an anonymous survey; return those who had not before."""
    announcements, users = _columns(people)
    rows = await db.fetch(
        """UPDATE recipient SET tallied = true
           WHERE (announcement, user_id) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND NOT tallied
           RETURNING announcement, user_id""",
        announcements,
        users,
    )
    return {(row["announcement"], UserId(row["user_id"])) for row in rows}


async def add_to_tally(db: Database, announcements: Sequence[str], answers: Sequence[str]) -> None:
    """Count answers to anonymous surveys, given one by one."""
    await db.execute(
        """INSERT INTO survey_answer (announcement, answer, times)
           SELECT announcement, answer, count(*) FROM unnest($1::text[], $2::text[]) AS row (announcement, answer)
           GROUP BY 1, 2 ORDER BY 1, 2
           ON CONFLICT (announcement, md5(answer))
           DO UPDATE SET times = survey_answer.times + excluded.times""",
        list(announcements),
        list(answers),
    )


_SETTLE = """
    WITH person AS MATERIALIZED ({people}),
    counted AS MATERIALIZED (
        SELECT announcement, counted_version(announcement) AS version FROM (SELECT DISTINCT announcement FROM person)),
    first AS (
        SELECT DISTINCT ON (k.announcement, k.user_id) k.announcement, k.user_id, k.at, k.event_id, k.version
        FROM acknowledgement k JOIN person USING (announcement, user_id) JOIN counted c USING (announcement)
        WHERE k.counts AND k.version >= c.version ORDER BY k.announcement, k.user_id, k.at, k.event_id),
    latest AS (
        SELECT DISTINCT ON (k.announcement, k.user_id) k.announcement, k.user_id, k.at, k.event_id, k.answer
        FROM acknowledgement k JOIN person USING (announcement, user_id) JOIN counted c USING (announcement)
        WHERE k.version >= c.version ORDER BY k.announcement, k.user_id, k.at DESC, k.event_id DESC)
    UPDATE recipient r SET acknowledged_at = first.at, acknowledged_by_event = first.event_id,
        acknowledged_version = first.version, answer = latest.answer, answered_at = latest.at,
        answered_by_event = latest.event_id
    FROM person LEFT JOIN first USING (announcement, user_id) LEFT JOIN latest USING (announcement, user_id)
    WHERE r.announcement = person.announcement AND r.user_id = person.user_id
"""


async def settle(db: Database, people: Iterable[Person]) -> None:
    """Let each recipient's standing answers to the text that counts say whether it is acknowledged, and what is said.

    The earliest that counts is the acknowledgement, the latest is the answer. A text counts until the next one that is
    not minor.
    """
    announcements, users = _columns(people)
    chosen = "SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS t (announcement, user_id)"
    await db.execute(_SETTLE.format(people=chosen), announcements, users)


async def settle_everybody(db: Database, announcement: str) -> None:
    """Do the same for everybody an announcement is for, as when it has got another text."""
    everybody = """SELECT announcement, user_id FROM recipient WHERE announcement = $1 AND answered_at IS NOT NULL
                   ORDER BY user_id FOR NO KEY UPDATE"""
    await db.execute(_SETTLE.format(people=everybody), announcement)


def _columns(people: Iterable[Person]) -> tuple[list[str], list[UserId]]:
    listed = list(people)
    return [announcement for announcement, _ in listed], [user_id for _, user_id in listed]
