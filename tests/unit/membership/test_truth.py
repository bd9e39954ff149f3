"""What is told of who is where, and why: `tests/cases/why`, and the laws that keep it from differing from the decision.

A case settles the company as it was `before`, lets the rooms `drift` by hand, and asks of the `people` and the `policy`
of now.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.person import attributes_of
from bridge.directory.selector import matches
from bridge.ids import EventId, PersonId, RoomKey, UserId
from bridge.membership.alignment import aligned
from bridge.membership.barriers import Walls, walls_of
from bridge.membership.desired import desired
from bridge.membership.explanation import RoomReason
from bridge.membership.plan import plan
from bridge.membership.presence import Power, Presence
from bridge.membership.room_past import RoomPast
from bridge.membership.ruling import Ground, Rulings, rulings
from bridge.membership.values import Current, CurrentRoom
from bridge.membership.who import Facts, Occupancy, Occupant, occupancy
from bridge.membership.why import Known, explain
from bridge.policy.schema import Exemption, Policy

from . import notation
from .model import applied
from .notation import BOT, DAY, SERVER, case_files, read_case, user_id
from .past_company import NOW, VERSION, moment
from .scene import settled_before
from .test_laws import people, policies, selectors, states


def _decided(rules: Policy, census: Census, current: Current, exemptions: tuple[Exemption, ...] = ()) -> Rulings:
    wanted = desired(rules, census, current.accounts, server_name=SERVER, exemptions=exemptions)
    wanted = replace(wanted, rooms=aligned(wanted.rooms, current))
    walls = Walls(walls_of(rules.barriers, census))
    return rulings(rules, census, wanted, current, bot=BOT, walls=walls, exemptions=exemptions)


def _why(decided: Rulings, person: PersonId, room: RoomKey) -> RoomReason:
    row = decided.census.row(person)
    assert row is not None
    (found,) = explain(decided.census.person(row), Known(decided, {}, DAY), room).rooms
    return found


def _who(decided: Rulings, there: CurrentRoom) -> Occupancy:
    users = {**dict.fromkeys(there.invited, "invite"), **dict.fromkeys(there.members, "join")}
    holders = {account.user_id: account.person for account in decided.current.accounts.values()}
    rows = {user: decided.census.row(holders[user]) for user in users if user in holders}
    presences = {
        user: Presence(there.room_id, user, membership, NOW, EventId("$e"), user, None, EventId("$e"))
        for user, membership in users.items()
    }
    facts = Facts(
        moment=NOW,
        rulings=decided,
        version=VERSION,
        bot=BOT,
        presences=presences,
        power=Power(there.power),
        people={user: decided.census.person(row) for user, row in rows.items() if row is not None},
        day=everywhere(DAY),
        arrivals={},
        names={},
        comparison=None,
    )
    return occupancy(RoomPast(there.room_id, moment(1), there.key, there.name), facts)


@pytest.mark.parametrize("file", case_files("why"), ids=lambda file: file.stem)
def test_the_answer_is_as_the_case_says(file: Path) -> None:
    """The file's name is the requirement."""
    case = read_case(file)
    rules, census = notation.policy(case["policy"]), notation.census(case["people"])
    exemptions = tuple(
        Exemption(
            each["rule"], each.get("value", ""), each["person"], True, each["until"], "cid", each["reason"],
            made=(user_id("cid"), datetime.fromisoformat(each["made"])),
        )
        for each in case.get("exemptions", ())
    )  # fmt: skip
    decided = _decided(rules, census, settled_before(case), exemptions)
    for asked in case["ask"]:
        person, room = PersonId(asked.pop("person")), RoomKey(asked.pop("room"))
        said = _said(_why(decided, person, room))
        if (there := decided.current.rooms.get(room)) is not None:
            said |= _listed(_who(decided, there), person)
        assert {key: said.get(key, "") for key in asked} == asked, (person, room)


def _said(reason: RoomReason) -> dict[str, Any]:
    grounds = reason.grounds
    assert grounds is not None
    exception, barrier, power = grounds.exception, grounds.barrier, grounds.power
    return {
        "there": reason.there,
        "wanted": reason.wanted,
        "ground": grounds.ground,
        "shadow": grounds.shadow,
        "selector": reason.selector,
        "remark": reason.remark,
        "level": reason.wanted_level,
        "reports": " ".join(grounds.reports),
        "exception": f"{exception.until} {exception.owner} {exception.reason} {exception.source}" if exception else "",
        "barrier": f"{barrier.reason}: {barrier.side} | {barrier.opposite}, {barrier.source}" if barrier else "",
        "power": f"{power.rule}: {power.asks} {' '.join(power.reports)}".strip() if power else "",
        "power_holds": [answer.holds for answer in power.answers] if power else [],
    }


def _listed(found: Occupancy, person: PersonId) -> dict[str, Any]:
    everybody = (*found.occupants, *found.absent)
    if (listed := next((one for one in everybody if one.user_name == person), None)) is None:
        return {"who": "not listed"}
    return {"who": f"{listed.membership} by {listed.ground}: {listed.reason}", "who_power": listed.power_by}


# The laws

RENAMED = st.sampled_from([{}, {"Sales": "Revenue"}, {"IT": "Sales"}, {"IT": "Sales", "Sales": "IT"}])


