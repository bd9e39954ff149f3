"""The statements of what the archive and the directory hold of one person, one function each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING

from bridge.archive.erasure import Said
from bridge.archive.store import MOMENT
from bridge.ids import PersonId, RoomId, RoomKey, UserId

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool

_PORTION = 1000


async def read_accounts(db: Connection | Pool, person: PersonId) -> list[UserId]:
    """Return the accounts of a person, disabled ones too."""
    rows = await db.fetch("SELECT user_id FROM account WHERE person_id = $1 ORDER BY user_id", person)
    return [UserId(row["user_id"]) for row in rows]


async def read_said(db: Connection | Pool, senders: Collection[UserId]) -> list[Said]:
    """Return what these sent that is still there, in order."""
    rows = await db.fetch(
        "SELECT seq, room_id, state_key IS NOT NULL FROM event"
        " WHERE sender = ANY($1) AND room_id <> '' AND body IS NOT NULL ORDER BY seq",
        list(senders),
    )
    return [Said(seq, RoomId(room_id), is_state) for seq, room_id, is_state in rows]


async def read_keys(db: Connection | Pool) -> dict[RoomId, RoomKey]:
    """Return the keys of managed rooms."""
    rows = await db.fetch("SELECT room_id, key FROM managed_room WHERE room_id IS NOT NULL")
    return {RoomId(row["room_id"]): RoomKey(row["key"]) for row in rows}


async def read_portions(
    connection: Connection, senders: Collection[UserId], *, about: bool
) -> AsyncIterator[list[Row]]:
    """Yield (seq, event_id, room_id, type, sent_at, body) of what these sent, or of others' state about them, in order.

    A body is None when it was disposed of.
    """
    column, after = ("sender <> ALL($1) AND state_key" if about else "sender"), 0
    while rows := await connection.fetch(
        f"SELECT seq, event_id, room_id, type, {MOMENT} AS sent_at, body FROM event"  # noqa: S608 - our own constants
        f" WHERE {column} = ANY($1) AND room_id <> '' AND seq > $2 ORDER BY seq LIMIT {_PORTION}",
        list(senders),
        after,
    ):
        yield rows
        after = rows[-1]["seq"]


async def read_directory(db: Connection | Pool, person: PersonId) -> list[Row]:
    """Return (version, recorded_at, source, action, valid_from, document) of every state of a person, in order."""
    return await db.fetch(
        "SELECT version, recorded_at, source, action, valid_from, document FROM person_history"
        " WHERE person_id = $1 ORDER BY version",
        person,
    )


async def read_acknowledgements(db: Connection | Pool, accounts: Collection[UserId]) -> list[Row]:
    """Return (announcement, event_id, at) of what these accounts acknowledged, in order."""
    return await db.fetch(
        "SELECT announcement, event_id, at FROM acknowledgement WHERE user_id = ANY($1) ORDER BY at, event_id",
        list(accounts),
    )
