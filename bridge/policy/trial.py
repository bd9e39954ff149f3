"""Tests of a policy: where would a made-up person be, and with which power?

Answered by `membership.ruling`, which reads off what is decided about real people. The company is the person and
whoever a test names `with` them; where it names nobody, somebody like the person stands on the other side of each
barrier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.person import EMPLOYMENT_FIELDS, OWN_FIELDS, Attributes, Employment, Person, attributes_of
from bridge.directory.selector import matches
from bridge.errors import DocumentError, Problem
from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.barriers import Walls, walls_of
from bridge.membership.desired import desired
from bridge.membership.grounds import in_words
from bridge.membership.ruling import Ground, Ruling, Rulings, rulings
from bridge.membership.values import Current
from bridge.policy.likeness import likeness
from bridge.policy.schema import Policy, PolicyTest
from bridge.policy.settings import LEVELS

_DAY = date(2000, 1, 1)
"""Any day on which no exception is over: made-up employments have no first and no last one."""
_RANKS = {level: rank for rank, level in LEVELS.items()}


def run_tests(policy: Policy, file: str) -> tuple[Problem, ...]:
    """Return what the policy does that its tests do not expect; `file` is the name to report it under."""
    return tuple(failure for test in policy.tests for failure in _failures(policy, test, file))


def insist_on_tests(policy: Policy, file: str) -> None:
    """Raise `DocumentError` with every failure, unless all tests of the policy pass."""
    failures = run_tests(policy, file)
    if failures:
        raise DocumentError(failures)


def made_up(given: Attributes) -> Person:
    """Return somebody with these attributes, who works here unless it says otherwise.

    Where something that an employment says has several values, there are as many employments.
    """
    jobs = max((len(values) for path, values in given.items() if path in EMPLOYMENT_FIELDS), default=0)
    elsewhere = {*OWN_FIELDS, *EMPLOYMENT_FIELDS, "active"}
    if "groups" in given:
        given = {**given, "groups.value": given["groups"]}  # a made-up group has its name for an id
    return Person(
        id=PersonId(_text(given, "id") or "made-up"),
        user_name=_text(given, "username") or "made-up",
        display_name=_text(given, "displayname") or "Made-up person",
        active=all(given.get("active", ())),
        external_id=_text(given, "externalid"),
        employments=tuple(_employment(given, number) for number in range(jobs)),
        other={path: values for path, values in given.items() if path not in elsewhere},
    )


def _employment(given: Attributes, number: int) -> Employment:
    manager = _text(given, "manager", number)
    return Employment(
        title=_text(given, "title", number),
        department=_text(given, "department", number),
        division=_text(given, "division", number),
        organization=_text(given, "organization", number),
        cost_center=_text(given, "costcenter", number),
        employee_number=_text(given, "employeenumber", number),
        user_type=_text(given, "usertype", number),
        manager=None if manager is None else PersonId(manager),
        manager_name=_text(given, "manager.displayname", number),
    )


def _text(given: Attributes, path: str, number: int = 0) -> str | None:
    values = given.get(path, ())
    return str(values[number]) if number < len(values) else None


def _failures(policy: Policy, test: PolicyTest, file: str) -> Iterator[Problem]:
    person, decided = _decided(policy, test)
    found = {key: decided.of(person.id, key) for key in decided.desired.rooms}
    inside = {str(key) for key, ruling in found.items() if ruling.wanted}
    where = f"is in: {', '.join(sorted(inside)) or 'no room'}"
    wrong = [(f"expected to be in {key}", key) for key in test.in_rooms if key not in inside]
    wrong += [(f"expected not to be in {key}", key) for key in test.not_in_rooms if key in inside]
    for expected, key in wrong:
        why = _rule(policy, key, found.get(RoomKey(key)), decided)
        yield Problem(file, test.line, test.column, f"{expected}, {where} ({why})")
    for key, rank in test.power.items():
        ruling = found.get(RoomKey(key))
        level = ruling.level if ruling is not None and ruling.wanted else None
        if level != LEVELS[rank]:
            came = "is not in it" if level is None else f"is of {_RANKS[level]}"
            why = _rule(policy, key, ruling, decided)
            yield Problem(file, test.line, test.column, f"expected to be of {rank} in {key}, {came} ({why})")


def _decided(policy: Policy, test: PolicyTest) -> tuple[Person, Rulings]:
    """Return the person of a test and what is decided about the company."""
    person = made_up(test.given)
    others = test.company or tuple(_opposed(policy, test))
    company = [replace(made_up(given), id=_id_of(given, number)) for number, given in enumerate(others, start=2)]
    census = Census([person, *company], everywhere(test.day or _DAY))
    wanted = desired(policy, census)
    walls = Walls(walls_of(policy.barriers, census))
    return person, rulings(policy, census, wanted, Current({}, {}), bot=UserId(""), walls=walls)


def _opposed(policy: Policy, test: PolicyTest) -> Iterator[Attributes]:
    """Yield somebody like the person on the other side of each barrier on whose one side the person is."""
    attributes = attributes_of(made_up(test.given), _DAY)
    for barrier in policy.barriers:
        for own, other in ((barrier.one, barrier.other), (barrier.other, barrier.one)):
            if matches(own, attributes) and (like := likeness(test.given, own, other)) is not None:
                yield like


def _id_of(given: Attributes, number: int) -> PersonId:
    return PersonId(_text(given, "id") or f"made-up-{number}")


def _rule(policy: Policy, key: str, ruling: Ruling | None, decided: Rulings) -> str:
    """Return what decides about a room, and how."""
    if ruling is not None and ruling.ground in (Ground.BARRIER, Ground.EXCEPTION, Ground.RELATION):
        return in_words(ruling, decided)
    rule = key.partition("/")[0]
    if rule in policy.rooms:
        room = policy.rooms[rule]
        each = f"for each {room.for_each}: " if room.for_each is not None else ""
        return f"rule rooms.{rule}: {each}{room.members}"
    if rule in policy.spaces:
        return f"rule spaces.{rule}: {policy.spaces[rule].members}"
    if rule in policy.desks:
        return f"rule announcements.{rule}: {policy.desks[rule].posters}"
    return f"rule brake.approvers: {' or '.join(f'({one})' for one in policy.brake.approvers) or 'nobody'}"
