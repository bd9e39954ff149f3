"""What the policy decided about a whole company at a past moment: its people, exceptions and rooms as recorded.

The decision itself is `desired`'s; here it is put together from what was known by then. Nothing is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive import state_store
from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.history import HistoryEntry
from bridge.directory.local_day import SPREAD, LocalDays
from bridge.directory.past_store import load_states
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership import past_store
from bridge.membership.alignment import aligned
from bridge.membership.audit import Entry
from bridge.membership.barriers import Walls, walls_of
from bridge.membership.desired import desired
from bridge.membership.exemption_store import read_exemptions
from bridge.membership.presence import Presence, presences
from bridge.membership.room_past import RoomPast, newest_by_key
from bridge.membership.ruling import Rulings, rulings
from bridge.membership.values import Action, Current, CurrentAccount, CurrentRoom, DesiredRoom
from bridge.policy.schema import Exemption, Policy, RoomKind

if TYPE_CHECKING:
    from bridge.database import Connection


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for every question of one command."""

    bot: UserId
    attributes: Collection[str]
    """The directory's custom ones."""
    timezone: str
    """Of people without one of their own."""


@dataclass(frozen=True, slots=True)
class Company:
    """The people, and the exceptions that do not stand in the policy, as they were."""

    states: Mapping[PersonId, HistoryEntry]
    exemptions: tuple[Exemption, ...]


def is_personal(policy: Policy) -> bool:
    """Tell whether the policy decides about each person alone, whoever else there is. Pure."""
    return not policy.barriers and not policy.levels_of_managers


async def read_company(
    db: Connection,
    moment: datetime,
    policy: Policy,
    person: PersonId | None,
    states: Mapping[PersonId, HistoryEntry] | None = None,
) -> Company:
    """Read everybody, or one person alone; `states` are those of everybody where they were read already."""
    if states is None:
        states = await load_states(db, moment, None if person is None else [person])
    return Company(states, tuple(await read_exemptions(db, (moment - SPREAD).date(), moment)))


def judged(
    policy: Policy,
    company: Company,
    rooms: Mapping[RoomId, RoomPast],
    holders: Mapping[UserId, PersonId],
    moment: datetime,
    setting: Setting,
) -> Rulings:
    """Return what the policy decided; who was in the rooms is not known yet (`Rulings.seeing`). Pure."""
    census = Census([state.person for state in company.states.values()], LocalDays(moment, setting.timezone))
    accounts = {
        person: CurrentAccount(person, user, company.states[person].person.display_name, True)
        for user, person in holders.items()
        if person in company.states
    }
    wanted = desired(policy, census, accounts, exemptions=company.exemptions)
    there = {place.key: place for place in newest_by_key(rooms.values()).values() if place.key is not None}
    served = _served(wanted.rooms, there)
    current = Current(accounts, {key: _room(key, place) for key, place in there.items()}, served=served)
    wanted = type(wanted)(wanted.accounts, aligned(wanted.rooms, current), wanted.vacant, wanted.shadow)
    walls = Walls(walls_of(policy.barriers, census))
    return rulings(policy, census, wanted, current, bot=setting.bot, walls=walls, exemptions=company.exemptions)


async def read_room(db: Connection, place: RoomPast, moment: datetime, bot: UserId) -> CurrentRoom:
    """Return who was in a managed room, who had been invited, and whom Muster had put in."""
    members = await state_store.read_memberships(db, moment, room_id=place.room_id)
    places = {place.key or place.room_id, place.room_id}
    arrivals = await past_store.read_arrivals_in(db, places, moment)
    owed = await past_store.read_owed_in(db, places, moment)
    return room_at(place, presences(members).values(), arrivals, owed, bot)


def room_at(
    place: RoomPast,
    there: Iterable[Presence],
    arrivals: Mapping[UserId, Entry],
    owed: frozenset[UserId],
    bot: UserId,
) -> CurrentRoom:
    """Return the room as far as barriers look at it. Pure."""
    by_membership: defaultdict[str, set[UserId]] = defaultdict(set)
    for one in there:
        if one.user_id != bot:
            by_membership[one.membership].add(one.user_id)
    granted = {
        user
        for user, entry in arrivals.items()
        if entry.action is Action.JOIN
        and entry.outcome in ("begun", "done", "interrupted")
        and entry.room_id in (None, place.room_id)
    }
    return _room(
        place.key or RoomKey(place.room_id),
        place,
        members=frozenset(by_membership["join"]),
        invited=frozenset(by_membership["invite"]),
        granted=frozenset(granted),
        guests=owed,
    )


def _room(key: RoomKey, place: RoomPast, **who: frozenset[UserId]) -> CurrentRoom:
    """Return a room that is known by its key, and of which its set-up is not asked."""
    return CurrentRoom(
        key=key,
        room_id=place.room_id,
        kind=RoomKind.CHAT,
        name=place.name,
        topic="",
        parents=(),
        open_to=None,
        members=who.get("members", frozenset()),
        invited=who.get("invited", frozenset()),
        granted=who.get("granted", frozenset()),
        guests=who.get("guests", frozenset()),
    )


def _served(wanted: Mapping[RoomKey, DesiredRoom], there: Mapping[RoomKey, RoomPast]) -> dict[RoomKey, str]:
    """Return which rooms were for another value than that of their key, by what they were called: the name is made of
    the value."""
    known = {fold(key) for key in there}
    called: defaultdict[tuple[str, str], list[RoomKey]] = defaultdict(list)
    for key, place in there.items():
        if "/" in key and place.name:
            called[key.partition("/")[0], place.name].append(key)
    served: dict[RoomKey, str] = {}
    for key, room in wanted.items():
        if room.value and not room.origins and fold(key) not in known:
            same = called.get((room.rule, room.name), [])
            if len(same) == 1:
                served[same[0]] = room.value
    return served
