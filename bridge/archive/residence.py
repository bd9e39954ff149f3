"""The archive's account in the rooms that the policy encrypts: it must be inside before anything is said.

Whatever is said while it is away is encrypted for the others alone. Everything may be repeated.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from bridge.errors import HomeserverError
from bridge.ids import RoomId, UserId, archivist_of

_INSIDE_ALREADY = 403
_REASON = "The archive reads here, so that what is said is kept."


class Rooms(Protocol):
    """What is done to a room as the bot, or as the archive."""

    bot: UserId

    async def register(self, user_id: UserId) -> None: ...
    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...
    async def join(self, room_id: RoomId, *, as_user: UserId) -> None: ...


class Guarded(Rooms, Protocol):
    """What is done to a room where people remove the archive, too."""

    async def unban(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None: ...


def can_decrypt() -> bool:
    """Tell whether the extra `e2ee` is installed, without which the archive's account could only look on."""
    return find_spec("vodozemac") is not None


async def bring_in(homeserver: Rooms, room_id: RoomId) -> None:
    """Put the archive's account into a room of the bot's."""
    archivist = archivist_of(homeserver.bot)
    await homeserver.register(archivist)
    try:
        await homeserver.invite(room_id, archivist, reason=_REASON)
    except HomeserverError as error:
        if error.status != _INSIDE_ALREADY:
            raise
    await homeserver.join(room_id, as_user=archivist)


async def bring_back(homeserver: Guarded, room_id: RoomId, membership: str) -> None:
    """Put the archive's account back into a room that somebody removed it from."""
    if membership == "ban":
        await homeserver.unban(room_id, archivist_of(homeserver.bot), reason=_REASON)
    await bring_in(homeserver, room_id)
