"""Letting go of managed rooms that somebody has deleted on the homeserver, so that they are made anew.

The key stays the policy's and gets a fresh room with the same people; what was said in the old one stays in the
archive, under its own room ID, and so does who was in it. The administrators are told once. Making the fresh room is
for `reconcile`, of everything, for which `upkeep` asks `former_room_store.is_waiting`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.voice import StateVoice
from bridge.ids import RoomId
from bridge.membership import former_room_store, rooms
from bridge.membership.former_room_store import FormerRoom

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)


async def retire(pool: Pool, homeserver: StateVoice, suspects: Collection[RoomId], at: datetime) -> list[FormerRoom]:
    """Let go of those of the suspected rooms that are managed and gone; return them.

    Nobody else may apply meanwhile. Raises `HomeserverUnavailableError` when the homeserver is away.
    """
    gone = [
        room for room in await former_room_store.read_rooms(pool, suspects) if await _is_gone(homeserver, room.room_id)
    ]
    for room in gone:
        await _take_out_of_spaces(pool, homeserver, room)
        async with pool.acquire() as connection, connection.transaction():
            await former_room_store.retire(connection, room, at)
            await put_notice(connection, notice(room))
        log.warning("the room %s (%s) was deleted by hand", room.key, room.room_id, extra={"action": "room gone"})
    return gone


async def _is_gone(homeserver: StateVoice, room_id: RoomId) -> bool:
    """Tell whether a room is not there any more, or nobody is in it, the bot neither: there is no way back into it."""
    try:
        state = await homeserver.state(room_id)
    except HomeserverUnavailableError:
        raise
    except HomeserverError as error:
        return error.status == HTTPStatus.NOT_FOUND
    return not any(event.type == "m.room.member" and event.content.get("membership") == "join" for event in state)


async def _take_out_of_spaces(pool: Pool, homeserver: StateVoice, room: FormerRoom) -> None:
    """Have no space list the old room; a space that is gone as well lists nothing."""
    child = rooms.not_in_space(room.room_id)
    for space in await former_room_store.read_spaces_of(pool, room.key):
        try:
            await homeserver.send_state(space, child.type, child.state_key, child.content)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.info("%s cannot be taken out of a space: %s", room.key, error.message, extra={"action": "room gone"})


def notice(room: FormerRoom) -> Notice:
    """Return what the administrators are told. Pure."""
    return Notice(
        f"room gone:{room.room_id}",
        f"The homeserver no longer has the room {room.name!r} ({room.key}, {room.room_id}): somebody has deleted it by "
        "hand. Where the policy still wants it, Muster makes a fresh one with the same members. What was said in the "
        f"old one is in the archive: `muster archive search WORD --room '{room.room_id}'`.\n"
        "To be rid of the room, take it out of the policy first.",
    )
