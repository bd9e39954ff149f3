"""What in a good policy is probably not meant, seen with the people and rooms that there are. Pure.

What the policy alone tells is for `bridge.policy.lint`. Reading the people and rooms is left to `today`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from bridge.directory.census import Census
from bridge.directory.people_set import PeopleSet
from bridge.directory.selector import Selector, parse
from bridge.errors import Problem
from bridge.ids import RoomKey
from bridge.membership.barriers import Wall, walls_of
from bridge.membership.desired import desired
from bridge.membership.values import DesiredRoom
from bridge.policy.lint import swallowed
from bridge.policy.schema import Barrier, Desk, Exemption, Policy, Room, RoomKind, RuleId, Space


@dataclass(frozen=True, slots=True)
class Today:
    """What a policy is held against."""

    census: Census
    rooms: Mapping[RoomKey, tuple[RoomKind, str]] = field(default_factory=dict)
    """Kind and name of each managed room."""
    in_force: frozenset[RuleId] | None = None
    """The ids of the policy that was in force last; None: there is none, or it cannot be read."""
    exemptions: tuple[Exemption, ...] = ()
    """Those that do not stand in the policy."""


def doubts(policy: Policy, file: str, today: Today, day: date) -> tuple[Problem, ...]:
    """Return what is to be looked at, as warnings in the order of the file; `file` is the name to report it under."""
    found = [
        *_unmatched(policy, today.census),
        *_strangers(policy, today.census, day),
        *_reused(policy, today),
        *_same_people(policy, today.census),
        *_barriers(policy, today),
    ]
    told = [Problem(file, *place, message, "warning") for place, message in found]
    told += [Problem(file, *place, message, "note") for place, message in _subsets(policy, today.census)]
    return tuple(sorted(told))


_Doubt = tuple[tuple[int, int], str]


def _unmatched(policy: Policy, census: Census) -> Iterator[_Doubt]:
    """Yield each selector that means nobody who works here."""
    for place, where, selector in _selectors(policy):
        if not census.select(selector) & census.active:
            yield place, f"{where} matches nobody who works here today: {selector.text}"
    approvers = policy.brake.approvers
    if approvers and not any(census.select(each) & census.active for each in approvers):
        yield policy.brake.place, "nobody who works here today may approve: no selector of `approvers` matches anybody"
    approvers = policy.case_approvers
    if approvers and not any(census.select(each) & census.active for each in approvers):
        yield policy.cases_place, "nobody who works here today may approve cases: `archive: approvers:` matches nobody"


def _selectors(policy: Policy) -> Iterator[tuple[tuple[int, int], str, Selector]]:
    """Yield place and name of each selector, beside those of approvers."""
    for space in policy.spaces.values():
        yield space.place, f"`members` of `{space.id}`", space.members
    for room in policy.rooms.values():
        yield room.place, f"`members` of `{room.id}`", room.members
        for name, asked in (("admins", room.admins), ("moderators", room.moderators), ("posters", room.posters)):
            if asked is not None:
                yield room.place, f"`{name}` of `{room.id}`", asked
    for desk in policy.desks.values():
        yield desk.place, f"`posters` of `{desk.id}`", desk.posters
    for protected in policy.brake.protected:
        yield policy.brake.place, "a selector of `protected`", protected
    for barrier in policy.barriers:
        yield barrier.place, "`between` of a barrier", barrier.one
        yield barrier.place, "`and` of a barrier", barrier.other
    if (hours := policy.hours) is not None:
        yield from ((shift.place, "`people` of a shift", shift.people) for shift in hours.shifts)
        yield from ((hours.place, "`hours: quiet`", asked) for asked in (hours.quiet,) if asked is not None)
        for country in hours.countries if hours.country else ():
            yield hours.place, f"the country `{country}` of `hours`", parse(f"{hours.country} eq {json.dumps(country)}")


def _strangers(policy: Policy, census: Census, day: date) -> Iterator[_Doubt]:
    """Yield each exception, not over yet, for somebody who is unknown or does not work here."""
    for each in policy.exceptions:
        named = census.named(each.person)
        if each.until < day or named & census.active:
            continue
        why = "does not work here" if named else "is no userName or id in the directory"
        yield each.place, f"the exception for {each.person} does nothing: {each.person} {why}; ask {each.owner}"


def _reused(policy: Policy, today: Today) -> Iterator[_Doubt]:
    """Yield each id under which there are rooms of something else, or of what was taken out of the policy."""
    known: dict[RuleId, dict[str, str]] = {}
    for key, (kind, name) in today.rooms.items():
        id_, slash, _ = key.partition("/")
        known.setdefault(id_, {}).setdefault(_sort(kind, each=bool(slash)), name)
    rules: tuple[Space | Room | Desk, ...] = (
        *policy.spaces.values(),
        *policy.rooms.values(),
        *policy.desks.values(),
    )
    for rule in rules:
        there, wanted = known.get(rule.id, {}), _sort_of(rule)
        if there and wanted not in there:
            sort, name = next(iter(there.items()))
            yield (
                rule.place,
                f"the id `{rule.id}` is reused: it has {sort} ({name}) and is to be {wanted}; take another id",
            )
        elif there and today.in_force is not None and rule.id not in today.in_force:
            told = f"the id `{rule.id}` is of a rule that was taken out: its room ({there[wanted]}) is taken up again"
            yield rule.place, f"{told}, with what was said there; take another id if that is not meant"


_SORTS = {
    RoomKind.SPACE: "a space",
    RoomKind.DESK: "a desk",
    RoomKind.ADMINISTRATORS: "the administrators' room",
}


def _sort(kind: RoomKind, *, each: bool) -> str:
    return _SORTS.get(kind, "a room for each value" if each else "a room of its own")


def _sort_of(rule: Space | Room | Desk) -> str:
    if isinstance(rule, Room):
        return _sort(rule.kind, each=rule.for_each is not None)
    return _SORTS[RoomKind.SPACE if isinstance(rule, Space) else RoomKind.DESK]


def _same_people(policy: Policy, census: Census) -> Iterator[_Doubt]:
    """Yield each rule whose rooms are of the same kind and for the same people as one before that asks otherwise."""
    seen: dict[object, Room] = {}
    for room in policy.rooms.values():
        people = census.select(room.members) & census.active
        if not people:
            continue
        first = seen.setdefault((room.kind, room.for_each, tuple(people)), room)
        if first.members.normal != room.members.normal:
            told = f"`{room.id}` is today for the same {_people(len(people))} as `{first.id}`, a room of the same kind"
            yield room.place, f"{told}; is it meant?"


def _subsets(policy: Policy, census: Census) -> Iterator[_Doubt]:
    """Yield each rule whose people are today all among those of another of the same kind, the smallest such.

    What the rules' words tell already is not told again; a rule for nobody, and one for everybody, tell nothing.
    """
    told = {room.id for room, _ in swallowed(policy)}
    by_sort: defaultdict[object, list[tuple[int, RuleId, Room, PeopleSet]]] = defaultdict(list)
    for room in policy.rooms.values():
        people = census.select(room.members) & census.active
        if 0 < len(people) < len(census.active):
            by_sort[room.kind, room.for_each].append((len(people), room.id, room, people))
    for alike in by_sort.values():
        alike.sort(key=lambda one: one[:2])
        for at, (size, id_, room, people) in enumerate(alike):
            if id_ in told:
                continue
            somebody = next(iter(people))  # most other rooms are ruled out by one look
            for wider, other, _, among in alike[at + 1 :]:
                if wider > size and somebody in among and not people - among:
                    said = f"whoever is in `{id_}` today ({_people(size)}) is in `{other}` too"
                    yield room.place, f"{said}, a room of the same kind"
                    break


def _barriers(policy: Policy, today: Today) -> Iterator[_Doubt]:
    """Yield each barrier with somebody on both its sides, and each rule that puts both sides into a room."""
    walls = walls_of(policy.barriers, today.census)
    for wall in walls:
        if wall.both:
            told = f"the barrier “{wall.barrier.reason}” has {_people(len(wall.both))} on both sides today"
            yield wall.barrier.place, f"{told}, who may share a room with nobody of either"
    if walls:
        wanted = desired(policy, today.census, exemptions=today.exemptions)
        for wall in walls:
            yield from _meetings(policy, wall, list(wanted.rooms.values()))


def _meetings(policy: Policy, wall: Wall, rooms: Sequence[DesiredRoom]) -> Iterator[_Doubt]:
    """Yield each rule that asks both sides into a room where the barrier holds."""
    met: dict[RuleId, list[str]] = {}
    for room in rooms:
        if room.kind is not RoomKind.SPACE and room.rule not in wall.barrier.exempt and _is_divided(room, wall):
            met.setdefault(room.rule, []).append(room.name)
    for rule, names in met.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        told = f"`{rule}` puts both sides of the barrier “{wall.barrier.reason}” together in {names[0]}{more}"
        yield _place_of(policy, rule, wall.barrier), f"{told}; one side will be kept out"


def _is_divided(room: DesiredRoom, wall: Wall) -> bool:
    one, other = room.members & wall.one, room.members & wall.other
    return bool(one and other) and len(one | other) > 1


def _place_of(policy: Policy, rule: RuleId, barrier: Barrier) -> tuple[int, int]:
    """Return where a rule stands; for the administrators' room, which has none, where the barrier does."""
    found = policy.rooms.get(rule) or policy.desks.get(rule)
    return found.place if found is not None else barrier.place


def _people(number: int) -> str:
    return f"{number} {'person' if number == 1 else 'people'}"
