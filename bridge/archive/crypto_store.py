"""The statements on the archive's device, its keys, and what was read with them: one function each.

Pickles come and go encrypted. Callers open the database transactions where several statements are one thing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool


async def lock_device(connection: Connection) -> Row | None:
    """Return (user_id, device_id, fingerprint, account, sync_token, ready) of the device, to be changed."""
    return await connection.fetchrow("SELECT * FROM archivist FOR UPDATE")


async def read_device(db: Connection | Pool) -> Row | None:
    """Return (user_id, device_id, fingerprint, account, sync_token, ready) of the archive's device, or None."""
    return await db.fetchrow("SELECT * FROM archivist")


async def add_device(db: Connection | Pool, user_id: UserId, device_id: str, fingerprint: str, account: str) -> None:
    """Keep a new device, unless there is one."""
    await db.execute(
        "INSERT INTO archivist (user_id, device_id, fingerprint, account) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        user_id,
        device_id,
        fingerprint,
        account,
    )


async def put_account(db: Connection | Pool, account: str) -> None:
    """Keep the device's keys."""
    await db.execute("UPDATE archivist SET account = $1", account)


async def mark_ready(db: Connection | Pool) -> None:
    """Note that the device's keys are published and signed."""
    await db.execute("UPDATE archivist SET ready = true")


async def move_sync(db: Connection | Pool, token: str) -> None:
    """Note up to where the messages to the device are taken in."""
    await db.execute("UPDATE archivist SET sync_token = $1", token)


async def read_channels(db: Connection | Pool, sender_key: str) -> list[str]:
    """Return the pickles of the channels to a device, the last used first."""
    rows = await db.fetch("SELECT pickle FROM olm_session WHERE sender_key = $1 ORDER BY used_at DESC", sender_key)
    return [row["pickle"] for row in rows]


async def has_fresh_channel(db: Connection | Pool, sender_key: str) -> bool:
    """Tell whether a channel to a device was begun or used within the last hour."""
    fresh: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM olm_session WHERE sender_key = $1 AND used_at > now() - interval '1 hour')",
        sender_key,
    )
    return fresh


async def put_channel(db: Connection | Pool, session_id: str, sender_key: str, pickle: str) -> None:
    """Keep a channel as it is now."""
    await db.execute(
        "INSERT INTO olm_session (session_id, sender_key, pickle) VALUES ($1, $2, $3)"
        " ON CONFLICT (session_id) DO UPDATE SET pickle = excluded.pickle, used_at = clock_timestamp()",
        session_id,
        sender_key,
        pickle,
    )


async def put_room_key(
    db: Connection | Pool,
    room_id: RoomId,
    session_id: str,
    owner: UserId,
    sender_key: str,
    trust: str,
    first_index: int,
    pickle: str,
) -> None:
    """Keep the key of a room, unless we have it from an earlier message on."""
    await db.execute(
        """INSERT INTO room_key (room_id, session_id, owner, sender_key, trust, first_index, pickle)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (room_id, session_id, owner) DO UPDATE
           SET sender_key = excluded.sender_key, trust = excluded.trust, first_index = excluded.first_index,
               pickle = excluded.pickle, received_at = excluded.received_at
           WHERE excluded.first_index < room_key.first_index""",
        room_id,
        session_id,
        owner,
        sender_key,
        trust,
        first_index,
        pickle,
    )


async def put_withheld(db: Connection | Pool, room_id: str, session_id: str, owner: UserId, code: str) -> None:
    """Keep that a client refused to give a key; the newest reason counts."""
    await db.execute(
        "INSERT INTO withheld_key VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (room_id, session_id, owner) DO UPDATE SET code = excluded.code",
        room_id,
        session_id,
        owner,
        code,
    )


async def read_room_key(db: Connection | Pool, room_id: RoomId, session_id: str, owner: UserId) -> Row | None:
    """Return (sender_key, trust, first_index, pickle) of the key that opens somebody's messages, or None."""
    return await db.fetchrow(
        "SELECT sender_key, trust, first_index, pickle FROM room_key"
        " WHERE room_id = $1 AND session_id = $2 AND owner = $3",
        room_id,
        session_id,
        owner,
    )


