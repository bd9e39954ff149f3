"""Telling people, in their direct room with the bot, that they administrate a room of somebody who has left.

They are told once: what is sent again after a crash is the same event on the homeserver.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bridge.clock import Clock
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import EventId, RoomId, UserId
from bridge.membership import lifecycle_store
from bridge.membership.lifecycle_store import Takeover

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)


class Voice(Protocol):
    """The bot, as far as it talks to people."""

    async def create_room(self, content: Mapping[str, object]) -> RoomId: ...
    async def invite(self, room_id: RoomId, user_id: UserId) -> None: ...
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


async def tell_heirs(pool: Pool, homeserver: Voice, clock: Clock) -> None:
    """Tell everybody who has taken over a room and does not know it; who cannot be told now is told the next time.

    Raises `HomeserverUnavailableError` when the homeserver is away.
    """
    for takeover, at in await lifecycle_store.read_takeovers(pool):
        try:
            room_id = await _direct_room(pool, homeserver, takeover.heir)
            content = {"msgtype": "m.text", "body": notice(takeover)}
            await homeserver.send(room_id, "m.room.message", content, transaction_id=_transaction_id(takeover, at))
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.warning("an heir cannot be told: %s", error.message, extra={"action": "hand over"})
            continue
        await lifecycle_store.mark_heir_told(pool, takeover, clock())


def notice(takeover: Takeover) -> str:
    """Return what the heir is told. Pure."""
    room = f"the room {takeover.name!r}" if takeover.name else f"a room without a name ({takeover.room_id})"
    return (
        f"{takeover.giver} no longer works here and was the last administrator of {room}. You administrate it now: "
        "you can invite and remove people, and make somebody else its administrator."
    )


async def _direct_room(pool: Pool, homeserver: Voice, user_id: UserId) -> RoomId:
    """Return the bot's direct room with somebody, made when there is none."""
    known = await lifecycle_store.read_direct_room(pool, user_id)
    if known is None:
        known = await homeserver.create_room(
            {"preset": "private_chat", "is_direct": True, "invite": [user_id], "visibility": "private"}
        )
        await lifecycle_store.put_direct_room(pool, user_id, known)
    try:
        await homeserver.join(known, as_user=user_id)
    except HomeserverError as error:
        if error.status != 403:
            raise
        await homeserver.invite(known, user_id)  # who has left it since
        await homeserver.join(known, as_user=user_id)
    return known


def _transaction_id(takeover: Takeover, at: datetime) -> str:
    digest = hashlib.sha256(f"{takeover.room_id} {takeover.heir}".encode()).hexdigest()[:32]
    return f"heir-{digest}-{int(at.timestamp() * 1000)}"
