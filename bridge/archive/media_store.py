"""The statements of the media's tables, one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive.media import Place, Reference, server_of
from bridge.archive.sighting import Mention
from bridge.archive.store import MOMENT
from bridge.archive.values import MediaFigures
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Link:
    """An mxc URI that is to be fetched."""

    mxc: str
    tries: int
    """In vain, until now."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an event, and what became of it."""

    seq: int
    mxc: str
    place: Place
    name: str
    mimetype: str
    """As the sender says."""
    sha256: bytes | None
    """None unless it is stored."""
    size: int | None
    """Bytes that are stored."""
    state: str
    """`waiting`, `stored`, `gone`, `failed` or `too_large`."""
    reason: str | None
    """Why it is not there, or what the sender claimed wrongly."""


async def put_references(connection: Connection, references: Sequence[tuple[int, Reference]], own_server: str) -> None:
    """Note which events, by their positions, refer to which files, and have new links fetched; again is fine."""
    links = {reference.mxc: server_of(reference.mxc) != own_server for _, reference in references}
    while not await _lock_links(connection, links):
        pass
    await connection.execute(
        "INSERT INTO media_reference (seq, mxc, place, name, mimetype, size)"
        " SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])"
        " ON CONFLICT DO NOTHING",
        [seq for seq, _ in references],
        [reference.mxc for _, reference in references],
        [reference.place.value for _, reference in references],
        [reference.name for _, reference in references],
        [reference.mimetype for _, reference in references],
        [reference.size for _, reference in references],
    )


async def _lock_links(connection: Connection, links: Mapping[str, bool]) -> bool:
    """Have links, with whether they are another server's, and keep them; False when one was removed in between."""
    await connection.execute(
        "INSERT INTO media_link (mxc, is_remote) SELECT * FROM unnest($1::text[], $2::boolean[])"
        " AS given (mxc, is_remote) ORDER BY mxc ON CONFLICT DO NOTHING",
        list(links),
        list(links.values()),
    )
    kept = await connection.fetch("SELECT FROM media_link WHERE mxc = ANY($1) ORDER BY mxc FOR KEY SHARE", list(links))
    return len(kept) == len(links)


async def wake_fetchers(connection: Connection, channel: str) -> None:
    """Tell those who fetch that there may be something."""
    await connection.execute("SELECT pg_notify($1, '')", channel)


async def claim_link(connection: Connection, now: datetime, limit: int) -> Link | None:
    """Lock the next link that is due, our own homeserver's first, for the length of the database transaction.

    A file that was too large is due once the limit, in bytes, allows it. The lock lets events go on referring to it.
    """
    row = await connection.fetchrow(
        "SELECT mxc, tries FROM media_link WHERE state = 'waiting' AND next_try <= $1"
        " ORDER BY is_remote, next_try LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        now,
    ) or await connection.fetchrow(
        "SELECT mxc, tries FROM media_link WHERE state = 'too_large' AND needs <= $1"
        " ORDER BY needs LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        limit,
    )
    return Link(row["mxc"], row["tries"]) if row else None


async def put_file(connection: Connection, mxc: str, sha256: bytes, size: int, mimetype: str) -> None:
    """Note that a link's file is stored."""
    while not await _lock_file(connection, sha256, size, mimetype):
        pass
    await connection.execute(
        "UPDATE media_link SET state = 'stored', sha256 = $2, reason = NULL, needs = NULL WHERE mxc = $1", mxc, sha256
    )


async def _lock_file(connection: Connection, sha256: bytes, size: int, mimetype: str) -> bool:
    """Have a file, and keep it; False when it was removed in between."""
    await connection.execute(
        "INSERT INTO media_file (sha256, size, mimetype) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        sha256,
        size,
        mimetype,
    )
    return bool(await connection.fetch("SELECT FROM media_file WHERE sha256 = $1 FOR KEY SHARE", sha256))


async def put_failure(
    connection: Connection,
    mxc: str,
    state: str,
    reason: str,
    *,
    next_try: datetime | None = None,
    needs: int | None = None,
) -> None:
    """Note why a link could not be fetched, and when it is tried again."""
    await connection.execute(
        "UPDATE media_link SET state = $2, reason = $3, tries = tries + 1, next_try = coalesce($4, next_try),"
        " needs = $5 WHERE mxc = $1",
        mxc,
        state,
        reason,
        next_try,
        needs,
    )


async def read_attachments(db: Connection | Pool, seqs: Collection[int]) -> list[Attachment]:
    """Return the files of the events at these positions, by position."""
    rows = await db.fetch(
        "SELECT seq, mxc, place, name, mimetype, sha256, size, state, reason FROM event_media"
        " WHERE seq = ANY($1) ORDER BY seq, place, mxc",
        list(seqs),
    )
    return [
        Attachment(
            seq=row["seq"],
            mxc=row["mxc"],
            place=Place(row["place"]),
            name=row["name"],
            mimetype=row["mimetype"],
            sha256=row["sha256"],
            size=row["size"],
            state=row["state"],
            reason=row["reason"],
        )
        for row in rows
    ]


