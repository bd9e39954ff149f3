"""Reading what is known of a past moment: the people, the policy, the rooms, the members, the audit log.

Every question opens one snapshot of the database and answers from it. What follows from what was read is for
`why_then` and `who`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from bridge.archive import state_store
from bridge.archive.store import snapshot
from bridge.archive.values import Comparison
from bridge.directory.expression import fold
from bridge.directory.history import HistoryEntry
from bridge.directory.local_day import LocalDays
from bridge.directory.past_store import load_states, load_states_of
from bridge.directory.person import Person
from bridge.errors import DocumentError, UnknownNameError
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership import past_store
from bridge.membership.audit_store import read_last_arrivals
from bridge.membership.explanation import PolicyVersion, iso
from bridge.membership.past_company import Setting, is_personal, judged, read_company, read_room, room_at
from bridge.membership.presence import Power, powers, presences
from bridge.membership.room_past import STATE_TYPES, RoomPast, find_room, newest_by_key, pasts
from bridge.membership.ruling import Rulings, rulings
from bridge.membership.survey import Survey
from bridge.membership.who import PRESENT, Facts, Occupancy, occupancy
from bridge.membership.why import Known
from bridge.membership.why_then import Then
from bridge.policy.loader import load
from bridge.policy.schema import Policy
from bridge.policy.store import policy_at

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_POWER_TYPES = ("m.room.create", "m.room.power_levels")


async def then_of(pool: Pool, person: PersonId, moment: datetime, setting: Setting, room: str | None = None) -> Then:
    """Read everything about one person at a moment; `room` is the one that is asked about, None is all of them.

    Raises `UnknownNameError` when the directory did not have the person by then.
    """
    async with snapshot(pool) as db:
        history = await load_states_of(db, person, moment)
        if not history:
            raise UnknownNameError(f"The directory did not know this person by {iso(moment)}. Name a later moment.")
        policy, version = await _policy_at(db, moment, setting)
        holders = await past_store.read_holders(db, moment)
        user_id = next((user for user, holder in holders.items() if holder == person), None)
        members = await state_store.read_memberships(db, moment, user_id=user_id) if user_id else []
        there = {room_id: presence for (room_id, _), presence in presences(members).items()}
        ranked = await state_store.read_rooms_state(db, _POWER_TYPES, moment, there)
        rooms = await _rooms(db, moment, setting)
        decided = None
        if policy is not None:
            company = await read_company(db, moment, policy, person if is_personal(policy) else None)
            decided = judged(policy, company, rooms, holders, moment, setting)
            for place in _asked(decided, rooms, there, person, room) if policy.barriers else ():
                decided = decided.seeing(await read_room(db, place, moment, setting.bot))
        return Then(
            moment=moment,
            day=LocalDays(moment, setting.timezone)(history[-1].person),
            rulings=decided,
            version=version,
            history=history,
            user_id=user_id,
            account=await past_store.read_account_entry(db, user_id, moment) if user_id else None,
            presences=there,
            powers=powers(ranked),
            rooms=rooms,
            comparisons=await state_store.read_comparisons(db, rooms),
            arrivals=await read_last_arrivals(db, person, moment),
            ranks=await past_store.read_last_ranks(db, person, moment),
            hand_overs=await past_store.read_hand_overs(db, user_id, moment) if user_id else {},
            guest_of=await past_store.read_owed(db, user_id, moment) if user_id else frozenset(),
        )


def _asked(
    decided: Rulings, rooms: Mapping[RoomId, RoomPast], there: Collection[RoomId], person: PersonId, room: str | None
) -> list[RoomPast]:
    """Return the rooms of rules that are asked about, or that somebody was in or was to be in."""
    newest = newest_by_key(rooms.values()).values()
    if room is not None:
        with suppress(UnknownNameError):
            found = find_room(room, rooms)
            return [found] if found.key is not None and found in newest else []
        return []
    keys = {fold(key) for key in decided.concerning(person)}
    return [place for place in newest if place.room_id in there or fold(place.key or "") in keys]


async def known_of(pool: Pool, survey: Survey, person: Person, moment: datetime, day: date, setting: Setting) -> Known:
    """Return what explains where a person is now: what a survey found, and what the database has besides."""
    account = survey.current.accounts.get(person.id)
    managed = {room.room_id for room in survey.current.rooms.values()}
    async with snapshot(pool) as db:
        in_force = await policy_at(db, moment)
        members = await state_store.read_memberships(db, moment, user_id=account.user_id) if account else []
        there = {room_id: presence for (room_id, _), presence in presences(members).items()}
        inside = {room_id for room_id, one in there.items() if one.membership in (*PRESENT, "knock")}
        others = sorted(inside - managed)
        state = await state_store.read_rooms_state(db, (*STATE_TYPES, "m.room.power_levels"), moment, others)
        return Known(
            rulings=rulings(
                survey.policy,
                survey.census,
                survey.desired,
                survey.current,
                bot=setting.bot,
                touched=survey.touched,
                walls=survey.walls,
                exemptions=survey.exemptions,
            ),
            arrivals=await read_last_arrivals(db, person.id),
            day=day,
            in_force_since=iso(in_force.since) if in_force and in_force.digest == survey.policy.digest else None,
            history=await load_states_of(db, person.id, moment),
            presences=there,
            powers=powers(state),
            elsewhere=pasts(state, bot=setting.bot, populated=others),
            held=survey.held,
            ranks=await past_store.read_last_ranks(db, person.id, moment),
            hand_overs=await past_store.read_hand_overs(db, account.user_id, moment) if account else {},
            staying=survey.staying,
        )


async def holder_of(pool: Pool, user_id: UserId, moment: datetime) -> PersonId:
    """Return whose account it was at a moment; raise `UnknownNameError` when it was nobody's of the directory."""
    async with snapshot(pool) as db:
        holders = await past_store.read_holders(db, moment)
    if user_id not in holders:
        raise UnknownNameError(
            f"{user_id} is the account of nobody in the directory. `muster who ROOM` lists everybody in a room."
        )
    return holders[user_id]


