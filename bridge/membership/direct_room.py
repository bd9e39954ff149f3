"""The room in which the bot talks with one person alone.

There is one for each person, made when it is first needed; its alias, which nobody else can take, makes that true also
when Muster is stopped in between.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from bridge.homeserver.own_room import Host, RoomMaker, let_in, own_room
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.homeserver.voice import Voice
from bridge.ids import EventId, RoomId, UserId
from bridge.membership import direct_room_store
from bridge.membership.rooms import power_levels
from bridge.policy.schema import RoomKind

if TYPE_CHECKING:
    from bridge.database import Pool

DIRECT: Final = f"{ALIAS_PREFIX}direct-"
"""What the aliases of these rooms begin with."""


class Homeserver(RoomMaker, Host, Voice, Protocol):
    """What it takes to talk with somebody."""


async def tell(pool: Pool, homeserver: Homeserver, user_id: UserId, body: str, *, transaction_id: str) -> EventId:
    """Say something to somebody alone; the same `transaction_id` again is the same message.

    It is `m.text`, because clients do not notify of notices. Raises as `room_with` does.
    """
    room_id = await room_with(pool, homeserver, user_id)
    content = {"msgtype": "m.text", "body": body}
    return await homeserver.send(room_id, "m.room.message", content, transaction_id=transaction_id)


async def room_with(pool: Pool, homeserver: Homeserver, user_id: UserId) -> RoomId:
    """Return the room of the bot and somebody; there is one afterwards, and the person is in it.

    Raises `HomeserverError` when the person cannot be reached, and `HomeserverUnavailableError` when the homeserver is
    away.
    """
    known = await direct_room_store.find(pool, user_id)
    if known is not None:
        return known
    room_id = await own_room(homeserver, _chat(f"{DIRECT}{hashlib.sha256(user_id.encode()).hexdigest()[:24]}"))
    await let_in(homeserver, room_id, user_id)
    await direct_room_store.put(pool, user_id, room_id)
    return room_id


def _chat(alias: str) -> dict[str, object]:
    """Return the body of `POST /createRoom`."""
    return {
        "preset": "private_chat",  # trusted_private_chat would make the other a creator for ever
        "is_direct": True,
        "visibility": "private",
        "room_alias_name": alias,
        "name": "Muster",
        "power_level_content_override": power_levels(RoomKind.CHAT, {}),
        "initial_state": [
            {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
        ],
    }
