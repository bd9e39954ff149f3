"""How much may be taken away: `tests/cases/brake`.

A case's plan is written as lines such as `remove sales 1-6 stranger`: people of the directory are numbers, everybody
else a stranger to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.brake import Losses, Verdict, brake, limit_of, losses_of
from bridge.membership.plan import plan_of
from bridge.membership.values import ACTIONS, TAKES_AWAY, Action, Change, Plan
from bridge.policy.schema import Brake

from .notation import case_files, read_case, user_id

NOBODY = frozenset[PersonId]()


@pytest.mark.parametrize("file", case_files("brake"), ids=lambda file: file.stem)
def test_brake_is_as_the_case_says(file: Path) -> None:
    """The file's name is the requirement."""
    case = read_case(file)
    plan = _plan(case["plan"])
    verdict = _verdict(case, plan, approved=_approved(case.get("approved"), plan))
    assert list(verdict.reasons) == case["expect"].get("reasons", [])
    assert _actions(verdict.go) == set(case["expect"].get("go", []))
    assert _actions(verdict.held) == set(case["expect"].get("held", []))
    assert sorted(verdict.go.changes + verdict.held.changes) == sorted(plan.changes)


def test_limit_is_exact_where_floating_point_is_not() -> None:
    """Seven hundredths of a hundred people are seven, although 0.07 × 100 is a little more in binary."""
    assert limit_of(Brake(removals=100, fraction=0.07, floor=0), 100) == 7
    assert limit_of(Brake(removals=100, fraction=0.07, floor=0), 101) == 8


def test_held_plan_has_the_digest_that_is_to_be_approved() -> None:
    """Approving the digest shown for what is held lets exactly that go, and one change more is another digest."""
    plan = _plan(["disable account 1-9", "join sales 11"])
    held = brake(plan, Brake(), 10, {}, Losses(), NOBODY, ()).held
    assert brake(plan, Brake(), 10, {}, Losses(), NOBODY, {held.digest}) == Verdict(plan, plan_of((), {}), ())
    more = _plan(["disable account 1-10", "join sales 11"])
    assert brake(more, Brake(), 10, {}, Losses(), NOBODY, {held.digest}).held.changes


_CHANGES = st.builds(
    lambda action, room, number, known: _change(action, room, str(number) if known else f"stranger-{number}"),
    st.sampled_from([Action.DISABLE_ACCOUNT, Action.REMOVE, Action.LOWER_POWER, Action.JOIN, Action.RAISE_POWER]),
    st.sampled_from(["sales", "it", "!direct"]),
    st.integers(0, 12),
    st.booleans(),
)
_BRAKES = st.builds(
    Brake,
    removals=st.integers(0, 8),
    fraction=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    floor=st.integers(0, 5),
    per_run=st.none() | st.integers(0, 6),
)
_PEOPLE = st.frozensets(st.integers(0, 12).map(str).map(PersonId), max_size=3)


@given(st.lists(_CHANGES, max_size=20), _BRAKES, st.frozensets(st.integers(0, 12).map(str).map(PersonId)))
def test_pardon_lets_go_those_people_and_nobody_else(
    changes: list[Change], limits: Brake, pardoned: frozenset[PersonId]
) -> None:
    """What is taken from the pardoned goes; all else is divided as if they were not in the plan."""
    sizes = {RoomKey("sales"): 10, RoomKey("it"): 3}
    plan = plan_of(set(changes), {})
    others = plan_of((change for change in plan.changes if change.person not in pardoned), {})
    verdict = brake(plan, limits, 20, sizes, Losses(), NOBODY, (), pardoned)

    assert not any(change.person in pardoned for change in verdict.held.changes)
    assert verdict.held == brake(others, limits, 20, sizes, Losses(), NOBODY, ()).held
    assert sorted(verdict.go.changes + verdict.held.changes) == sorted(plan.changes)


