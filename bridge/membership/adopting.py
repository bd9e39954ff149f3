"""Adopting and closing rooms that people made, on the homeserver and in our memory of it. May be repeated.

Which rooms, and when, is decided in `unmanaged`; taking people out is by changes of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bridge.directory.notice_store import put_notice
from bridge.errors import HomeserverUnavailableError, MusterError
from bridge.homeserver.voice import Voice
from bridge.ids import RoomId, UserId
from bridge.membership import elsewhere, member_store, unmanaged_store
from bridge.membership.rooms import levels_of
from bridge.membership.unmanaged import NOTICE, announcement, refused, unmanaged_changes
from bridge.membership.values import Change
from bridge.policy.schema import UnmanagedRooms

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


class Homeserver(elsewhere.Rooms, Voice, Protocol):
    """What it takes, beside what is done as people."""

    bot: UserId
    server_name: str


async def read_changes(
    connection: Connection, policy: UnmanagedRooms, bot: UserId, now: datetime, touched: frozenset[UserId] | None
) -> list[Change]:
    """Return what is to be done about rooms that people made: of those in which somebody touched is, the whole."""
    if policy is UnmanagedRooms.REPORT:
        return []
    rooms = await unmanaged_store.read_unmanaged(connection, bot, now, touched)
    people = await unmanaged_store.owners_of(connection, {user for room in rooms for user in room.users})
    return list(unmanaged_changes(policy, rooms, now, bot, people))


async def adopt_room(pool: Pool, homeserver: Homeserver, room_id: RoomId, now: datetime, *, to_be_closed: bool) -> None:
    """Make the bot an administrator, and say in the room when it will be closed, if it will.

    The intent is written first, so that the invitation is known for our own. Raises what the homeserver refuses, of
    which the administrators are told.
    """
    await unmanaged_store.begin_adopting(pool, room_id, now)
    try:
        content = await elsewhere.adopt(homeserver, room_id, homeserver.bot, homeserver.server_name)
        if to_be_closed:
            day = (now + NOTICE).date().isoformat()
            said = {"msgtype": "m.text", "body": announcement(day)}
            await homeserver.send(room_id, "m.room.message", said, transaction_id=f"closing-{day}")
    except HomeserverUnavailableError:
        raise
    except MusterError as error:
        await unmanaged_store.mark_refused(pool, room_id, now)
        await put_notice(pool, refused(room_id, error.message))
        raise
    await member_store.put_power(pool, room_id, levels_of(content))
    await unmanaged_store.mark_adopted(pool, room_id, now if to_be_closed else None)


async def close_room(pool: Pool, homeserver: Homeserver, room_id: RoomId, now: datetime) -> None:
    """Let nobody in any more but whom the bot invites; what was said stays."""
    await homeserver.send_state(room_id, "m.room.join_rules", "", {"join_rule": "invite"})
    await unmanaged_store.mark_closed(pool, room_id, now)
