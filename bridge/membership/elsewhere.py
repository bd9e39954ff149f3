"""What is done in rooms that Muster does not manage, as the people who are in them: handing over, and bringing back.

The bot is not in these rooms, so a leaver passes power on before leaving, and somebody inside invites a returner.
Everything may be repeated. To whom, and whether, is decided in `handover`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from bridge.errors import HomeserverError, RefusedError
from bridge.homeserver.event import Event
from bridge.homeserver.voice import StateVoice
from bridge.ids import RoomId, UserId
from bridge.membership import lifecycle_store
from bridge.membership.handover import ADMINISTRATOR, Room, inviter, levels_after, remover, room_of, sponsor_of_bot

if TYPE_CHECKING:
    from bridge.database import Pool


class Rooms(StateVoice, Protocol):
    """What is done to a room as somebody who is in it."""

    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...
    async def join(self, room_id: RoomId, *, as_user: UserId) -> None: ...
    async def kick(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...


async def read_room(homeserver: Rooms, room_id: RoomId) -> tuple[Room, Mapping[str, object]] | None:
    """Return a room and the content of its power levels, as the homeserver has them; None when it is gone."""
    state = await read_state(homeserver, room_id)
    if state is None:
        return None
    levels = [event.content for event in state if event.type == "m.room.power_levels" and event.state_key == ""]
    return room_of(room_id, state), levels[-1] if levels else {}


async def read_state(homeserver: StateVoice, room_id: RoomId) -> list[Event] | None:
    """Return the state of a room; None when it is gone."""
    try:
        return await homeserver.state(room_id)
    except HomeserverError as error:
        if error.status != 404:
            raise
        return None


async def pass_on(homeserver: Rooms, room_id: RoomId, giver: UserId, heir: UserId) -> None:
    """Make the heir an administrator, in the name of a leaver who is one; an heir who is outside is brought in."""
    found = await read_room(homeserver, room_id)
    if found is None or giver not in found[0].joined:
        return
    room, levels = found
    if heir not in room.joined:
        await homeserver.invite(room_id, heir, reason="takes over the room", as_user=giver)
        await homeserver.join(room_id, as_user=heir)
    if not room.may(heir, room.to_rank):
        wanted = levels_after(levels, room, giver, heir)
        await homeserver.send_state(room_id, "m.room.power_levels", "", wanted, as_user=giver)


async def adopt(homeserver: Rooms, room_id: RoomId, bot: UserId, server_name: str) -> Mapping[str, object]:
    """Make the bot an administrator, in the name of whoever of this server is one; return the power levels then.

    Raises `RefusedError` when nobody is, and when the room is gone.
    """
    found = await read_room(homeserver, room_id)
    if found is None:
        raise RefusedError(f"The room {room_id} is gone.")
    room, levels = found
    if bot in room.joined and room.may(bot, ADMINISTRATOR):
        return levels
    giver = sponsor_of_bot(room, server_name)
    if giver is None:
        raise RefusedError(f"Nobody of {server_name} in the room {room_id} is an administrator of it.")
    if bot not in room.joined:
        await homeserver.invite(room_id, bot, reason="the company's policy", as_user=giver)
        await homeserver.join(room_id, as_user=bot)
    wanted = levels_after(levels, room, giver, bot)
    await homeserver.send_state(room_id, "m.room.power_levels", "", wanted, as_user=giver)
    return wanted


async def expel(homeserver: Rooms, room_id: RoomId, user_id: UserId, server_name: str, reason: str) -> None:
    """Take out somebody of another homeserver, who cannot leave by our hand; a room that is gone is left. Raises
    `RefusedError` when nobody of this server may."""
    found = await read_room(homeserver, room_id)
    if found is None:
        return
    host = remover(found[0], user_id, server_name)
    if host is None:
        raise RefusedError(f"Nobody of {server_name} in the room {room_id} may remove {user_id}.")
    await homeserver.kick(room_id, user_id, reason=reason, as_user=host)


async def bring_back(pool: Pool, homeserver: Rooms, room_id: RoomId, user_id: UserId, reason: str) -> None:
    """Let somebody into a room again, invited by whoever has the most power there. The level is what it was: the room
    keeps it. Raises `RefusedError` when nobody is left who could."""
    found = await read_room(homeserver, room_id)
    if found is None:
        raise RefusedError(f"The room {room_id} is gone.")
    room = found[0]
    if user_id in room.joined:
        return
    standing = await lifecycle_store.standing_of(pool, room.joined.keys())
    host = inviter(room, [user for user, enabled in standing.items() if not enabled])
    if host is None:
        raise RefusedError(f"Nobody is left in the room {room_id} who could invite {user_id}.")
    try:
        await homeserver.invite(room_id, user_id, reason=reason, as_user=host)
    except HomeserverError as error:
        if error.status != 403:  # invited already, perhaps; then the join succeeds
            raise
    await homeserver.join(room_id, as_user=user_id)
