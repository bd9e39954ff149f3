"""Information barriers on people who act by themselves, on a real database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.errors import HomeserverUnavailableError
from bridge.ids import EventId, RoomId
from bridge.membership.audit_store import approve, read_held
from bridge.membership.barrier_guard import BarrierGuard
from bridge.membership.barrier_store import read_together
from tests.integration.membership.conftest import RULES, Company, user

WALLED: dict[str, Any] = {
    **RULES,
    "barriers": [
        {
            "between": 'department eq "Sales"',
            "and": 'department eq "IT"',
            "reason": "sales independence",
            "except": ["news"],
        }
    ],
}


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with a barrier and everything in place."""
    company.rule(WALLED)
    await company.upkeep.catch_up()
    await company.deliver()
    return company


def _guard(company: Company) -> BarrierGuard:
    return BarrierGuard(company.pool, company.homeserver, clock=company.clock)


def _inside(company: Company, room_id: RoomId) -> set[str]:
    room = company.homeserver.rooms[room_id]
    return {name[1:].split(":")[0] for name in room.members() | room.members("invite")}


def _said(company: Company) -> list[tuple[str, set[str]]]:
    return [
        (event.content["body"], _inside(company, room_id))
        for room_id, room in company.homeserver.rooms.items()
        for event in room.said
    ]


async def test_rules_put_nobody_beside_the_other_side(company: Company) -> None:
    """A room that both sides are entitled to gets the first; an exempt one, and spaces, get both."""
    assert company.homeserver.people("lounge") == {"ann", "bob", "eve"}
    assert company.homeserver.people("news") == company.homeserver.people("company")
    assert await read_together(company.pool) == []


async def test_a_direct_chat_across_a_barrier_ends_at_once(company: Company) -> None:
    """The invitation is declined for whoever was invited, who is told why; the audit log has it."""
    chat = company.homeserver.make_room(user("ann"))
    company.homeserver.act(chat, user("ann"), "invite", user("cid"))
    await company.deliver()
    assert await _guard(company).catch_up() == 1

    assert _inside(company, chat) == {"ann"}
    ((body, present),) = _said(company)
    assert "sales independence" in body
    assert present == {"muster", "cid"}
    assert (await company.entries())[-1] == f"remove {chat} cid done"
    await company.deliver()
    assert await _guard(company).catch_up() == 0


async def test_of_two_in_one_batch_the_later_goes(company: Company) -> None:
    """The order of the events counts, not that of names."""
    chat = company.homeserver.make_room(user("eve"))
    company.homeserver.act(chat, user("eve"), "join", user("cid"))
    company.homeserver.act(chat, user("eve"), "join", user("ann"))
    company.homeserver.act(chat, user("eve"), "invite", user("bob"))
    await company.deliver()
    await _guard(company).catch_up()

    assert _inside(company, chat) == {"eve", "cid"}


async def test_who_joins_a_managed_room_by_hand_is_taken_out_too(company: Company) -> None:
    """Also where the room's rule would have let them stay, and without asking the brake."""
    lounge = company.homeserver.room("lounge")
    company.rule(WALLED, removals=0, floor=0, fraction=0)
    company.homeserver.act(lounge, user("cid"), "join", user("cid"))
    await company.deliver()
    await _guard(company).catch_up()

    assert "cid" not in _inside(company, lounge)


async def test_people_of_one_side_and_guests_of_none_may_meet(company: Company) -> None:
    """A barrier is no reason to look at other rooms."""
    chat = company.homeserver.make_room(user("ann"))
    for name in ("bob", "eve", "stranger"):
        company.homeserver.act(chat, user("ann"), "join", user(name))
    await company.deliver()

    assert await _guard(company).catch_up() == 0


async def test_a_new_name_is_no_arrival(company: Company) -> None:
    """Who was in a room before there was a barrier stays, also when their membership event changes; and is listed."""
    company.rule(RULES, digest="policy-2")
    await company.upkeep.catch_up()
    chat = company.homeserver.make_room(user("ann"))
    company.homeserver.act(chat, user("ann"), "join", user("cid"))
    await company.deliver()
    company.rule(WALLED, digest="policy-3")
    await company.upkeep.catch_up()
    joined = company.homeserver.rooms[chat].state["m.room.member", user("cid")]
    renamed = {"membership": "join", "displayname": "Caesar"}
    event = replace(joined, event_id=EventId("$renamed"), timestamp=joined.timestamp + 1, content=renamed)
    await company.consumer.handle([event])

    assert await _guard(company).catch_up() == 0
    (found,) = [each for each in await read_together(company.pool) if each.key is None]
    assert (found.room_id, found.one, found.other, found.reason) == (
        chat,
        (user("ann"),),
        (user("cid"),),
        "sales independence",
    )


async def test_a_breach_is_put_right_after_the_homeserver_was_away(company: Company) -> None:
    """What could not be done is done later, once, and nobody is told twice."""
    chat = company.homeserver.make_room(user("ann"))
    company.homeserver.act(chat, user("ann"), "invite", user("cid"))
    await company.deliver()
    for failing in ("leave", "create_room", "send"):
        company.homeserver.after = lambda number, name, failing=failing: (  # type: ignore[misc]
            HomeserverUnavailableError("away") if name == failing else None
        )
        with pytest.raises(HomeserverUnavailableError):
            await _guard(company).catch_up()
    company.homeserver.after = lambda number, name: None
    await _guard(company).catch_up()

    assert _inside(company, chat) == {"ann"}
    assert len(_said(company)) == 1


async def test_who_is_on_both_sides_is_told_to_the_administrators(company: Company) -> None:
    """Somebody on both sides at once is a notice, once."""
    rules = {**WALLED, "barriers": [{"between": 'department eq "IT"', "and": 'userType eq "Contractor"'}]}
    company.rule(rules, digest="policy-2")
    await company.upkeep.catch_up()
    await company.reconcile()
    bodies = [row["body"] for row in await company.pool.fetch("SELECT body FROM notice")]

    assert len(bodies) == 1
    assert "Dot" in bodies[0]


async def test_who_waited_for_a_held_removal_comes_in_as_soon_as_it_is_done(company: Company) -> None:
    """Not only when everything is looked at again a day later; until then the plan says that they wait."""
    den = {**WALLED["rooms"], "den": {"members": 'department eq "Sales"'}}
    company.rule({**WALLED, "rooms": den, "barriers": []}, digest="policy-2")
    await company.upkeep.catch_up()
    company.homeserver.act(company.homeserver.room("den"), user("ann"), "join", user("cid"))
    await company.deliver()
    await company.upkeep.catch_up()
    company.rule({**WALLED, "rooms": den}, digest="policy-3", removals=0, floor=0, fraction=0)
    await company.say("zoe", department="Sales")
    await company.upkeep.catch_up()
    await company.deliver()
    assert company.homeserver.people("den") == {"ann", "bob", "cid"}
    found = await company.reconciler.survey(company.policy)
    assert "zoe" in {change.user_id[1:4] for change in found.verdict.waiting if change.room == "den"}

    (held,) = await read_held(company.pool)
    await approve(company.pool, held.digest, company.ids["eve"], company.clock())
    await company.upkeep.catch_up()
    assert company.homeserver.people("den") == {"ann", "bob", "zoe"}
