"""What the policy makes of the people: accounts, rooms, and who is in them with which power.

Pure. It decides for each person alone: what it says of some people does not depend on who else is in the census (but
for the numbers behind equal localparts and the names of rooms). So one change in HR is decided by looking only at the
people it touches. What is there already, and what is therefore to be done, is for `plan`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from operator import or_

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Attributes
from bridge.directory.selector import Selector
from bridge.directory.template import fill, one_line
from bridge.ids import PersonId, RoomKey
from bridge.membership.desired_accounts import DesiredAccounts
from bridge.membership.exemptions import NOBODY, Exempt, Exemptions
from bridge.membership.listing import behind
from bridge.membership.patterns import Pattern, Ranks, patterns_of
from bridge.membership.values import CurrentAccount, Desired, DesiredRoom
from bridge.policy.schema import Desk, Exemption, Policy, Room, RoomKind, RuleId
from bridge.policy.settings import LEVELS

_PATHS = {"groups": "groups.value"}
"""A group is told from others by its id: it may get another name."""

ADMINISTRATORS = RoomKey("administrators")
"""The room of those who approve; no rule of a policy may be called so."""


def desired(
    policy: Policy,
    census: Census,
    accounts: Mapping[PersonId, CurrentAccount] | None = None,
    *,
    server_name: str = "localhost",
    taken: Collection[str] = (),
    exemptions: Collection[Exemption] = (),
) -> Desired:
    """Return the accounts and rooms that the people of the census ought to have.

    `accounts` are those that exist, whose user IDs are fixed for life; `taken` are further localparts that nobody may
    get, those of the bot and of leavers among them. `exemptions` are those that do not stand in the policy.
    """
    rooms = {room.key: room for room in _rooms(policy, census, exemptions)}
    vacant = {rule.id: rule.exclusive for rule in policy.rooms.values() if rule.for_each is not None}
    wanted = DesiredAccounts(policy.accounts, census, accounts or {}, server_name, taken)
    shadow = frozenset(rule.id for rule in policy.rooms.values() if rule.shadow)
    return Desired(wanted, rooms, vacant, shadow)


def room_key(rule: RuleId, value: str) -> RoomKey:
    """Return the key of the room that a `for_each` rule makes for a value."""
    return RoomKey(f"{rule}/{value}")


def _rooms(policy: Policy, census: Census, further: Collection[Exemption]) -> Iterator[DesiredRoom]:
    patterns, none = patterns_of(policy), Exemptions((), census)
    for pattern in patterns.spaces.values():
        yield _filled(pattern, NOBODY, census)
    for rule in policy.rooms.values():
        exemptions, pattern = none, patterns.rooms[rule.id]
        if rule.exceptions or further:
            mine = (each for each in further if each.rule == rule.id)
            exemptions = Exemptions((*rule.exceptions, *mine), census)
            if exemptions.exclude:
                pattern = replace(pattern, room=replace(pattern.room, open_to=None))
        if rule.for_each is None:
            yield _filled(pattern, exemptions.of(""), census)
        else:
            yield from _rooms_by_value(pattern, rule, rule.for_each, exemptions, census)
    for desk in policy.desks.values():
        yield _desk(desk, census)
    if policy.brake.approvers:
        yield _administrators(policy.brake.approvers, census)


def _filled(pattern: Pattern, exempt: Exempt, census: Census) -> DesiredRoom:
    """Return the pattern's room with everybody entitled; the pattern's own while that is nobody."""
    members = exempt.applied(census.select(pattern.members) & census.active)
    if not (members or exempt.because):
        return pattern.room
    power = _power(pattern.ranks, members, census) if pattern.ranks and members else {}
    return replace(pattern.room, members=members, power=power, exempt=exempt.because)


def _power(ranks: Ranks, members: PeopleSet, census: Census) -> dict[int, PeopleSet]:
    """Return who of the members has which level, each only the highest; `ranks` come highest first."""
    power: dict[int, PeopleSet] = {}
    unranked = members
    for rank, selector, above in ranks:
        who = census.select(selector) if selector is not None else census.managers(members, above)
        ranked = who & unranked
        unranked -= ranked
        if ranked:
            power[LEVELS[rank]] = ranked
    return power


def _rooms_by_value(
    like: Pattern, rule: Room, path: str, exemptions: Exemptions, census: Census
) -> Iterator[DesiredRoom]:
    """Yield a room like the pattern's for each value that somebody has who works here."""
    pattern, ranks = like.room, like.ranks
    everybody = census.select(like.members) & census.active
    chosen = _power([each for each in ranks if each[1] is not None], census.active, census) if ranks else {}
    by_value = _called_now(census.by_value(_PATHS.get(path, path)), rule.renamed)
    origins = origins_of(rule.renamed)
    known = {fold(value) for value in by_value} if (admitting := exemptions.values()) else set()
    by_value = {**by_value, **{value: PeopleSet.none for value in admitting if fold(value) not in known}}
    for value, people in by_value.items():
        staff, exempt = people & census.active, exemptions.of(value)
        if staff or exempt.admitted:
            names = _names(path, value, staff, census)
            name = one_line(fill(pattern.name, names.get)) or one_line(value)
            members = everybody & staff
            if rule.managers:
                members |= _managers_of_value(rule, path, value, members, census)
            staff = members = exempt.applied(members)
            if rule.managers:
                power = _power(ranks, members, census)
            else:
                power = {level: ranked & staff for level, ranked in chosen.items()}
            yield replace(
                pattern,
                key=room_key(pattern.rule, value),
                name=name,
                order=tuple(behind(place, name) for place in pattern.order),
                topic=fill(pattern.topic, names.get).strip(),
                members=members,
                power={level: ranked for level, ranked in power.items() if ranked},
                because={**pattern.because, 0: f'{path} eq "{value}" and ({pattern.because[0]})'},
                exempt=exempt.because,
                value=value,
                origins=origins.get(fold(value), ()),
            )


