"""Tests of a policy: where would a made-up person be?

Answered by `membership.desired`, the same function that decides about real people.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.person import EMPLOYMENT_FIELDS, OWN_FIELDS, Attributes, Employment, Person
from bridge.errors import DocumentError, Problem
from bridge.ids import PersonId
from bridge.membership.desired import desired
from bridge.policy.schema import Policy, PolicyTest

_DAY = date(2000, 1, 1)
"""Any day: made-up employments have no first and no last one."""


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
    rooms = desired(policy, Census([made_up(test.given)], everywhere(_DAY))).rooms
    inside = {key for key, room in rooms.items() if 0 in room.members}
    where = f"is in: {', '.join(sorted(inside)) or 'no room'}"
    wrong = [(f"expected to be in {key}", key) for key in test.in_rooms if key not in inside]
    wrong += [(f"expected not to be in {key}", key) for key in test.not_in_rooms if key in inside]
    for expected, key in wrong:
        yield Problem(file, test.line, test.column, f"{expected}, {where} ({_rule(policy, key)})")


def _rule(policy: Policy, key: str) -> str:
    """Return which rule decides about a room, and how."""
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
