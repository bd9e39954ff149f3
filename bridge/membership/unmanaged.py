"""What becomes of the rooms that people made themselves: left alone, adopted, or closed after a notice.

Pure. Adopting makes the bot an administrator and changes nothing for anybody. Closing adopts a room, has the bot say in
it when it will be closed, and after `NOTICE` lets nobody in any more and takes everybody out; the bot stays, so that
what was said stays and people can be let in again. Rooms of up to two people, those with the bot in them by other
ways, and managed rooms are nobody's business here. Doing it is left to `acts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.directory.notice import Notice
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership.values import ACTIONS, Action, Change
from bridge.policy.schema import UnmanagedRooms

UNMANAGED: Final = "unmanaged_rooms"
"""The rule of everything that is done to these rooms."""
NOTICE: Final = timedelta(days=7)
"""So long before it is closed the people in a room are told."""
LEAST: Final = 3
"""A room with fewer people is a direct chat, or nobody's."""
CLOSING: Final = "to be closed"
"""The value of adopting a room that is told so."""


@dataclass(frozen=True, slots=True)
class UnmanagedRoom:
    """A room that no rule makes, with at least `LEAST` people in it or one that was closed."""

    room_id: RoomId
    name: str
    users: frozenset[UserId]
    """Joined or invited, without the bot."""
    adopted: bool = False
    """The bot is in it, with an administrator's power."""
    announced_at: datetime | None = None
    """Since when the people in it know that it will be closed."""
    closed: bool = False


def unmanaged_changes(
    wish: UnmanagedRooms,
    rooms: Iterable[UnmanagedRoom],
    now: datetime,
    bot: UserId,
    people: Mapping[UserId, PersonId],
) -> Iterator[Change]:
    """Yield what the policy wants done now; `people` are those with an account of ours."""
    if wish is UnmanagedRooms.REPORT:
        return
    for room in rooms:
        called = f"people made it: {room.name}" if room.name else "people made it"
        if is_over(wish, room, now):
            if not room.closed:
                yield _change(Action.CLOSE_ROOM, room, reason=called)
            for user in sorted(room.users):
                yield _change(Action.REMOVE, room, user, person=people.get(user, ""), reason=f"closed; {called}")
        elif wish is UnmanagedRooms.CLOSE and room.announced_at is None:
            yield _change(Action.ADOPT_ROOM, room, bot, value=CLOSING, reason=called)
        elif not room.adopted:
            yield _change(Action.ADOPT_ROOM, room, bot, reason=called)


def is_over(wish: UnmanagedRooms, room: UnmanagedRoom, now: datetime) -> bool:
    """Tell whether nobody is to be in the room any more."""
    if wish is not UnmanagedRooms.CLOSE or room.announced_at is None:
        return False
    return room.closed or (room.adopted and now >= room.announced_at + NOTICE)


def announcement(day: str) -> str:
    """Return what the people in a room are told."""
    return (
        f"This room is not one of the company's, and will be closed on {day}: everybody is taken out of it then. What "
        "was said stays in the company's archive. Your administrators can say more."
    )


def refused(room_id: RoomId, why: str) -> Notice:
    """Return what the administrators are told of a room that cannot be adopted."""
    return Notice(
        f"unmanaged:{room_id}",
        f"Muster cannot become an administrator of the room {room_id}, which people made: {why}\nIt stays as it is, "
        "and Muster tries again each day. `muster rooms` lists these rooms.",
    )


def _change(
    action: Action, room: UnmanagedRoom, user: str = "", *, value: str = "", person: str = "", reason: str
) -> Change:
    return Change(ACTIONS.index(action), room.room_id, user, value, person, UNMANAGED, reason)