def origins_of(renamed: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return for each value (as compared) what it was called before, first to last.

    Where names have gone round in a circle, each has the room of the one before it.
    """
    before = {fold(new): old for old, new in renamed.items()}
    found: dict[str, tuple[str, ...]] = {}
    for new in before:
        names: tuple[str, ...] = (before[new],)
        while fold(names[0]) in before and fold(names[0]) != new:
            names = (before[fold(names[0])], *names)
        found[new] = names[-1:] if fold(names[0]) == new else names
    return found


def _called_now(by_value: Mapping[str, PeopleSet], renamed: Mapping[str, str]) -> Mapping[str, PeopleSet]:
    """Return who has which value, those of a former name under the one of now."""
    if not renamed:
        return by_value
    found: dict[str, tuple[str, list[PeopleSet]]] = {}
    for value, people in by_value.items():
        now = name_now(value, renamed)
        found.setdefault(fold(now), (now, []))[1].append(people)
    return {value: PeopleSet.union(sets) for value, sets in found.values()}


def name_now(value: str, renamed: Mapping[str, str]) -> str:
    """Return what a value is called by now; where names have gone round in a circle, each is called as it was."""
    after = {fold(old): new for old, new in renamed.items()}
    seen, now = {fold(value)}, value
    while (new := after.get(fold(now))) is not None and fold(new) not in seen:
        seen.add(fold(new))
        now = new
    return now if new is None else value


def _managers_of_value(rule: Room, path: str, value: str, members: PeopleSet, census: Census) -> PeopleSet:
    """Return who is in a manager's room by being above its people; in rooms of other values nobody is by that."""
    row = census.row(PersonId(value)) if path == "manager" else None
    if row is None or not members:
        return PeopleSet.none
    manager = PeopleSet.of([row])
    above = (census.managers(manager, levels - 1) for levels in rule.managers.values())
    return PeopleSet.union(above) & census.active


def _names(path: str, value: str, staff: PeopleSet, census: Census) -> Attributes:
    """Return what the name of a value's room may speak of: the value, and for a manager's room the manager's name."""
    if path == "groups":
        groups = (census.person(row).other for row in staff)
        named = (zip(each.get("groups.value", ()), each.get("groups", ()), strict=True) for each in groups)
        return {path: (next((name for each in named for id_, name in each if id_ == value), value),)}
    if path != "manager":
        return {path: (value,)}
    row = census.row(PersonId(value))
    if row is not None:
        return {path: (value,), "manager.displayname": (census.person(row).display_name,)}
    jobs = (job for report in staff for job in census.person(report).employments if job.manager == value)
    return {path: (value,), "manager.displayname": tuple(sorted({job.manager_name or value for job in jobs}))}


def _desk(desk: Desk, census: Census) -> DesiredRoom:
    """Return the room in which posters write what is announced; whoever is in it can, so nobody else may be."""
    return DesiredRoom(
        key=RoomKey(desk.id),
        rule=desk.id,
        kind=RoomKind.DESK,
        name=desk.name,
        topic=f"What is written here is announced in: {', '.join(desk.rooms)}",
        parents=(),
        open_to=None,
        exclusive=True,
        members=census.select(desk.posters) & census.active,
        power={},
        because={0: desk.posters.text},
    )


def _administrators(approvers: tuple[Selector, ...], census: Census) -> DesiredRoom:
    return DesiredRoom(
        key=ADMINISTRATORS,
        rule=ADMINISTRATORS,
        kind=RoomKind.ADMINISTRATORS,
        name="Administrators",
        topic="Muster tells here what waits for a second person's approval.",
        parents=(),
        open_to=None,
        exclusive=True,
        members=reduce(or_, map(census.select, approvers)) & census.active,
        power={},
        because={0: " or ".join(f"({one.text})" for one in approvers) if len(approvers) > 1 else approvers[0].text},
    )
