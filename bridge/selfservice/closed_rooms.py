"""The rooms that barriers close to one person (pure).

A room is closed to whoever may not share it with somebody who is there, or is kept out of it by a plan. Of a closed
room nobody is told more than of one that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.ids import RoomKey, UserId
from bridge.membership.barriers import Seat, Seats, Walls
from bridge.membership.values import CurrentRoom, KeptOut
from bridge.policy.schema import RoomKind


def closed_rooms(
    rooms: Mapping[RoomKey, CurrentRoom], user_id: UserId, seats: Seats, walls: Walls, kept_out: Iterable[KeptOut]
) -> frozenset[RoomKey]:
    """Return the rooms that are closed to a user.

    `seats` are those of the people looked at, `walls.others` those that everybody else takes in each room.
    """
    closed = {each.room for each in kept_out if user_id in each.users}
    own = seats.get(user_id, frozenset())
    exempt = {wall.barrier.id: wall.barrier.exempt for wall in walls.walls}
    for key, room in rooms.items():
        rule = key.partition("/")[0]
        against = {seat.opposite for seat in own if rule not in exempt[seat.barrier]}
        if room.kind is not RoomKind.SPACE and against and not against.isdisjoint(_taken(room, user_id, seats, walls)):
            closed.add(key)
    return frozenset(closed)


def _taken(room: CurrentRoom, user_id: UserId, seats: Seats, walls: Walls) -> frozenset[Seat]:
    """Return the seats that others than the user take in a room."""
    here = [
        (walls.strangers if user not in seats else seats).get(user, frozenset())
        for user in room.members | room.invited
        if user != user_id
    ]
    return walls.others.get(room.key, frozenset[Seat]()).union(*here)
