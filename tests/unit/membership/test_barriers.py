"""Information barriers, for every company, policy and drift."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.selector import parse
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.barriers import Arrival, Breach, Seat, Seats, Walls, breaches, seats_of, walls_of
from bridge.membership.brake import Losses, brake
from bridge.membership.desired import desired
from bridge.membership.guests import Guesthood, guest_seats, guesthood
from bridge.membership.plan import plan
from bridge.membership.steps import Schedule, steps_of
from bridge.membership.values import Current, Plan
from bridge.policy.schema import Barrier, Brake, Guests, Policy, RoomKind

from . import notation
from .model import applied
from .notation import BOT, DAY, SERVER, census, policy, user_id
from .test_laws import NAMES, STRANGERS, people, policies, selectors, states

barriers = st.lists(
    st.tuples(selectors, selectors, st.sampled_from([(), ("a",)]))
    .filter(lambda sides: sides[0] != sides[1])
    .map(lambda sides: policy({"barriers": [{"between": sides[0], "and": sides[1], "except": sides[2]}]}).barriers[0]),
    min_size=1,
    max_size=2,
    unique_by=lambda barrier: barrier.id,
)
walled = st.tuples(policies, barriers).map(
    lambda both: replace(both[0], barriers=tuple(both[1]), guests=Guests(parse('title ne "Clerk"')))
)


def _guests(rules: Policy) -> Seats:
    """Return the seats of the strangers: one is on the first side, the other on none."""
    return {STRANGERS[0]: frozenset([Seat(rules.barriers[0].id, 0)])}


def _hood(rules: Policy, everyone: Census) -> Guesthood:
    """Return two guests, of whom one is there by hand already or not, and one is new."""
    found = notation.guests({"another": {"sponsor": NAMES[0]}, "newcomer": {"sponsor": NAMES[1], "rooms": ["a", "b"]}})
    return guesthood(rules.guests, found, everyone, SERVER)


def _walls(rules: Policy, everyone: Census) -> Walls:
    walls = walls_of(rules.barriers, everyone)
    return Walls(walls, {**_guests(rules), **guest_seats(_hood(rules, everyone), walls)})


def _seats(rules: Policy, everyone: Census, current: Current) -> Seats:
    wanted = desired(rules, everyone, current.accounts, server_name=SERVER).accounts
    users = [wanted[each.id].user_id if each.id in wanted else UserId("") for each in everyone.people]
    walls = _walls(rules, everyone)
    return {**walls.strangers, **seats_of(walls.walls, users)}


def _plan(rules: Policy, everyone: Census, current: Current) -> Plan:
    wanted = desired(rules, everyone, current.accounts, server_name=SERVER)
    return plan(wanted, current, everyone, walls=_walls(rules, everyone), bot=BOT, guests=_hood(rules, everyone))


def _broken(rules: Policy, current: Current, seats: Seats) -> set[tuple[RoomKey, UserId, UserId]]:
    """Return every pair of people who share a managed room and must not."""
    return {
        (room.key, *pair)
        for room in current.rooms.values()
        if room.kind is not RoomKind.SPACE
        for pair in combinations(sorted((room.members | room.invited) - {BOT}), 2)
        for barrier in rules.barriers
        if room.key.partition("/")[0] not in barrier.exempt and _opposed(barrier, pair, seats)
    }


def _opposed(barrier: Barrier, pair: tuple[UserId, UserId], seats: Seats) -> bool:
    one, other = (seats.get(user, frozenset()) for user in pair)
    return any(Seat(barrier.id, side) in one and Seat(barrier.id, 1 - side) in other for side in (0, 1))


def _in_some_order(found: Plan, data: st.DataObject) -> list[Plan]:
    """Return the changes as they may be carried out, one by one, when some of the steps fail."""
    steps = steps_of(found, {})
    schedule, single = Schedule(steps), []
    while schedule.left:
        ready = schedule.take()
        assert ready is not None
        succeeded = bool(ready.go) and data.draw(st.integers(0, 9)) < 8
        if succeeded:
            single.append(replace(found, changes=ready.go))
        schedule.finish(ready.index, succeeded=succeeded)
    return single


@given(walled, people, states(), st.booleans(), st.data())
def test_no_plan_creates_a_breach(
    rules: Policy, now: dict[str, Any], current: Current, braked: bool, data: st.DataObject
) -> None:
    """Nobody is put beside somebody of the other side, at no moment of a plan, whatever fails and whatever is held."""
    everyone = census(now)
    seats = _seats(rules, everyone, current)
    found = _plan(rules, everyone, current)
    if braked:
        limits = Brake(removals=0, fraction=0, floor=0)
        found = brake(found, limits, 10, {}, Losses(), frozenset(), ()).go
    before = _broken(rules, current, seats)
    for step in _in_some_order(found, data):
        current = applied(step, current)
        assert _broken(rules, current, seats) <= before


@given(walled, people, states())
def test_after_a_plan_no_rule_puts_both_sides_together(rules: Policy, now: dict[str, Any], current: Current) -> None:
    """What a plan leaves is without breaches in the rooms of the policy, and a second plan is empty."""
    everyone = census(now)
    after = applied(_plan(rules, everyone, current), current)
    ruled = {rule.id for rule in rules.rooms.values() if rule.for_each is None}
    ruled |= {"administrators"} if rules.brake.approvers else set()
    assert not {key for key, _, _ in _broken(rules, after, _seats(rules, everyone, after)) if key in ruled}
    assert _plan(rules, everyone, after).changes == ()


@given(walled, people, states(), st.sets(st.sampled_from(NAMES)))
def test_planning_for_some_creates_no_breach_with_the_others(
    rules: Policy, now: dict[str, Any], current: Current, names: set[str]
) -> None:
    """A plan that looks at some people keeps the barriers towards those whom it does not look at."""
    everyone = census(now)
    some = Census([person for person in everyone.people if person.id in names], everywhere(DAY))
    seats = _seats(rules, everyone, current)
    wanted = desired(rules, some, current.accounts, server_name=SERVER)
    touched = frozenset(account.user_id for account in wanted.accounts.values())
    hood = _hood(rules, some)
    touched |= {guest.user_id for guests in hood.living.values() for guest in guests}
    unseen = {user: taken for user, taken in seats.items() if user not in touched}
    others = {
        key: frozenset(seat for user in room.members | room.invited for seat in unseen.get(user, ()))
        for key, room in current.rooms.items()
    }
    found = plan(
        wanted,
        current,
        some,
        touched=touched,
        walls=replace(_walls(rules, some), others=others),
        bot=BOT,
        guests=hood,
    )
    before = _broken(rules, current, seats)
    assert _broken(rules, applied(found, current), seats) <= before


ROOM = RoomId("!direct")
ANN, BOB, CID = map(user_id, ("ann", "bob", "cid"))
SEATS = {ANN: frozenset([Seat("b", 0)]), BOB: frozenset([Seat("b", 1)])}


def test_whoever_comes_later_must_go() -> None:
    """Of two people who must not share a room the one who was there stays, also when both come at once."""
    assert breaches([Arrival(ROOM, BOB)], {ROOM: [ANN, CID]}, SEATS) == [Breach(ROOM, BOB, ANN, "b")]
    both = [Arrival(ROOM, CID), Arrival(ROOM, BOB), Arrival(ROOM, ANN)]
    assert breaches(both, {}, SEATS) == [Breach(ROOM, ANN, BOB, "b")]


def test_people_of_one_side_and_of_none_may_meet() -> None:
    """A barrier is between its sides only."""
    assert breaches([Arrival(ROOM, CID), Arrival(ROOM, ANN)], {}, SEATS) == []
    assert breaches([Arrival(ROOM, CID), Arrival(ROOM, ANN)], {}, {**SEATS, CID: SEATS[ANN]}) == []