async def put_plaintext(
    connection: Connection,
    seq: int,
    body: bytes,
    sender_key: str,
    session_id: str,
    message_index: int,
    trust: str,
) -> bool:
    """Keep what an event says; False when another event said so with the same key at the same place."""
    await connection.execute(
        "INSERT INTO plaintext (seq, body, sender_key, session_id, message_index, trust)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        seq,
        body,
        sender_key,
        session_id,
        message_index,
        trust,
    )
    kept: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM plaintext WHERE seq = $1)", seq)
    if kept:
        await connection.execute("DELETE FROM undecrypted WHERE seq = $1", seq)
    return kept


async def put_undecrypted(
    db: Connection | Pool,
    seq: int,
    room_id: RoomId,
    session_id: str,
    sender: UserId,
    reason: str,
    first_index: int | None,
) -> None:
    """Keep that an event could not be read, and with which key; not when it was."""
    await db.execute(
        """INSERT INTO undecrypted (seq, room_id, session_id, sender, reason, first_index)
           SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT FROM plaintext WHERE seq = $1)
           ON CONFLICT (seq) DO UPDATE SET reason = excluded.reason, first_index = excluded.first_index""",
        seq,
        room_id,
        session_id,
        sender,
        reason,
        first_index,
    )


async def read_openable(db: Connection | Pool, limit: int) -> list[Row]:
    """Return (seq, body) of events that could not be read and for which there is another key by now."""
    return await db.fetch(
        """SELECT seq, event.body FROM undecrypted
           JOIN room_key ON room_key.room_id = undecrypted.room_id AND room_key.session_id = undecrypted.session_id
               AND owner = undecrypted.sender
           JOIN event USING (seq)
           WHERE event.body IS NOT NULL
               AND (undecrypted.first_index IS NULL OR room_key.first_index < undecrypted.first_index)
           ORDER BY seq LIMIT $1""",
        limit,
    )


async def read_undecrypted(db: Connection | Pool) -> list[Row]:
    """Return (room_id, reason, code, events) of what could not be read; `code` is why the client kept the key, a null
    reason that nobody has tried."""
    return await db.fetch(
        """SELECT event.room_id, reason, code, count(*) AS events
           FROM event LEFT JOIN undecrypted USING (seq)
           LEFT JOIN withheld_key ON withheld_key.room_id = undecrypted.room_id
               AND withheld_key.session_id = undecrypted.session_id AND owner = undecrypted.sender
           WHERE type = 'm.room.encrypted' AND NOT EXISTS (SELECT FROM plaintext WHERE plaintext.seq = event.seq)
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
    )


async def count_plaintexts(db: Connection | Pool) -> dict[RoomId, int]:
    """Return how many encrypted events of each room could be read."""
    rows = await db.fetch("SELECT room_id, count(*) AS events FROM plaintext JOIN event USING (seq) GROUP BY room_id")
    return {RoomId(row["room_id"]): row["events"] for row in rows}


async def read_plaintexts(db: Connection | Pool, seqs: Collection[int]) -> dict[int, bytes]:
    """Return what those of the events say that were encrypted and could be read, as canonical JSON."""
    rows: Sequence[Row] = await db.fetch("SELECT seq, body FROM plaintext WHERE seq = ANY($1)", list(seqs))
    return {row["seq"]: row["body"] for row in rows}


async def is_encryption_met(db: Connection | Pool) -> bool:
    """Return whether there is a device, a room that the policy encrypts, or one that is encrypted."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM archivist)"
        " OR EXISTS (SELECT FROM managed_room WHERE settings @> '{\"encrypted\": true}'::jsonb)"
        " OR EXISTS (SELECT FROM event WHERE type = 'm.room.encryption' AND state_key = '')"
        " OR EXISTS (SELECT FROM event WHERE type = 'm.room.encrypted')"
    )
    return found


async def read_encrypted_rooms(db: Connection | Pool) -> frozenset[RoomId]:
    """Return the rooms that the policy encrypts; `managed_room` is the membership's and only read."""
    rows = await db.fetch(
        "SELECT room_id FROM managed_room WHERE room_id IS NOT NULL AND settings @> '{\"encrypted\": true}'::jsonb"
    )
    return frozenset(RoomId(row["room_id"]) for row in rows)
