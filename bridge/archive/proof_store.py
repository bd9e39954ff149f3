"""The statements of what proofs are made from and what was signed, one function each.

Events are read for checking in blocks, which are the ledger's. Callers open the database transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.archive.filing import Filed
from bridge.archive.inspection import Portion
from bridge.archive.ledger import BLOCK, HASH_SIZE, SALT_SIZE

if TYPE_CHECKING:
    import asyncpg

    from bridge.archive.inspection import Row
    from bridge.database import Connection, Pool

_CHECKPOINT_LOCK = 0x6D757373
"""Advisory lock of who makes a checkpoint."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint as it is kept, unchecked."""

    size: int
    frontier: bytes
    note: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Located:
    """A record that is there, with its position."""

    seq: int
    salt: bytes
    body: bytes


async def read_portion(connection: Connection, start: int, end: int) -> Portion:
    """Return the rows behind `start` up to `end`, each column as one value, which is ten times faster than rows."""
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE length(salt) = $3 AND length(leaf) = $4) AS count,
               string_agg(int8send(seq), '') AS seqs, string_agg(timestamptz_send(received_at), '') AS times,
               string_agg(int4send(length(body)), '') AS lengths, string_agg(salt, '') AS salts,
               string_agg(leaf, '') AS leaves, string_agg(body, '') AS bodies,
               (SELECT root FROM ledger_block WHERE number = $1 / $5) AS root
        FROM (SELECT seq, received_at, salt, leaf, body FROM event WHERE seq > $1 AND seq <= $2
              ORDER BY seq) AS ordered
        """,
        start,
        end,
        SALT_SIZE,
        HASH_SIZE,
        BLOCK,
    )
    assert row is not None
    if not row["count"]:
        return Portion(0, b"", b"", b"", b"", b"", b"", row["root"])
    return Portion(*row)


async def read_disposed(connection: Connection, start: int, end: int) -> tuple[dict[int, int], dict[int, bytes]]:
    """Return what is noted as disposed of behind `start` up to `end`: position → entry's position → entry's body."""
    rows = await connection.fetch("SELECT seq, entry_seq FROM disposed WHERE seq > $1 AND seq <= $2", start, end)
    gone = {row["seq"]: row["entry_seq"] for row in rows}
    entries = await connection.fetch(
        "SELECT seq, body FROM event WHERE seq = ANY($1) AND body IS NOT NULL", list(set(gone.values()))
    )
    return gone, {row["seq"]: row["body"] for row in entries}


async def read_rows(connection: Connection, start: int, end: int) -> list[Row]:
    """Return (position, time of arrival, salt, leaf, body) of the events behind `start` up to `end`.

    Salt and body are None where they were disposed of.
    """
    rows = await connection.fetch(
        "SELECT seq, timestamptz_send(received_at), salt, leaf, body FROM event WHERE seq > $1 AND seq <= $2"
        " ORDER BY seq",
        start,
        end,
    )
    return [(seq, int.from_bytes(at, signed=True), *rest) for seq, at, *rest in rows]


async def read_filed(connection: Connection, start: int, end: int) -> list[Filed]:
    """Return the events behind `start` up to `end` with the columns beside them; not what was disposed of."""
    rows = await connection.fetch(
        """
        SELECT seq, body, origin_ts, event_id, room_id, type, sender, state_key, relates_to FROM event
        WHERE seq > $1 AND seq <= $2 AND body IS NOT NULL ORDER BY seq
        """,
        start,
        end,
    )
    return [Filed(seq, tuple(columns), body) for seq, body, *columns in rows]


async def first_outside(connection: Connection, size: int) -> int | None:
    """Return the first position that a ledger of that size does not have, and the table does."""
    found: int | None = await connection.fetchval("SELECT min(seq) FROM event WHERE seq < 1 OR seq > $1", size)
    return found


async def event_and_room_at(connection: Connection, seq: int) -> tuple[str, str]:
    """Return the event ID and the room that are indexed at a position, empty when there are none."""
    row = await connection.fetchrow("SELECT event_id, room_id FROM event WHERE seq = $1", seq)
    return (row["event_id"], row["room_id"]) if row else ("", "")


async def read_leaves(connection: Connection, start: int, end: int) -> list[bytes]:
    """Return the leaves behind `start` up to `end`, in order."""
    rows = await connection.fetch("SELECT leaf FROM event WHERE seq > $1 AND seq <= $2 ORDER BY seq", start, end)
    return [row["leaf"] for row in rows]


async def read_blocks(connection: Connection, below: int) -> dict[int, bytes]:
    """Return the roots of the first `below` blocks, by number, as far as they are known."""
    rows = await connection.fetch("SELECT number, root FROM ledger_block WHERE number < $1", below)
    return {row["number"]: row["root"] for row in rows}


async def add_blocks(connection: Connection, numbers: Sequence[int], roots: Sequence[bytes]) -> None:
    """Keep the roots of whole blocks; those that are known stay."""
    await connection.execute(
        "INSERT INTO ledger_block SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT DO NOTHING",
        numbers,
        roots,
    )


async def lock_checkpoints(connection: Connection) -> None:
    """Wait until nobody else makes a checkpoint, and keep others waiting until the database transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _CHECKPOINT_LOCK)


