"""Reading what the stages of leavers, and the rooms that they leave, make of a plan.

What is due when is decided in `lifecycle`, who takes a room over in `handover`. Rooms are read from the homeserver,
because the events of a room may have been lost on their way. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.directory.census import Census
from bridge.directory.local_day import place_of
from bridge.directory.person import Person
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership import lifecycle_store
from bridge.membership.elsewhere import Rooms, read_room
from bridge.membership.handover import hand_over, inviter, is_abandoned
from bridge.membership.lifecycle import UNTIL_RETURN, Stage, due_steps, stages_of
from bridge.membership.values import Current, CurrentAccount, DesiredAccount, HandOver
from bridge.policy.schema import LeaverStage, LeaverStep

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


async def read_hand_overs(
    connection: Connection, homeserver: Rooms, current: Current, census: Census, steps: Due
) -> tuple[tuple[HandOver, ...], tuple[Abandoned, ...]]:
    """Return who takes over rooms from leavers who are the last administrators, and the rooms nobody is left in."""
    giving = {user for user, due in steps.items() if LeaverStep.HAND_OVER_ROOMS in due}
    wanted = {room_id: users & giving for room_id, users in current.elsewhere.items() if users & giving}
    if not wanted:
        return (), ()
    heirs = await _read_heirs(connection, current, census, frozenset[UserId]().union(*wanted.values()))
    overs, abandoned = [], []
    for room_id, users in sorted(wanted.items()):
        found = await read_room(homeserver, room_id)
        if found is None:
            continue
        room = found[0]
        standing = await lifecycle_store.standing_of(connection, room.joined.keys())
        leaving = steps.keys() | {user for user, enabled in standing.items() if not enabled}
        over = hand_over(room, leaving, named=heirs.named, managers=heirs.managers, staff=standing.keys() - leaving)
        if over is not None:
            overs.append(over)
        elif is_abandoned(room, leaving, over):
            abandoned.append(Abandoned(room_id, room.name, min(users)))
    return tuple(overs), tuple(abandoned)


@dataclass(frozen=True, slots=True)
class _Heirs:
    named: Mapping[UserId, list[UserId]]
    managers: Mapping[UserId, list[UserId]]


async def _read_heirs(connection: Connection, current: Current, census: Census, users: Collection[UserId]) -> _Heirs:
    person_of = {account.user_id: account.person for account in current.accounts.values() if account.user_id in users}
    named = await lifecycle_store.successors_of(connection, person_of.values())
    above = {user: _managers(census, person) for user, person in person_of.items()}
    people = {*named.values(), *(manager for managers in above.values() for manager in managers)}
    accounts = await lifecycle_store.enabled_users(connection, people)
    return _Heirs(
        {
            user: [accounts[named[person]]]
            for user, person in person_of.items()
            if person in named and named[person] in accounts
        },
        {user: [accounts[manager] for manager in managers if manager in accounts] for user, managers in above.items()},
    )


def _managers(census: Census, person: PersonId) -> list[PersonId]:
    """Return whom the person's jobs name as manager, those of the past too: who has left has no other."""
    row = census.row(person)
    found: Person | None = None if row is None else census.person(row)
    jobs = found.employments if found is not None else ()
    return list(dict.fromkeys(job.manager for job in reversed(jobs) if job.manager is not None))


async def read_returns(
    connection: Connection,
    homeserver: Rooms,
    returning: Collection[UserId],
    touched: Collection[UserId] | None,
) -> dict[RoomId, frozenset[UserId]]:
    """Return the rooms that users left with their account and can be let into again."""
    found: dict[RoomId, frozenset[UserId]] = {}
    for room_id, users in (await lifecycle_store.read_former_places(connection, returning, touched)).items():
        there = await read_room(homeserver, room_id)
        if there is None:
            continue
        standing = await lifecycle_store.standing_of(connection, there[0].joined.keys())
        shut_out = {user for user, enabled in standing.items() if not enabled} - set(returning)
        if inviter(there[0], shut_out) is not None:
            found[room_id] = users - there[0].joined.keys()
    return found
