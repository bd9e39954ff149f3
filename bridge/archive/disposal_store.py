"""The statements of what is due for disposition and of disposing of it, one function each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive.direct_room import NEVER
from bridge.archive.schedule import Limit, Room
from bridge.archive.store import MOMENT
from bridge.ids import RoomId, RoomKey

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool

_TRACES_LOCK = 0x776F7264
"""Shared by those who note what events say; of whoever disposes of events, and of that, alone."""
_DUE = f"""event JOIN unnest($1::text[], $2::timestamptz[], $3::bool[]) AS due (room_id, cutoff, whole) USING (room_id)
    WHERE body IS NOT NULL AND {MOMENT} < cutoff AND (state_key IS NULL OR whole) AND seq > $4 AND seq <= $5"""


def _columns(limits: Sequence[Limit]) -> tuple[list[str], list[datetime], list[bool]]:
    return [one.room_id for one in limits], [one.cutoff for one in limits], [one.whole for one in limits]


async def read_rooms(db: Connection | Pool, bot: str) -> list[Room]:
    """Return every room of which something is archived; the bot is nobody in it.

    A sealed room counts as direct. Before search knows a room, it is when no more than two people were ever invited.
    """
    rows = await db.fetch(
        f"""WITH room AS (
                SELECT room_id, max({MOMENT}) AS newest, bool_or(state_key IS NULL AND body IS NOT NULL) AS speaks
                FROM event WHERE room_id <> '' GROUP BY room_id
            ), people AS (
                SELECT room_id, count(DISTINCT state_key) AS people FROM event
                WHERE type = 'm.room.member' AND state_key IS NOT NULL AND state_key <> $1 GROUP BY room_id
            )
            SELECT room_id, managed.key, newest, speaks,
                   coalesce(open_from = $2, people IS NULL OR people <= 2)
                       OR EXISTS (SELECT FROM sealed_room sealed WHERE sealed.room_id = room.room_id) AS direct,
                   EXISTS (SELECT FROM room_member member
                           WHERE member.room_id = room.room_id AND membership = 'join') AS inhabited
            FROM room LEFT JOIN people USING (room_id) LEFT JOIN managed_room managed USING (room_id)
                 LEFT JOIN search_room USING (room_id)
            ORDER BY room_id""",  # noqa: S608 - our own constants
        bot,
        NEVER,
    )
    return [
        Room(RoomId(room_id), None if key is None else RoomKey(key), direct, newest, speaks, inhabited)
        for room_id, key, newest, speaks, direct, inhabited in rows
    ]


async def read_due(db: Connection | Pool, limits: Sequence[Limit], upto: int) -> list[Row]:
    """Return (room_id, count, oldest, newest, bytes, digest) of what is over, up to a position, by room.

    The digest is SHA-256 of the positions, eight bytes each, in order.
    """
    return await db.fetch(
        f"""SELECT room_id, count(*) AS count, min({MOMENT}) AS oldest, max({MOMENT}) AS newest,
                   sum(length(body))::bigint AS bytes, sha256(string_agg(int8send(seq), '' ORDER BY seq)) AS digest
            FROM {_DUE} GROUP BY room_id ORDER BY room_id""",  # noqa: S608 - our own condition
        *_columns(limits),
        0,
        upto,
    )


async def read_due_positions(
    db: Connection | Pool, limits: Sequence[Limit], after: int, upto: int, count: int
) -> list[tuple[int, str]]:
    """Return (position, room) of what is over behind `after` up to `upto`, in order, at most `count`."""
    rows = await db.fetch(
        f"SELECT seq, room_id FROM {_DUE} ORDER BY seq LIMIT $6",  # noqa: S608 - our own condition
        *_columns(limits),
        after,
        upto,
        count,
    )
    return [(row["seq"], row["room_id"]) for row in rows]


async def count_payloads(db: Connection | Pool) -> int:
    """Return how many events of rooms have not been disposed of."""
    found: int = await db.fetchval("SELECT count(*) FROM event WHERE room_id <> '' AND body IS NOT NULL")
    return found


async def lock_ledger(connection: Connection) -> int:
    """Keep everybody else from adding to the ledger until the database transaction ends; return its size."""
    size: int = await connection.fetchval("SELECT size FROM ledger_head FOR UPDATE")
    return size


async def lock_traces(connection: Connection) -> None:
    """Keep everybody else from noting what events say until the database transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _TRACES_LOCK)


async def hold_off_disposal(connection: Connection, *, lasting: bool = True) -> None:
    """Let nobody dispose of events until the database transaction ends; whoever does so now comes first.

    What is not `lasting` does not wait for the disk when it commits, and may be lost when PostgreSQL crashes before
    something else has waited for it.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock_shared($1),"
        " CASE WHEN $2 THEN '' ELSE set_config('synchronous_commit', 'off', true) END",
        _TRACES_LOCK,
        lasting,
    )


async def read_gone(connection: Connection, first: int, last: int) -> set[int]:
    """Return the positions from one to another whose events were disposed of."""
    rows = await connection.fetch("SELECT seq FROM disposed WHERE seq BETWEEN $1 AND $2", first, last)
    return {row["seq"] for row in rows}


async def read_leaves(connection: Connection, seqs: Collection[int]) -> list[tuple[int, bytes]]:
    """Return (position, leaf) of those that are still there and are no entries, in order."""
    rows = await connection.fetch(
        "SELECT seq, leaf FROM event WHERE seq = ANY($1) AND room_id <> '' AND body IS NOT NULL ORDER BY seq",
        list(seqs),
    )
    return [(row["seq"], row["leaf"]) for row in rows]


async def dispose_events(connection: Connection, entry_seq: int) -> int:
    """Take payload and salt of what the entry of this database transaction names; return how many it were."""
    found: int = await connection.fetchval("SELECT count(*) FROM dispose_events($1)", entry_seq)
    return found


async def forget_quotes(connection: Connection, seqs: Collection[int]) -> None:
    """Remove what consumers quoted of these events, and what encrypted ones said.

    What they are found by is left to `search.forget`, their files to `orphans`.
    """
    await connection.execute(
        """WITH quoted AS (DELETE FROM set_aside WHERE seq = ANY($1)),
                said AS (DELETE FROM plaintext WHERE seq = ANY($1)),
                unsaid AS (DELETE FROM undecrypted WHERE seq = ANY($1)),
                unlinked AS (DELETE FROM media_reference WHERE seq = ANY($1) RETURNING mxc)
           INSERT INTO media_orphan SELECT DISTINCT mxc FROM unlinked ORDER BY mxc
           -- Waits for who is looking at it now, and may see the reference still.
           ON CONFLICT (mxc) DO UPDATE SET mxc = excluded.mxc""",
        list(seqs),
    )


async def read_disposed(db: Connection | Pool, event_id: str) -> Row | None:
    """Return (seq, room_id, type, sender, sent_at, at, reason, entry_id) of a record that was disposed of, or None."""
    return await db.fetchrow(
        f"""SELECT gone.seq, gone.room_id, gone.type, gone.sender, sent_at, disposed.at, reason,
                   entry.event_id AS entry_id
            FROM (SELECT seq, room_id, type, sender, {MOMENT} AS sent_at FROM event
                  WHERE event_id = $1 AND body IS NULL) AS gone
            JOIN disposed ON disposed.seq = gone.seq JOIN event entry ON entry.seq = entry_seq""",  # noqa: S608 - our own constants
        event_id,
    )
