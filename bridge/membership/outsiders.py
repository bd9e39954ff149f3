"""Inviting people of other homeservers, who join by themselves or not at all. May be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bridge.errors import HomeserverError, HomeserverUnavailableError, RefusedError
from bridge.ids import RoomId, UserId


class Homeserver(Protocol):
    """What it takes."""

    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...
    async def unban(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None: ...
    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None: ...


async def invite_outsider(homeserver: Homeserver, room_id: RoomId, user_id: UserId, reason: str) -> str:
    """Invite somebody of another homeserver, lifting a ban; return what they are to the room now: `invite` or `join`.

    Raises `RefusedError` when it is the other homeserver that does not answer.
    """
    try:
        await homeserver.invite(room_id, user_id, reason=reason)
    except HomeserverUnavailableError as error:
        if not error.errcode:
            raise
        # Our own is there: it has said so in its own words.
        raise RefusedError(f"The homeserver of {user_id} cannot be reached: {error.message}") from error
    except HomeserverError as error:
        member = await homeserver.state_event(room_id, "m.room.member", user_id) or {}
        if error.status != 403 or member.get("membership") not in ("join", "ban"):
            raise
        if member["membership"] == "join":
            return "join"
        await homeserver.unban(room_id, user_id, reason=reason)
        await homeserver.invite(room_id, user_id, reason=reason)
    return "invite"
