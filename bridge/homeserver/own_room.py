"""Rooms of the bot's own: each is made once, under an alias that nobody else can take.

Synapse makes a room in four steps: alias, `m.room.create`, the bot's membership, and everything else at once (1.163.2,
`handlers/room.py`). When it is stopped in between, the alias leads to a room into which nobody can ever be invited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol

from bridge.errors import HomeserverError
from bridge.ids import RoomId, UserId

PAUSES: Final = (0.25, 0.5, 1.0, 2.0)
"""Seconds between two looks at a room that is not complete: another of us may be making it just now."""


class RoomMaker(Protocol):
    """Who can make rooms."""

    bot: UserId
    server_name: str

    async def resolve_alias(self, alias: str) -> RoomId | None: ...
    async def create_room(self, content: Mapping[str, object]) -> RoomId: ...
    async def delete_alias(self, alias: str) -> None: ...
    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None: ...


class Host(Protocol):
    """Who can bring people into a room."""

    async def invite(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None: ...
    async def join(self, room_id: RoomId, *, as_user: UserId) -> None: ...


async def own_room(homeserver: RoomMaker, content: Mapping[str, object], *, pauses: Sequence[float] = PAUSES) -> RoomId:
    """Return the room under the alias that this body of `POST /createRoom` names; it is made if there is none.

    A room that the homeserver did not finish gives its alias to a new one, as does a room that the bot is not in.
    """
    alias = f"#{content['room_alias_name']}:{homeserver.server_name}"
    for pause in (*pauses, None):
        room_id = await homeserver.resolve_alias(alias)
        if room_id is None:
            try:
                return await homeserver.create_room(content)
            except HomeserverError as error:
                if error.errcode != "M_ROOM_IN_USE":  # somebody else was quicker
                    raise
        elif await _is_complete(homeserver, room_id):
            return room_id
        if pause is not None:
            await asyncio.sleep(pause)
    await homeserver.delete_alias(alias)
    return await homeserver.create_room(content)


async def let_in(homeserver: Host, room_id: RoomId, user_id: UserId) -> None:
    """Bring somebody into a room, who may be in it already."""
    try:
        await homeserver.invite(room_id, user_id)
    except HomeserverError as error:
        if error.status != HTTPStatus.FORBIDDEN:  # in it already
            raise
    await homeserver.join(room_id, as_user=user_id)


async def _is_complete(homeserver: RoomMaker, room_id: RoomId) -> bool:
    """Tell whether the bot is in a room and all of it was made, of which power levels are the first."""
    try:
        own = await homeserver.state_event(room_id, "m.room.member", homeserver.bot)
        levels = await homeserver.state_event(room_id, "m.room.power_levels")
    except HomeserverError as error:
        if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise
        return False
    return own is not None and own.get("membership") == "join" and levels is not None