async def add_checkpoint(connection: Connection, size: int, frontier: bytes, note: str) -> None:
    """Keep a checkpoint."""
    await connection.execute(
        "INSERT INTO ledger_checkpoint (size, frontier, note) VALUES ($1, $2, $3)", size, frontier, note
    )


async def read_checkpoints(db: Connection | Pool) -> list[Stored]:
    """Return all checkpoints, by size."""
    rows = await db.fetch("SELECT size, frontier, note, made_at FROM ledger_checkpoint ORDER BY size")
    return [_stored(row) for row in rows]


async def read_newest_checkpoint(db: Connection | Pool) -> Stored | None:
    """Return the checkpoint that covers most, None when there is none."""
    row = await db.fetchrow("SELECT size, frontier, note, made_at FROM ledger_checkpoint ORDER BY size DESC LIMIT 1")
    return _stored(row) if row else None


async def read_rotations(db: Connection | Pool) -> list[str]:
    """Return the statements about new keys, by size, unchecked."""
    return [row["note"] for row in await db.fetch("SELECT note FROM key_rotation ORDER BY size")]


async def add_rotation(connection: Connection, size: int, note: str) -> None:
    """Keep the statement about a new key."""
    await connection.execute("INSERT INTO key_rotation (size, note) VALUES ($1, $2)", size, note)


async def is_checkpoint_due(db: Connection | Pool, every: timedelta, leaves: int) -> bool:
    """Return whether so many events came since the last checkpoint, or any and so much time passed.

    The events with which checkpoints are anchored do not count: they would be a reason for ever more of them.
    """
    due: bool = await db.fetchval(
        """
        WITH last AS (SELECT coalesce(max(size), 0) AS size, max(made_at) AS made_at FROM ledger_checkpoint)
        SELECT head.size >= last.size + $2
               OR coalesce(last.made_at <= now() - $1::interval, true)
                  AND EXISTS (SELECT FROM event WHERE seq > last.size AND NOT EXISTS (
                              SELECT FROM checkpoint_anchor WHERE anchor = 'room' AND place = event.event_id))
        FROM ledger_head AS head, last
        """,
        every,
        leaves,
    )
    return due


async def read_record(connection: Connection, event_id: str) -> tuple[int, bytes | None, bytes, bytes | None] | None:
    """Return (position, salt, leaf, body) of an event, or None; what was disposed of has no salt and no body."""
    row = await connection.fetchrow("SELECT seq, salt, leaf, body FROM event WHERE event_id = $1", event_id)
    return tuple(row) if row else None


async def read_located(connection: Connection, seq: int) -> Located | None:
    """Return the record at a position, None when there is none or it was disposed of."""
    row = await connection.fetchrow("SELECT seq, salt, body FROM event WHERE seq = $1 AND body IS NOT NULL", seq)
    return Located(*row) if row else None


async def read_last_needed(connection: Connection, event_id: str) -> int | None:
    """Return how many events a checkpoint must cover to prove the event, or its disposal; None when there is none."""
    found: int | None = await connection.fetchval(
        "SELECT coalesce(entry_seq, seq) FROM event LEFT JOIN disposed USING (seq) WHERE event_id = $1", event_id
    )
    return found


async def is_anchored(db: Connection | Pool, size: int, anchor: str) -> bool:
    """Return whether the checkpoint was anchored there."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM checkpoint_anchor WHERE size = $1 AND anchor = $2)", size, anchor
    )
    return found


async def add_anchor(db: Connection | Pool, size: int, anchor: str, place: str, token: bytes | None) -> None:
    """Note where a checkpoint was anchored, once."""
    await db.execute(
        "INSERT INTO checkpoint_anchor (size, anchor, place, token) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        size,
        anchor,
        place,
        token,
    )


async def read_newest_timestamp(db: Connection | Pool) -> tuple[str, bytes] | None:
    """Return the newest checkpoint that was stamped and the authority's answer, in DER; None when none was."""
    row = await db.fetchrow(
        "SELECT note, token FROM checkpoint_anchor JOIN ledger_checkpoint USING (size) WHERE token IS NOT NULL"
        " ORDER BY size DESC LIMIT 1"
    )
    return (row["note"], row["token"]) if row else None


def _stored(row: asyncpg.Record) -> Stored:
    return Stored(row["size"], row["frontier"], row["note"], row["made_at"])
