"""A room goes on with its value, whatever that is called by now."""

from __future__ import annotations

from typing import Any

from bridge.ids import RoomKey
from bridge.membership.desired import desired
from bridge.membership.plan import plan
from bridge.membership.values import Action, Current

from .model import NOTHING, applied
from .notation import BOT, SERVER, census, policy

EACH: dict[str, Any] = {"for_each": "department", "name": "{department}"}
TEAM = ("ann", "bob", "cid")


def step(current: Current, department: str, rule: dict[str, Any] = EACH, **others: str) -> tuple[Current, list[str]]:
    """Move the team to a department, others to theirs; return what follows and which rooms were made or changed."""
    people = {name: {"department": department} for name in TEAM} | {
        name: {"department": theirs} for name, theirs in others.items()
    }
    everyone, rules = census(people), policy({"rooms": {"each": rule}})
    wanted = desired(rules, everyone, current.accounts, server_name=SERVER)
    found = plan(wanted, current, everyone, bot=BOT)
    after = applied(found, current)
    again = desired(rules, everyone, after.accounts, server_name=SERVER)
    assert plan(again, after, everyone, bot=BOT).changes == ()
    rooms = [change for change in found.changes if change.action in (Action.CREATE_ROOM, Action.CHANGE_ROOM)]
    return after, [f"{change.action} {change.room} {change.value}" for change in rooms]


def test_a_value_may_be_renamed_again_and_back() -> None:
    """Sales, Revenue, Income, Sales: one room all the time."""
    current, made = step(NOTHING, "Sales")
    assert made == ["create room each/Sales Sales"]
    for name in ("Revenue", "Income", "Sales"):
        current, made = step(current, name)
        assert made == ["change room each/Sales name, value"]
        assert current.rooms[RoomKey("each/Sales")].name == name
    assert not current.served


def test_a_value_that_comes_back_gets_a_room_of_its_own() -> None:
    """When its room has gone on with another value, and both keep theirs from then on."""
    current, _ = step(NOTHING, "Sales")
    current, _ = step(current, "Revenue")
    current, made = step(current, "Revenue", dot="sales")
    assert made == ["create room each/sales~2 sales"]
    current, made = step(current, "Revenue", dot="Sales")
    assert made == ["change room each/sales~2 name"]


def test_the_policys_word_is_remembered() -> None:
    """Once carried out, `renamed` may be taken out again; a room that was made meanwhile is left."""
    current, _ = step(NOTHING, "Sales", eve="Revenue")
    assert {"each/Sales", "each/Revenue"} == set(current.rooms)
    current, made = step(current, "Sales", {**EACH, "renamed": {"Sales": "Revenue"}}, eve="Revenue")
    assert made == ["change room each/Sales name, value"]
    current, made = step(current, "Revenue", eve="Revenue")
    assert made == []
    assert not current.rooms[RoomKey("each/Revenue")].members
