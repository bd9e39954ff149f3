"""Laws that deciding keeps for every company, policy and drift."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.local_day import everywhere
from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomId, UserId
from bridge.membership.desired import desired
from bridge.membership.plan import plan
from bridge.membership.values import TAKES_AWAY, Action, Current, CurrentRoom, Desired, Plan
from bridge.policy.schema import Policy

from . import notation
from .model import NOTHING, applied
from .notation import BOT, DAY, SERVER, user_id

K = TypeVar("K")
V = TypeVar("V")
NAMES = tuple(f"p{number}" for number in range(8))
SELECTORS = (
    "active eq true",
    'department eq "Sales"',
    'title co "Head"',
    'not (department eq "Sales") and title pr',
    'title eq "Board" or userName eq "p3"',
)
STRANGERS = (user_id("stranger"), user_id("another"))

people = st.dictionaries(
    st.sampled_from(NAMES),
    st.fixed_dictionaries(
        {},
        optional={
            "department": st.sampled_from(["Sales", "sales", "IT", "Õigus", "õigus"]),
            "title": st.sampled_from(["Head of it", "Board", "Clerk"]),
            "manager": st.sampled_from(NAMES),
            "active": st.booleans(),
            "displayName": st.sampled_from(["Mari", "Jaan"]),
        },
    ),
)
selectors = st.sampled_from(SELECTORS)
rooms = st.fixed_dictionaries(
    {"members": selectors, "kind": st.sampled_from(["chat", "announcement"]), "exclusive": st.booleans()},
    optional={
        "moderators": selectors,
        "posters": selectors,
        "for_each": st.sampled_from(["department", "manager"]),
        "admins": selectors,
        "exceptions": st.lists(
            st.fixed_dictionaries(
                {
                    "person": st.sampled_from(NAMES),
                    "add": st.booleans(),
                    "until": st.sampled_from([date(2026, 3, 1), DAY]),
                    "value": st.sampled_from(["", "Sales", "IT", "p1"]),
                }
            ),
            max_size=3,
        ),
        "join": st.sampled_from(["invite", "knock"]),
        "settings": st.fixed_dictionaries(
            {},
            optional={
                "avatar": st.sampled_from(["mxc://x/a", "mxc://x/b"]),
                "history": st.sampled_from(["joined", "shared"]),
                "encrypted": st.booleans(),
                "may": st.dictionaries(st.sampled_from(["pin", "call"]), st.sampled_from(["everyone", "admins"])),
            },
        ),
    },
)
policies = st.fixed_dictionaries(
    {
        "accounts": st.sampled_from([{}, {"display_name": "{displayName} · {title}", "profile": {"t": "{title}"}}]),
        "rooms": st.dictionaries(st.sampled_from(["a", "b", "c"]), rooms),
        "spaces": st.dictionaries(
            st.sampled_from(["company", "inner"]),
            st.fixed_dictionaries({"members": selectors, "rooms": st.sets(st.sampled_from(["a", "b", "c"]))}),
        ),
        "approvers": st.lists(selectors, max_size=2),
    }
).map(notation.policy)


@st.composite
def states(draw: st.DrawFn) -> Current:
    """Return a company settled under some earlier policy and directory, with things done by hand since."""
    earlier = notation.census(draw(people))
    current = _settled(draw(policies), earlier, NOTHING)
    dice = random.Random(draw(st.integers(0, 9)))
    users = [*(account.user_id for account in current.accounts.values()), *STRANGERS, BOT]

    def some() -> frozenset[UserId]:
        return frozenset(user for user in users if dice.random() < 0.3)

    def meddled(room: CurrentRoom) -> CurrentRoom:
        members = room.members ^ some()
        power = {user: dice.choice([-1, 20, 50, 100]) for user in some()}
        name = dice.choice([room.name, "by hand"])
        invited, granted = some() - members, room.granted & members
        return replace(
            room, members=members, invited=invited, granted=granted, power={**room.power, **power}, name=name
        )

    if draw(st.booleans()):
        return replace(
            current,
            rooms={key: meddled(room) for key, room in current.rooms.items()},
            elsewhere={RoomId("!direct"): some()},
        )
    return current


def _plan(rules: Policy, census: Census, current: Current, touched: frozenset[UserId] | None = None) -> Plan:
    wanted = desired(rules, census, current.accounts, server_name=SERVER)
    return plan(wanted, current, census, touched=touched, bot=BOT)


def _settled(rules: Policy, census: Census, current: Current) -> Current:
    return applied(_plan(rules, census, current), current)


@given(policies, people, states())
def test_a_second_plan_is_empty(rules: Policy, now: dict[str, Any], current: Current) -> None:
    """What a plan does is all there is to do, whatever was done by hand before."""
    census = notation.census(now)
    after = _settled(rules, census, current)
    assert _plan(rules, census, after).changes == ()


@given(policies, people, states(), st.randoms())
def test_the_order_of_people_and_rules_changes_nothing(
    rules: Policy, now: dict[str, Any], current: Current, dice: random.Random
) -> None:
    """A directory that lists people, or a policy that lists rules, in another order yields the same plan."""
    shuffled = list(notation.census(now).people)
    dice.shuffle(shuffled)
    backwards = replace(rules, rooms=_reversed(rules.rooms), spaces=_reversed(rules.spaces))
    there = replace(current, rooms=_reversed(current.rooms))
    first, second = (
        _plan(rules, notation.census(now), current),
        _plan(backwards, Census(shuffled, everywhere(DAY)), there),
    )
    assert first == second
    assert first.digest == second.digest


def _reversed(mapping: Mapping[K, V]) -> dict[K, V]:
    return dict(reversed(list(mapping.items())))


@given(policies, people, states())
def test_only_leavers_are_touched_where_the_policy_has_no_say(
    rules: Policy, now: dict[str, Any], current: Current
) -> None:
    """In a room that no rule makes (any more) nothing happens but that leavers leave."""
    census = notation.census(now)
    leavers = {account.user_id for account in current.accounts.values()} & {
        account.user_id
        for account in desired(rules, census, current.accounts, server_name=SERVER).accounts.values()
        if not account.enabled
    }
    ruled = {*rules.rooms, *rules.spaces, "administrators"}
    for change in _plan(rules, census, current).changes:
        if change.room and change.room.split("/")[0] not in ruled:
            assert change.action is Action.REMOVE
            assert change.user_id in leavers


@given(policies, people, states())
def test_the_bot_and_those_it_did_not_let_in_are_safe(rules: Policy, now: dict[str, Any], current: Current) -> None:
    """Nothing is done to the bot, and guests invited by hand stay wherever the room is not exclusive."""
    exclusive = {rule.id for rule in rules.rooms.values() if rule.exclusive} | {"administrators"}
    for change in _plan(rules, notation.census(now), current).changes:
        assert change.user_id != BOT
        if change.action is Action.REMOVE and change.user_id in STRANGERS:
            assert change.room.split("/")[0] in exclusive


@given(policies, people, states(), st.sets(st.sampled_from(NAMES)))
def test_what_is_desired_of_some_does_not_depend_on_the_others(
    rules: Policy, now: dict[str, Any], current: Current, names: set[str]
) -> None:
    """The subset law: deciding for some people alone says of them what deciding for all says of them."""
    everyone = notation.census(now)
    some = Census([person for person in everyone.people if person.id in names], everywhere(DAY))
    known = _settled(rules, everyone, current).accounts
    for_all, for_some = (desired(rules, census, known, server_name=SERVER) for census in (everyone, some))
    assert _of(names, for_all, everyone) == _of(names, for_some, some)
    assert {id: account for id, account in for_all.accounts.items() if id in names} == dict(for_some.accounts)
    assert {fold(key) for key in for_some.rooms} <= {fold(key) for key in for_all.rooms}


def _of(names: set[str], wanted: Desired, census: Census) -> set[tuple[str, int, str]]:
    """Return room, level and person for each of the people; keys as they are compared."""
    ranked = (
        (room.key, level, who) for room in wanted.rooms.values() for level, who in _levels(room.members, room.power)
    )
    return {
        (fold(key), level, census.person(row).id)
        for key, level, who in ranked
        for row in who
        if census.person(row).id in names
    }


def _levels(members: PeopleSet, power: Mapping[int, PeopleSet]) -> list[tuple[int, PeopleSet]]:
    return [(0, members), *power.items()]


@given(policies, people, states(), st.sets(st.sampled_from(NAMES)))
def test_planning_for_those_touched_does_to_them_what_planning_for_all_does(
    rules: Policy, now: dict[str, Any], current: Current, names: set[str]
) -> None:
    """One change in HR may be planned by looking only at the people it touches."""
    everyone = notation.census(now)
    some = Census([person for person in everyone.people if person.id in names], everywhere(DAY))
    ids = [account.user_id for account in desired(rules, some, current.accounts, server_name=SERVER).accounts.values()]
    touched = frozenset(ids)
    whole, part = _plan(rules, everyone, current), _plan(rules, some, current, touched)
    assert _done_to(touched, part) == _done_to(touched, whole)
    made = {change.room for change in part.changes if change.action is Action.CREATE_ROOM}
    assert {change.room for change in part.changes if change.action is Action.JOIN} <= made | set(current.rooms)
    assert all(change.user_id in touched or change.room in made for change in part.changes)


def _done_to(users: frozenset[UserId], found: Plan) -> list[tuple[str, ...]]:
    """Return what a plan does to the users, without the spelling of values, on which fewer people may differ."""
    return sorted(
        (change.action, fold(change.room), change.user_id, change.value, change.person, change.rule)
        for change in found.changes
        if change.user_id in users
    )


@given(policies, people, states())
def test_additions_alone_can_be_carried_out(rules: Policy, now: dict[str, Any], current: Current) -> None:
    """A plan whose removals are held leaves a state from which exactly these removals remain."""
    census = notation.census(now)
    whole = _plan(rules, census, current)
    adding = replace(whole, changes=tuple(change for change in whole.changes if change.action not in TAKES_AWAY))
    rest = _plan(rules, census, applied(adding, current))
    assert rest.changes == tuple(change for change in whole.changes if change.action in TAKES_AWAY)
