"""The room in which the bot talks with one person alone.

There is one for each person, made when it is first needed; its alias, which nobody else can take, makes that true also
when Muster is stopped in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from bridge.errors import HomeserverError
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.ids import EventId, RoomId, UserId
from bridge.membership import barrier_store

if TYPE_CHECKING:
    from bridge.database import Pool


class Homeserver(Protocol):
    """What it takes to talk with somebody."""

    server_name: str

    async def create_room(self, content: Mapping[str, object]) -> RoomId: ...
    async def resolve_alias(self, alias: str) -> RoomId | None: ...
    async def invite(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None: ...
    async def join(self, room_id: RoomId, *, as_user: UserId) -> None: ...
    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId: ...


async def tell(pool: Pool, homeserver: Homeserver, user_id: UserId, body: str, *, transaction_id: str) -> EventId:
    """Say something to somebody alone; the same `transaction_id` again is the same message.

    It is `m.text`, because clients do not notify of notices. Raises `HomeserverError` when the person cannot be
    reached, and `HomeserverUnavailableError` when the homeserver is away.
    """
    room_id = await _room_with(pool, homeserver, user_id)
    try:
        await homeserver.invite(room_id, user_id)
    except HomeserverError as error:
        if error.status != 403:  # in it already, as is usual
            raise
    await homeserver.join(room_id, as_user=user_id)
    content = {"msgtype": "m.text", "body": body}
    return await homeserver.send(room_id, "m.room.message", content, transaction_id=transaction_id)


async def _room_with(pool: Pool, homeserver: Homeserver, user_id: UserId) -> RoomId:
    known = await barrier_store.read_direct_room(pool, user_id)
    if known is not None:
        return known
    part = f"{ALIAS_PREFIX}direct-{hashlib.sha256(user_id.encode()).hexdigest()[:24]}"
    content = {
        "preset": "private_chat",
        "visibility": "private",
        "is_direct": True,
        "invite": [user_id],
        "room_alias_name": part,
    }
    try:
        room_id = await homeserver.create_room(content)
    except HomeserverError as error:
        found = await homeserver.resolve_alias(f"#{part}:{homeserver.server_name}")
        if error.errcode != "M_ROOM_IN_USE" or found is None:
            raise
        room_id = found
    await barrier_store.put_direct_room(pool, user_id, room_id)
    return room_id