@st.composite
def whole_policies(draw: st.DrawFn) -> Policy:
    """Return a policy with everything that makes explaining hard."""
    rules = draw(policies)
    sides = draw(st.lists(st.tuples(selectors, selectors), max_size=2))
    barriers = notation.policy({"barriers": [{"between": one, "and": other} for one, other in sides]}).barriers
    levels = draw(st.sampled_from([{}, {"moderators": 1}, {"admins": 2, "moderators": 1}]))
    renamed, shadow = draw(RENAMED), draw(st.sampled_from(["", "a"]))
    rooms = {
        key: replace(
            room,
            managers=notation.policy({"rooms": {"x": {"managers": levels}}}).rooms["x"].managers if key != "b" else {},
            renamed=renamed if room.for_each == "department" else {},
            shadow=key == shadow,
        )
        for key, room in rules.rooms.items()
    }
    return replace(rules, rooms=rooms, barriers=barriers)


@given(whole_policies(), people, states())
def test_who_is_where_after_a_plan_is_what_was_told_before_it(
    rules: Policy, now: dict[str, Any], current: Current
) -> None:
    """Whoever is told to be wanted is in after the plan, with the power that is told; whoever is told not to be is
    out, unless there by hand; so an explanation can never differ from the decision."""
    census = notation.census(now)
    decided = _decided(rules, census, current)
    everybody = frozenset(account.user_id for account in decided.desired.accounts.values()) | {
        user for room in current.rooms.values() for user in room.members | room.invited | room.power.keys()
    }
    done = plan(decided.desired, current, census, touched=everybody, walls=decided.walls, bot=BOT)
    after = applied(done, current)
    for key in decided.desired.rooms:
        for person in census.people:
            ruling = decided.of(person.id, key)
            if ruling.shadow or person.id not in after.accounts:
                continue
            user = after.accounts[person.id].user_id
            room = after.rooms[key]
            assert room.power.get(user, 0) == ruling.level
            if ruling.wanted:
                assert user in room.members
            elif user in room.members:
                before = current.rooms[key]
                assert user in before.members - before.granted
                assert ruling.ground is Ground.NONE


@given(whole_policies(), people, states())
def test_who_agrees_with_why(rules: Policy, now: dict[str, Any], current: Current) -> None:
    """For every person and room: who is there and may be, with which power, by what, and who is missing."""
    census = notation.census(now)
    decided = _decided(rules, census, current)
    accounts = {person: account.user_id for person, account in current.accounts.items()}
    for key in decided.desired.rooms.keys() & current.rooms.keys():
        listed = _who(decided, current.rooms[key])
        inside = {one.user_id: one for one in listed.occupants}
        absent = {one.user_name: one for one in listed.absent}
        for person in census.people:
            reason = _why(decided, person.id, key)
            one = inside.get(accounts.get(person.id, UserId("")))
            missed = absent.get(person.user_name)
            assert (one is not None) == (reason.there != "not in")
            if one is not None:
                _agree(one, reason)
            assert (missed is not None) == (one is None and _is_missed(reason))
            if missed is not None and reason.grounds is not None:
                assert missed.ground == reason.grounds.ground
                assert (missed.membership == "kept out") == (not reason.wanted and not reason.grounds.shadow)


def _agree(one: Occupant, reason: RoomReason) -> None:
    assert (one.rule != "-") == reason.wanted
    if reason.there == "in":
        assert one.level == reason.level
    if reason.wanted and reason.grounds is not None:
        assert one.ground == reason.grounds.ground
        by_policy = reason.grounds.power is not None and reason.grounds.power.level == one.level
        assert by_policy == (bool(one.power_by) and one.power_by != "not by the policy")


def _is_missed(reason: RoomReason) -> bool:
    grounds = reason.grounds
    return grounds is not None and (
        reason.wanted or grounds.barrier is not None or grounds.ground == Ground.EXCEPTION.value
    )


@given(whole_policies(), people, states())
def test_the_ground_is_what_it_says(rules: Policy, now: dict[str, Any], current: Current) -> None:
    """A rule's question holds for whom the rule is told to name, an exception names the person and is not over, a
    barrier has the person on the side that is told."""
    census = notation.census(now)
    decided = _decided(rules, census, current)
    for key in decided.desired.rooms:
        for person in census.people:
            ruling, attributes = decided.of(person.id, key), attributes_of(person, DAY)
            if ruling.ground is Ground.RULE:
                assert ruling.wanted
                assert ruling.question is not None
                assert matches(ruling.question.selector, attributes)
            elif ruling.ground is Ground.EXCEPTION:
                assert ruling.exception is not None
                assert ruling.exception.adds is ruling.wanted
                assert ruling.exception.until >= DAY
                assert ruling.exception.person == person.id
            elif ruling.ground is Ground.BARRIER:
                assert ruling.barrier is not None
                assert matches((ruling.barrier.one, ruling.barrier.other)[ruling.side], attributes)
                assert not ruling.wanted
            elif ruling.ground is Ground.RELATION:
                assert ruling.reports
            else:
                assert not ruling.wanted
            if ruling.power is not None:
                assert ruling.power.selector is None or matches(ruling.power.selector, attributes)
                assert ruling.power.selector is not None or ruling.power.reports


def test_a_census_without_the_person_says_nothing_of_them() -> None:
    """Nobody is judged unseen."""
    decided = _decided(notation.policy({"rooms": {"lounge": {}}}), Census([], everywhere(DAY)), Current({}, {}))
    found = decided.of(PersonId("nobody"), RoomKey("lounge"))
    assert (found.wanted, found.ground) == (False, Ground.NONE)
