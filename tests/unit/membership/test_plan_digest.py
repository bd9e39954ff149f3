"""What makes two plans the same plan, and where a change says it comes from."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bridge.membership.desired import desired
from bridge.membership.plan import plan, plan_of
from bridge.membership.values import ACTIONS, Action, Change, Plan
from bridge.policy.schema import Policy

from .model import NOTHING, applied
from .notation import BOT, census, line_of, policy

CHANGE = Change(ACTIONS.index(Action.JOIN), "sales", "@mari:example.org", "", "mari", "rooms.sales", "because")


def test_digest_covers_what_is_done_and_not_how_it_is_explained() -> None:
    """Two plans that do the same have the same digest; any other thing done is another digest."""
    digest = plan_of([CHANGE], {}).digest
    assert plan_of([replace(CHANGE, reason="in other words")], {}).digest == digest
    for other in (
        replace(CHANGE, order=ACTIONS.index(Action.REMOVE)),
        replace(CHANGE, room="it"),
        replace(CHANGE, user_id="@jaan:example.org"),
        replace(CHANGE, value="50"),
        replace(CHANGE, person="jaan"),
        replace(CHANGE, rule="rooms.it"),
    ):
        assert plan_of([other], {}).digest != digest
    assert plan_of([CHANGE, replace(CHANGE, room="it")], {}).digest != digest
    assert plan_of([], {}).digest not in ("", digest)


def test_digest_covers_the_form_of_rooms_to_be_made() -> None:
    """A room that would be made otherwise, with another topic say, is another plan."""
    rules = policy({"rooms": {"chat": {}}})
    talk = policy({"rooms": {"chat": {"topic": "Talk"}}})
    assert _first(rules).changes == _first(talk).changes
    assert _first(rules).digest != _first(talk).digest


def test_digest_covers_what_a_room_is_changed_into() -> None:
    """Two plans that rename a room differently are two plans."""
    settled = applied(_first(policy({"rooms": {"chat": {}}})), NOTHING)
    everyone = census({"mari": {}})
    first, second = (
        plan(
            desired(policy({"rooms": {"chat": {"name": name}}}), everyone, settled.accounts), settled, everyone, bot=BOT
        )
        for name in ("Talk", "Babble")
    )
    assert first.changes == second.changes
    assert first.digest != second.digest


def test_digest_is_the_same_everywhere() -> None:
    """The digest does not depend on the process, so what was planned yesterday can be approved today."""
    line = b'["join","sales","@mari:example.org","","mari","rooms.sales"]\n'
    assert plan_of([CHANGE], {}).digest == hashlib.sha256(line).hexdigest()


def test_plan_carries_the_rooms_it_names_and_no_others() -> None:
    """Whoever applies a plan finds in it what it needs to know."""
    rules = policy({"rooms": {"chat": {}, "drivers": {"members": 'title eq "Driver"'}}})
    first = _first(rules)
    assert list(first.rooms) == ["chat", "drivers"]
    settled = applied(first, NOTHING)
    everyone = census({"mari": {}, "jaan": {}})
    wanted = desired(rules, everyone, settled.accounts, server_name="example.org")
    assert list(plan(wanted, settled, everyone, bot=BOT).rooms) == ["chat"]


def test_changes_come_in_the_order_of_applying() -> None:
    """What is taken away comes first, then accounts, rooms, joins and power."""
    rooms = _first(policy({"rooms": {"a": {}, "b": {}}})).rooms
    changes = [replace(CHANGE, order=order, room=room) for room in ("b", "a") for order in range(len(ACTIONS))]
    found = plan_of(reversed(changes), rooms).changes
    assert [(change.action, change.room) for change in found] == [(a, room) for a in Action for room in ("a", "b")]


def test_each_change_names_the_rule_that_asks_for_it() -> None:
    """The audit log can say which part of the policy a change comes from."""
    rules = policy(
        {
            "spaces": {"company": {"members": "active eq true"}},
            "rooms": {"department": {"for_each": "department", "moderators": "title pr"}},
            "desks": {"desk": {"posters": "title pr", "rooms": []}},
            "approvers": ["title pr"],
        }
    )
    people = {"mari": {"department": "Sales", "title": "Head"}}
    everyone = census(people)
    joined = plan(desired(rules, everyone), NOTHING, everyone, bot=BOT)
    assert {f"{change.action} {change.room}": change.rule for change in joined.changes if change.user_id} == {
        "create account ": "accounts",
        "join administrators": "brake.approvers",
        "join company": "spaces.company",
        "join department/Sales": "rooms.department",
        "join desk": "announcements.desk",
        "raise power department/Sales": "rooms.department",
    }
    gone = census({"mari": {"active": False}})
    settled = applied(joined, NOTHING)
    left = plan(desired(rules, gone, settled.accounts), settled, gone, bot=BOT)
    assert {change.rule for change in left.changes} == {"accounts"}, [line_of(change) for change in left.changes]


def _first(rules: Policy) -> Plan:
    everyone = census({"mari": {}})
    return plan(desired(rules, everyone, server_name="example.org"), NOTHING, everyone, bot=BOT)