async def read_file(db: Connection | Pool, sha256: bytes) -> Row | None:
    """Return (size, mimetype, stored_at) of a stored file, or None."""
    return await db.fetchrow("SELECT size, mimetype, stored_at FROM media_file WHERE sha256 = $1", sha256)


async def read_hashes(db: Connection | Pool) -> list[bytes]:
    """Return the SHA-256 of every stored file."""
    rows = await db.fetch("SELECT sha256 FROM media_file ORDER BY sha256")
    return [row["sha256"] for row in rows]


async def read_link(db: Connection | Pool, mxc: str) -> Row | None:
    """Return (mxc, sha256, reason) of a link, or None when no event refers to it."""
    return await db.fetchrow("SELECT mxc, sha256, reason FROM media_link WHERE mxc = $1", mxc)


async def read_links(db: Connection | Pool, sha256: bytes) -> list[Row]:
    """Return (mxc, sha256, reason) of the links by which a stored file was found."""
    return await db.fetch("SELECT mxc, sha256, reason FROM media_link WHERE sha256 = $1 ORDER BY mxc", sha256)


async def read_mentions(db: Connection | Pool, mxcs: Collection[str]) -> list[Mention]:
    """Return the events that refer to these links, in the order in which they were sent."""
    rows = await db.fetch(
        f"SELECT seq, event_id, room_id, sender, type, {MOMENT} AS at, place, name, mxc"  # noqa: S608 - our own
        " FROM media_reference JOIN event USING (seq) WHERE mxc = ANY($1) ORDER BY at, seq",
        list(mxcs),
    )
    return [
        Mention(
            seq=row["seq"],
            event_id=EventId(row["event_id"]),
            room_id=RoomId(row["room_id"]),
            sender=UserId(row["sender"]),
            type=row["type"],
            at=row["at"],
            place=Place(row["place"]),
            name=row["name"],
            mxc=row["mxc"],
        )
        for row in rows
    ]


async def media_figures(db: Connection | Pool) -> MediaFigures:
    """Return how many links are fetched, waiting and given up, why, and how much the files take."""
    rows = await db.fetch("SELECT state, count(*) AS links FROM media_link GROUP BY state")
    counts = {row["state"]: row["links"] for row in rows}
    reasons = await db.fetch(
        "SELECT reason, count(*) AS links FROM media_link WHERE reason IS NOT NULL"
        " GROUP BY reason ORDER BY links DESC, reason LIMIT 5"
    )
    files = await db.fetchrow("SELECT count(*) AS files, coalesce(sum(size), 0)::bigint AS size FROM media_file")
    assert files is not None
    return MediaFigures(
        files=files["files"],
        size=files["size"],
        stored=counts.pop("stored", 0),
        waiting=counts.pop("waiting", 0),
        failed=sum(counts.values()),
        reasons={row["reason"]: row["links"] for row in reasons},
    )


async def media_by_room(
    db: Connection | Pool, room_ids: Collection[RoomId] | None = None
) -> dict[RoomId, MediaFigures]:
    """Return the same for each of these rooms, or of all, in which an event refers to media.

    A file that two rooms have counts in both.
    """
    rows = await db.fetch(
        """
        WITH linked AS (SELECT DISTINCT room_id, mxc FROM media_reference JOIN event USING (seq)
                        WHERE $1::text[] IS NULL OR room_id = ANY($1)),
             counted AS (SELECT room_id, count(*) FILTER (WHERE state = 'stored') AS stored,
                                count(*) FILTER (WHERE state = 'waiting') AS waiting,
                                count(*) FILTER (WHERE state NOT IN ('stored', 'waiting')) AS failed
                         FROM linked JOIN media_link USING (mxc) GROUP BY room_id),
             held AS (SELECT room_id, count(*) AS files, sum(size)::bigint AS size
                      FROM (SELECT DISTINCT room_id, sha256 FROM linked JOIN media_link USING (mxc)) AS each
                           JOIN media_file USING (sha256) GROUP BY room_id),
             reasons AS (SELECT room_id, jsonb_object_agg(reason, links) AS reasons
                         FROM (SELECT room_id, reason, count(*) AS links FROM linked JOIN media_link USING (mxc)
                               WHERE reason IS NOT NULL GROUP BY room_id, reason) AS each GROUP BY room_id)
        SELECT room_id, stored, waiting, failed, coalesce(files, 0) AS files, coalesce(size, 0) AS size,
               coalesce(reasons, '{}') AS reasons
        FROM counted LEFT JOIN held USING (room_id) LEFT JOIN reasons USING (room_id)
        """,
        None if room_ids is None else list(room_ids),
    )
    return {
        RoomId(row["room_id"]): MediaFigures(
            row["files"], row["size"], row["stored"], row["waiting"], row["failed"], row["reasons"]
        )
        for row in rows
    }
