"""What information barriers make of a plan: who is kept out of which room, and who waits for whom to leave. Pure.

Who is on which side, and which side gives way, is decided by `barriers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomKey, UserId
from bridge.membership.barriers import BARRIERS, NO_DIVISION, Division, Party, Walls, divide
from bridge.membership.plan_scope import Scope, Users, rule_of
from bridge.membership.values import Action, CurrentRoom, DesiredRoom, KeptOut, Plan
from bridge.policy.schema import Barrier


def party_of(room: DesiredRoom, there: CurrentRoom | None, scope: Scope) -> Party:
    """Return who is in the room, or would be, of those whom the plan is about."""
    wanted, guests = scope.of(room.members), scope.sponsored(room)
    if there is None:
        return Party(wanted, strangers=guests, coming=guests)
    present = scope.among(there.members | there.invited)
    returning = Users() if room.exclusive or not there.guests else scope.among(there.guests)
    leavers = PeopleSet.of([scope.row_of[user] for user in scope.leavers if user in scope.row_of])
    granted = scope.among(there.granted)
    leaving = present if room.exclusive else Users(granted.people, granted.strangers)
    strangers = present.strangers | returning.strangers
    return Party(
        wanted,
        present.people,
        present.people - leavers - (leaving.people - wanted),
        returning.people - leavers,
        strangers | guests,
        (present.strangers - (leaving.strangers - guests)) | returning.strangers,
        guests - strangers,
    )


def settled(room: DesiredRoom, there: CurrentRoom | None, scope: Scope, walls: Walls) -> tuple[DesiredRoom, Division]:
    """Return what barriers leave of a room that a rule asks for, and whom they keep out."""
    if not walls.walls:
        return room, NO_DIVISION
    division = divide(room, party_of(room, there, scope), walls)
    return divided(room, division), division


def divided(room: DesiredRoom, division: Division) -> DesiredRoom:
    """Return the room without those whom barriers keep out; nor may they enter it from the space by themselves."""
    if not division.out:
        return room
    out = division.people
    power = {level: people - out for level, people in room.power.items()}
    return replace(
        room,
        members=room.members - out,
        sponsored={user: why for user, why in room.sponsored.items() if user not in division.strangers},
        power={level: people for level, people in power.items() if people},
        open_to=None,
    )


def kept_out_of(room: DesiredRoom, division: Division, scope: Scope) -> Iterator[KeptOut]:
    """Yield whom the room's rule asks for and a barrier forbids."""
    for barrier, people in division.out:
        guests = (user for user in scope.sponsored(room) if division.strangers.get(user) is barrier)
        if users := tuple(sorted((*scope.named(people & scope.of(room.members)), *guests))):
            yield KeptOut(room.key, rule_of(room), barrier.reason, users)


def entering(whole: Plan, divisions: Mapping[RoomKey, Division], scope: Scope) -> dict[RoomKey, frozenset[UserId]]:
    """Return who joins which room beside somebody who is to leave it because of a barrier."""
    emptied = {change.room for change in whole.changes if change.rule == BARRIERS}
    found: dict[RoomKey, frozenset[UserId]] = {}
    for change in whole.changes:
        if change.action is Action.JOIN and change.room in emptied:
            key, user = RoomKey(change.room), UserId(change.user_id)
            row = scope.row_of.get(user)
            if row is None or row in divisions[key].kept:
                found[key] = found.get(key, frozenset()) | {user}
    return found


def barrier_of(user: UserId, scope: Scope, division: Division) -> Barrier | None:
    row = scope.row_of.get(user)
    return division.strangers.get(user) if row is None else division.barrier_of(row)
