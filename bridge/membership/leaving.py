"""Reading what the stages of leavers, and the rooms that they leave, make of a plan.

What is due when is decided in `lifecycle`; who takes a room over, and who may come back into it, in `handover`. Rooms
are read from the homeserver, because the events of a room may have been lost on their way. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from bridge.directory.census import Census
from bridge.directory.local_day import place_of
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership import barrier_store, lifecycle_store
from bridge.membership.barriers import Seats, Sides
from bridge.membership.elsewhere import Rooms, read_room
from bridge.membership.handover import hand_over, inviter, is_abandoned, rank_of, returns
from bridge.membership.lifecycle import UNTIL_RETURN, Stage, due_steps, stages_of
from bridge.membership.plan import ACCOUNTS
from bridge.membership.successors import read_heirs
from bridge.membership.values import Current, CurrentAccount, DesiredAccount, HandOver, KeptOut
from bridge.policy.schema import Barrier, LeaverStage, LeaverStep, Successor

if TYPE_CHECKING:
    from bridge.database import Connection

Due = Mapping[UserId, frozenset[LeaverStep]]
"""What is due for each of those whose account is, or ought to be, disabled."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A room that nobody is in once its last member has left."""

    room_id: RoomId
    name: str
    leaver: UserId


def due(
    disabled: Iterable[DesiredAccount],
    known: Mapping[PersonId, CurrentAccount],
    stages: tuple[LeaverStage, ...],
    census: Census,
    now: datetime,
    timezone: str,
) -> Due:
    """Return what is due for each: everything that can be undone for whoever is only barred or awaited. Pure."""
    found: dict[UserId, frozenset[LeaverStep]] = {}
    for account in disabled:
        if account.barred or account.awaited:
            found[account.user_id] = UNTIL_RETURN
        else:
            there = known.get(account.person)
            left_at = (there.left_at if there is not None else None) or now
            found[account.user_id] = due_steps(stages_for(account.person, left_at, stages, census, timezone), now)
    return found


def stages_for(
    person: PersonId, left_at: datetime, stages: tuple[LeaverStage, ...], census: Census, timezone: str
) -> tuple[Stage, ...]:
    """Return when the stages of one leaver are due. Pure."""
    row = census.row(person)
    assert row is not None
    return stages_of(stages, left_at, place_of(census.person(row), timezone))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the policy says of who takes over, and who is on which side of its barriers."""

    successors: tuple[Successor, ...]
    barriers: tuple[Barrier, ...]
    sides: Sides

    async def seats(self, connection: Connection, users: Collection[UserId]) -> Seats:
        return await barrier_store.read_seats_beside(connection, users, self.sides) if self.barriers else {}

    def reason(self, barrier: str) -> str:
        return next((each.reason for each in self.barriers if each.id == barrier), "")


async def read_hand_overs(
    connection: Connection, homeserver: Rooms, current: Current, census: Census, steps: Due, asked: Asked
) -> tuple[tuple[HandOver, ...], tuple[Abandoned, ...]]:
    """Return who takes over rooms from leavers who are the last administrators, and the rooms nobody is left in."""
    giving = {user for user, due in steps.items() if LeaverStep.HAND_OVER_ROOMS in due}
    wanted = {room_id: users & giving for room_id, users in current.elsewhere.items() if users & giving}
    if not wanted:
        return (), ()
    leavers = frozenset[UserId]().union(*wanted.values())
    person_of = {account.user_id: account.person for account in current.accounts.values() if account.user_id in leavers}
    heirs = await read_heirs(connection, person_of, asked.successors, census)
    overs, abandoned = [], []
    for room_id, users in sorted(wanted.items()):
        found = await read_room(homeserver, room_id)
        if found is None:
            continue
        room = found[0]
        standing = await lifecycle_store.standing_of(connection, room.joined.keys())
        leaving = steps.keys() | {user for user, enabled in standing.items() if not enabled}
        inside = {user: rank_of(room, user) for user in room.joined}
        named = {user: heirs[user].in_order(inside) for user in users if user in heirs}
        over = hand_over(
            room,
            leaving,
            named=named,
            managers={user: heirs[user].managers for user in users if user in heirs},
            staff=standing.keys() - leaving,
            seats=await asked.seats(connection, room.joined.keys() | set(chain.from_iterable(named.values()))),
        )
        if over is not None:
            overs.append(over)
        elif is_abandoned(room, leaving, over):
            abandoned.append(Abandoned(room_id, room.name, min(users)))
    return tuple(overs), tuple(abandoned)


async def read_returns(
    connection: Connection,
    homeserver: Rooms,
    returning: Collection[UserId],
    touched: Collection[UserId] | None,
    asked: Asked,
) -> tuple[dict[RoomId, frozenset[UserId]], tuple[KeptOut, ...]]:
    """Return the rooms that users left with their account and can be let into again, and those that barriers close."""
    found: dict[RoomId, frozenset[UserId]] = {}
    closed: list[KeptOut] = []
    for room_id, users in (await lifecycle_store.read_former_places(connection, returning, touched)).items():
        there = await read_room(homeserver, room_id)
        if there is None:
            continue
        room = there[0]
        standing = await lifecycle_store.standing_of(connection, room.joined.keys())
        shut_out = {user for user, enabled in standing.items() if not enabled} - set(returning)
        if inviter(room, shut_out) is not None:
            seats = await asked.seats(connection, users | room.joined.keys())
            found[room_id], kept_out = returns(room, users, seats)
            closed += [
                KeptOut(RoomKey(room_id), ACCOUNTS, asked.reason(each.barrier), (each.user_id,)) for each in kept_out
            ]
    return found, tuple(closed)