async def occupancies(pool: Pool, name: str | None, moment: datetime, setting: Setting) -> list[Occupancy]:
    """Return who was in the room of that ID, key, alias or name at a moment, or in each room that had anybody in it.

    Raises `UnknownNameError`, naming the nearest, when there was no such room.
    """
    async with snapshot(pool) as db:
        rooms = await _rooms(db, moment, setting)
        chosen = list(rooms.values()) if name is None else [find_room(name, rooms)]
        common = await _common(db, [room.room_id for room in chosen], rooms, moment, setting)
        newest = {room.room_id for room in newest_by_key(rooms.values()).values()}
        found: list[Occupancy] = []
        for room in sorted(chosen, key=lambda room: (room.key is None, room.key or room.name, room.room_id)):
            facts = await _facts(db, room, moment, setting, common)
            if name is not None or facts.presences:
                found.append(occupancy(room, facts, newest=room.room_id in newest))
    return found


@dataclass(frozen=True, slots=True)
class _Common:
    """What several rooms are told by."""

    rulings: Rulings | None
    version: PolicyVersion | None
    holders: dict[UserId, PersonId]
    states: Mapping[PersonId, HistoryEntry]
    powers: dict[RoomId, Power]
    comparisons: dict[RoomId, Comparison]
    day: LocalDays


async def _common(
    db: Connection, chosen: Collection[RoomId], rooms: Mapping[RoomId, RoomPast], moment: datetime, setting: Setting
) -> _Common:
    policy, version = await _policy_at(db, moment, setting)
    holders = await past_store.read_holders(db, moment)
    states = await load_states(db, moment)
    decided = None
    if policy is not None:
        company = await read_company(db, moment, policy, None, states)
        decided = judged(policy, company, rooms, holders, moment, setting)
    return _Common(
        rulings=decided,
        version=version,
        holders=holders,
        states=states,
        powers=powers(await state_store.read_rooms_state(db, _POWER_TYPES, moment, chosen)),
        comparisons=await state_store.read_comparisons(db, chosen),
        day=LocalDays(moment, setting.timezone),
    )


async def _facts(db: Connection, room: RoomPast, moment: datetime, setting: Setting, common: _Common) -> Facts:
    """Read what is particular to one room; `presences` are only those of people who are there."""
    members = await state_store.read_memberships(db, moment, room_id=room.room_id)
    there = {user: one for (_, user), one in presences(members).items() if one.membership in PRESENT}
    arrivals = await past_store.read_arrivals_in(db, {room.key or room.room_id, room.room_id}, moment)
    rulings = common.rulings
    if rulings is not None and rulings.walls.walls and room.key is not None:
        owed = await past_store.read_owed_in(db, {room.key, room.room_id}, moment)
        rulings = rulings.seeing(room_at(room, there.values(), arrivals, owed, setting.bot))
    return Facts(
        moment=moment,
        rulings=rulings,
        version=common.version,
        bot=setting.bot,
        presences=there,
        power=common.powers.get(room.room_id, Power({})),
        people={
            user: common.states[common.holders[user]].person
            for user in there
            if user in common.holders and common.holders[user] in common.states
        },
        day=common.day,
        arrivals=arrivals,
        names={person: state.person.display_name for person, state in common.states.items()},
        comparison=common.comparisons.get(room.room_id),
        hand_overs={} if room.key is not None else await past_store.read_heirs(db, room.room_id, moment),
    )


async def _rooms(db: Connection, moment: datetime, setting: Setting) -> dict[RoomId, RoomPast]:
    state = await state_store.read_rooms_state(db, STATE_TYPES, moment)
    populated = await state_store.rooms_with_members(db)
    return pasts(state, bot=setting.bot, managed=await past_store.read_keys(db), populated=populated)


async def _policy_at(db: Connection, moment: datetime, setting: Setting) -> tuple[Policy | None, PolicyVersion | None]:
    """Return the policy in force, None when it cannot be read any more, and which version that is."""
    found = await policy_at(db, moment)
    if found is None:
        return None, None
    version = PolicyVersion(found.digest, iso(found.since))
    try:
        return load(found.text, f"policy {found.digest[:12]}", setting.attributes), version
    except DocumentError:
        return None, version
