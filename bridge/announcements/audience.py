"""For whom an announcement is (pure): those who are in its rooms at that moment, each of them once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bridge.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class Audience:
    """The rooms that an announcement goes to, and the people it is for."""

    rooms: tuple[RoomId, ...]
    people: tuple[UserId, ...]
    """Distinct; whoever comes into a room later is not among them."""


def audience(rooms: Collection[RoomId], members: Iterable[tuple[RoomId, UserId]], bot: UserId) -> Audience:
    """Return the rooms and the people who have joined any of them, without the bot; both sorted."""
    wanted = frozenset(rooms)
    people = {user_id for room_id, user_id in members if room_id in wanted and user_id != bot}
    return Audience(rooms=tuple(sorted(wanted)), people=tuple(sorted(people)))
