"""The room in which one person hears what is announced to people and not to rooms.

There is one for each person, made when something is first said there; only the bot writes, the person reacts and
answers polls. Its alias, which nobody else can take, makes that true also when Muster is stopped in between.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from bridge.announcements import personal_room_store
from bridge.homeserver.own_room import Host, RoomMaker, let_in, own_room
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.ids import RoomId, UserId
from bridge.membership.rooms import NO_GUESTS, power_levels
from bridge.policy.schema import RoomKind

if TYPE_CHECKING:
    from bridge.database import Pool

PERSONAL: Final = f"{ALIAS_PREFIX}personal-"
"""What the aliases of these rooms begin with."""


class Homeserver(RoomMaker, Host, Protocol):
    """What it takes to bring somebody into a room."""


async def room_of(pool: Pool, homeserver: Homeserver, user_id: UserId) -> RoomId:
    """Return a person's room for announcements; there is one afterwards, and the person is in it.

    Whoever has left it comes back. Raises `HomeserverError` when the person cannot be reached, and
    `HomeserverUnavailableError` when the homeserver is away.
    """
    known = await personal_room_store.find(pool, user_id)
    if known is not None:
        return known
    room_id = await own_room(homeserver, _creation(f"{PERSONAL}{hashlib.sha256(user_id.encode()).hexdigest()[:24]}"))
    # Remembered before the person is in it: until then it would be taken for a room of the two for talking.
    await personal_room_store.put(pool, user_id, room_id)
    await let_in(homeserver, room_id, user_id)
    await personal_room_store.put_joined(pool, user_id)
    return room_id


def _creation(alias: str) -> dict[str, object]:
    """Return the body of `POST /createRoom`."""
    return {
        "preset": "private_chat",  # trusted_private_chat would make the other a creator for ever
        "visibility": "private",
        "room_alias_name": alias,
        "name": "Announcements",
        "topic": "What is announced to you. Muster writes here; you can react.",
        "power_level_content_override": power_levels(RoomKind.ANNOUNCEMENT, {}),
        "initial_state": [
            {"type": NO_GUESTS.type, "state_key": NO_GUESTS.state_key, "content": NO_GUESTS.content},
            {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}},
        ],
    }