@given(st.lists(st.tuples(_CHANGES, st.integers(0, 4)), max_size=30), _BRAKES, _PEOPLE)
def test_splitting_a_change_into_many_cannot_pass_the_brake(
    changes: list[tuple[Change, int]], limits: Brake, protected: frozenset[PersonId]
) -> None:
    """However a plan is divided into a sequence of plans, within one window no more people lose something than the
    limits say, in the company and in each room, and nobody protected does; and what goes as a whole goes in parts."""
    population, sizes = 20, {RoomKey("sales"): 10, RoomKey("it"): 3}
    parts = [{change for change, turn in changes if turn == now} for now in range(5)]
    whole = brake(plan_of({change for change, _ in changes}, {}), limits, population, sizes, Losses(), protected, ())
    lost = Losses()
    for part in parts:
        plan = plan_of(part, {})
        verdict = brake(plan, limits, population, sizes, lost, protected, ())
        assert sorted(verdict.go.changes + verdict.held.changes) == sorted(plan.changes)
        assert not (verdict.held.changes and not whole.held.changes)
        assert limits.per_run is None or len(losses_of(verdict.go).people) <= limits.per_run
        assert all(change.action in TAKES_AWAY for change in verdict.held.changes)
        assert bool(verdict.held.changes) is bool(verdict.reasons)
        lost = _together(lost, losses_of(verdict.go))
    assert not lost.people & protected
    assert len(lost.people) <= limit_of(limits, population)
    for room, users in lost.rooms.items():
        assert len(users) <= limit_of(limits, sizes[room])


def _together(before: Losses, now: Losses) -> Losses:
    rooms = {
        room: before.rooms.get(room, frozenset()) | now.rooms.get(room, frozenset())
        for room in before.rooms.keys() | now.rooms.keys()
    }
    return Losses(before.people | now.people, rooms)


def _verdict(case: dict[str, Any], plan: Plan, approved: set[str]) -> Verdict:
    recent = case.get("recent", {})
    return brake(
        plan,
        Brake(**case.get("brake", {})),
        case["population"],
        {RoomKey(key): size for key, size in case.get("room_sizes", {}).items()},
        Losses(
            frozenset(map(PersonId, _names(str(recent.get("people", ""))))),
            {RoomKey(k): frozenset(map(user_id, _names(str(v)))) for k, v in recent.get("rooms", {}).items()},
        ),
        frozenset(map(PersonId, _names(str(case.get("protected", ""))))),
        approved,
        frozenset(map(PersonId, _names(str(case.get("pardoned", ""))))),
    )


def _approved(said: str | None, plan: Plan) -> set[str]:
    taking = plan_of((change for change in plan.changes if change.action in TAKES_AWAY), {})
    return {"taking": {taking.digest}, "whole": {plan.digest}, None: set[str]()}[said]


def _plan(lines: list[str]) -> Plan:
    return plan_of((change for line in lines for change in _changes(line)), {})


def _changes(line: str) -> Iterator[Change]:
    action = next(action for action in ACTIONS if line.startswith(action.value))
    room, _, names = line.removeprefix(action.value).strip().partition(" ")
    if "account" in action.value:
        room, names = "", room
    for name in _names(names):
        yield _change(action, room, name)


def _change(action: Action, room: str, name: str) -> Change:
    person = "" if name.startswith("stranger") else name
    of_account = action is Action.DISABLE_ACCOUNT
    return Change(ACTIONS.index(action), "" if of_account else room, UserId(user_id(name)), "", person)


def _names(words: str) -> Iterator[str]:
    """Return the names in `1-3 7 stranger`."""
    for word in words.split():
        first, dash, last = word.partition("-")
        yield from map(str, range(int(first), int(last) + 1)) if dash and first.isdigit() else [word]


def _actions(plan: Plan) -> set[str]:
    """Return what the plan does, as `remove sales`."""
    return {f"{change.action} {change.room}".strip() for change in plan.changes}
