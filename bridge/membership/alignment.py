"""Which room goes on for which value of a `for_each` rule, whatever the value is called by now. Pure.

A room's key is its own for life: that of the value it was made for. What it serves now is said by the policy
(`renamed`), or remembered from a plan in which its people went over to a new value together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from bridge.directory.expression import fold
from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomKey, UserId
from bridge.membership.values import Action, Current, CurrentRoom, DesiredRoom, Plan

SAME = 0.8
"""Such a share of the people of a value that has vanished, and of one that is new, makes them one that was renamed."""
LEAST = 3
"""So many people at least: one alone who moves does not take the room along."""

Rooms = Mapping[RoomKey, DesiredRoom]


def aligned(rooms: Rooms, current: Current) -> dict[RoomKey, DesiredRoom]:
    """Return the rooms under the keys they have, or are to get; a value may be spelled otherwise than in its key."""
    serving = {fold(f"{key.partition('/')[0]}/{value}"): key for key, value in current.served.items()}
    spelled: dict[str, RoomKey] | None = None
    found: dict[RoomKey, DesiredRoom] = {}
    for key, room in rooms.items():
        own = key
        if "/" in key:
            base = RoomKey(f"{room.rule}/{room.value}")
            if room.origins or fold(base) in serving or base not in current.rooms or base in current.served:
                spelled = spelled if spelled is not None else _spelled(rooms, current)
                own = _own_key(base, room, current, serving, spelled)
        found[own] = room if own == key else replace(room, key=own)
    return found


def _spelled(rooms: Rooms, current: Current) -> dict[str, RoomKey]:
    """Return the rooms that the rules have, by what their keys are compared by."""
    rules = {room.rule for key, room in rooms.items() if "/" in key}
    keys = [key for key in current.rooms if "/" in key and key.partition("/")[0] in rules]
    return {fold(key): key for key in sorted(keys, reverse=True)}


def _own_key(
    base: RoomKey,
    room: DesiredRoom,
    current: Current,
    serving: Mapping[str, RoomKey],
    spelled: Mapping[str, RoomKey],
) -> RoomKey:
    for origin in room.origins:
        if (former := spelled.get(fold(f"{room.rule}/{origin}"))) is not None:
            return former
    if (remembered := serving.get(fold(base))) is not None:
        return remembered
    known = spelled.get(fold(base))
    if known is not None and known not in current.served:
        return known
    return next(key for key in _keys(base) if fold(key) not in spelled)


def _keys(base: RoomKey) -> Iterator[RoomKey]:
    """Yield keys for a value whose own key may be that of a room which serves another value now."""
    yield base
    number = 2
    while True:
        yield RoomKey(f"{base}~{number}")
        number += 1


def renamed(
    rooms: Rooms, current: Current, among: Callable[[Collection[UserId]], PeopleSet]
) -> dict[RoomKey, DesiredRoom]:
    """Return the rooms with those of new values going on under the key of a vanished one with the same people.

    `rooms` must be of everybody. `among` tells the people whose user IDs these are.
    """
    made = [room for key, room in rooms.items() if "/" in key and key not in current.rooms]
    rules = {room.rule for room in made if len(room.members) >= LEAST}
    gone = [
        (there, among(there.members & there.granted))
        for key, there in current.rooms.items()
        if "/" in key and key not in rooms and key.partition("/")[0] in rules
    ]
    found = dict(rooms)
    for room in made:
        same = [there for there, people in gone if there.key not in found and _is_same(room, there, people)]
        if same:
            found[same[0].key] = replace(found.pop(room.key), key=same[0].key)
    return found


def _is_same(room: DesiredRoom, there: CurrentRoom, people: PeopleSet) -> bool:
    both, larger = len(people & room.members), max(len(people), len(room.members))
    return there.key.partition("/")[0] == room.rule and both >= LEAST and both >= SAME * larger


def may_be_renamed(plan: Plan, current: Current) -> bool:
    """Tell whether a plan for some people makes a room for a new value out of those of another room of its rule.

    Whether that value has vanished only shows when everybody is looked at.
    """
    made = {change.room for change in plan.changes if change.action is Action.CREATE_ROOM and "/" in change.room}
    coming: dict[str, set[UserId]] = {key: set() for key in made}
    for change in plan.changes:
        if change.action is Action.JOIN and change.room in made:
            coming[change.room].add(UserId(change.user_id))
    return any(
        len(users & there.members) >= SAME * len(users)
        for key, users in coming.items()
        if len(users) >= LEAST
        for there in current.rooms.values()
        if there.key.partition("/")[0] == key.partition("/")[0]
    )
