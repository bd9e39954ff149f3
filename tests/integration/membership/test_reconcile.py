"""From directory and policy to accounts, rooms, members and power, and what is recorded of it."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from bridge.errors import HomeserverError, HomeserverUnavailableError, RefusedError
from bridge.ids import RoomId
from bridge.membership import audit_store, store
from bridge.membership.values import Action
from tests.integration.membership.conftest import RULES, Company, user
from tests.integration.membership.homeserver import BOT, KilledError

EVERYBODY = {"ann", "bob", "cid", "dot", "eve"}
MADE = {
    "company": EVERYBODY,
    "departments": EVERYBODY,
    "lounge": EVERYBODY,
    "news": EVERYBODY,
    "department/Sales": {"ann", "bob"},
    "department/IT": {"cid"},
    "department/Board": {"eve"},
    "administrators": {"eve"},
}


def assert_as_ruled(company: Company) -> None:
    """The homeserver holds exactly what the rules make of the five people."""
    homeserver = company.homeserver
    assert {room.content("io.muster.room")["key"] for room in homeserver.rooms.values()} == MADE.keys()
    assert {key: homeserver.people(key) for key in MADE} == MADE
    assert homeserver.power("department/Sales") == {"ann": 50}
    assert homeserver.power("department/IT") == {"cid": 50}
    assert homeserver.power("news") == {"eve": 20}
    assert {name[1:].split(":")[0] for name in homeserver.users} == EVERYBODY


async def test_first_plan_makes_all_and_second_is_empty(company: Company) -> None:
    """A first run makes accounts, spaces, rooms, memberships and power; a second one finds nothing to do."""
    first = await company.reconcile()

    assert_as_ruled(company)
    assert first.applied.done == len(first.plan.changes) == len(await company.entries())
    assert not first.applied.failures
    assert {entry.rsplit(" ", 1)[1] for entry in await company.entries()} == {"done"}
    assert not (await company.reconcile()).plan.changes
    await company.deliver()
    assert not (await company.reconcile()).plan.changes


async def test_own_acts_are_not_taken_for_drift(company: Company) -> None:
    """The events of Muster's own joins and kicks wake nobody, whether they arrive after the record or before it."""
    await company.settle()
    assert not await company.pool.fetch("SELECT * FROM drift")
    await company.say("bob", department="IT")
    await company.reconcile("bob")
    for key, membership in (("department/Sales", "join"), ("department/IT", "leave")):  # as before the record
        await company.pool.execute(
            "UPDATE room_member SET membership = $3, event_id = 'x' WHERE user_id = $1 AND room_id = $2",
            user("bob"),
            company.homeserver.room(key),
            membership,
        )
    await company.deliver()

    assert not await company.pool.fetch("SELECT * FROM drift")


async def test_rooms_are_in_their_spaces(company: Company) -> None:
    """A space lists its rooms and spaces, the rooms name it, and who is in it may join what is open to it."""
    await company.reconcile()

    homeserver = company.homeserver
    departments = homeserver.rooms[homeserver.room("departments")]
    listed = {key for (kind, key), event in departments.state.items() if kind == "m.space.child" and event.content}
    assert listed == {homeserver.room(f"department/{name}") for name in ("Sales", "IT", "Board")}
    lounge = homeserver.rooms[homeserver.room("lounge")]
    assert lounge.content("m.space.parent", homeserver.room("company"))["canonical"]
    assert lounge.content("m.room.join_rules")["join_rule"] == "restricted"
    assert not any(request[:2] == ("invite", homeserver.room("lounge")) for request in homeserver.requests)


async def test_a_space_lists_its_rooms_in_the_order_of_the_policy(company: Company) -> None:
    """Rooms from before get their place at the next whole look, another order is carried out, the same one is not;
    a room that comes in by name moves no other."""
    rules = {
        "spaces": {**RULES["spaces"], "departments": {**ALL, "rooms": ["news", "department"]}},
        "rooms": {**RULES["rooms"], "department": {**RULES["rooms"]["department"], "name": "{department}"}},
    }
    company.rule(rules)
    await company.settle()
    assert listed(company) == {"news": "10001", "department/Board": "10002 board"} | SALES_AND_IT

    await company.pool.execute("UPDATE managed_room SET orders = '{}'")
    again = await company.reconcile()
    assert {(change.action, change.value) for change in again.plan.changes} == {(Action.CHANGE_ROOM, "order")}
    assert not (await company.reconcile()).plan.changes

    await company.say("bob", department="Legal")
    later = await company.reconcile()
    assert not [change for change in later.plan.changes if change.action is Action.CHANGE_ROOM]
    assert listed(company)["department/Legal"] == "10002 legal"

    rules["spaces"]["departments"] = {**ALL, "rooms": ["department", "news"]}
    company.rule(rules, "policy-2")
    turned = await company.reconcile()
    assert {change.room for change in turned.plan.changes} == {"news", *(f"department/{name}" for name in NAMES)}
    assert sorted(listed(company), key=listed(company).__getitem__)[-2:] == ["department/Sales", "news"]


ALL = {"members": "active eq true"}
NAMES = ("Board", "IT", "Legal", "Sales")
SALES_AND_IT = {"department/IT": "10002 it", "department/Sales": "10002 sales"}


def listed(company: Company) -> dict[str, str]:
    """Return by key the order in which the departments' space lists each room."""
    rooms = company.homeserver.rooms
    return {
        rooms[RoomId(child)].content("io.muster.room")["key"]: event.content["order"]
        for (kind, child), event in rooms[company.homeserver.room("departments")].state.items()
        if kind == "m.space.child"
    }


@pytest.mark.parametrize("seed", range(12))
async def test_a_crash_at_any_request_is_made_good_by_the_next_run(company: Company, seed: int) -> None:
    """Killed at any request, before it or with its answer lost, again and again: no second room, nobody missing,
    every grant remembered, and no entry left open."""
    dice = random.Random(seed)
    company.homeserver.before = lambda number, name: KilledError() if dice.random() < 0.04 else None
    company.homeserver.after = lambda number, name: KilledError() if dice.random() < 0.04 else None
    for _ in range(500):
        try:
            await company.reconcile()
            break
        except KilledError:
            if dice.random() < 0.5:  # deliveries may come in between or not
                await company.deliver()
    company.homeserver.before = company.homeserver.after = lambda number, name: None

    assert_as_ruled(company)
    await company.deliver()
    assert not (await company.reconcile()).plan.changes
    granted = await company.pool.fetchval("SELECT count(*) FROM granted")
    assert granted == sum(map(len, MADE.values()))
    assert not [entry for entry in await company.entries() if entry.endswith("begun")]


async def test_a_room_whose_answer_was_lost_is_looked_for_first(company: Company) -> None:
    """After a crash between the creation and its record the room is found by its alias; no second one is asked for."""
    company.homeserver.after = lambda number, name: KilledError() if name == "create_room" else None
    with pytest.raises(KilledError):
        await company.reconcile()
    company.homeserver.after = lambda number, name: None
    await company.reconcile()

    assert_as_ruled(company)
    asked = [request[1] for request in company.homeserver.requests if request[0] == "create_room"]
    assert len(asked) == len(set(asked))


async def test_a_leaver_loses_sessions_and_every_room(company: Company) -> None:
    """Somebody who no longer works here is locked, signed out everywhere, and out of all rooms: also of a direct chat
    that was delivered, and of one whose events were lost."""
    await company.settle()
    homeserver = company.homeserver
    homeserver.users[user("bob")].sessions = 3
    known, lost = homeserver.make_room(user("bob")), homeserver.make_room(user("ann"))
    await company.deliver()
    homeserver.act(lost, user("bob"), "join", user("bob"))
    homeserver.deliver()

    await company.say("bob", active=False)
    result = await company.reconcile("bob")

    assert result.applied.sessions_ended == 3
    assert homeserver.users[user("bob")].locked
    assert not [room_id for room_id, room in homeserver.rooms.items() if user("bob") in room.members()]
    assert homeserver.requests.index(("lock", user("bob"))) < min(
        homeserver.requests.index(("leave", room_id, user("bob"))) for room_id in (known, lost)
    )
    assert await company.pool.fetchval("SELECT sessions_ended FROM entry WHERE action = 'disable account'") == 3
    assert not await company.pool.fetch("SELECT * FROM granted WHERE user_id = $1", user("bob"))
    await company.deliver()
    assert not (await company.reconcile()).plan.changes


async def test_somebody_who_comes_back_is_let_in_again(company: Company) -> None:
    """A leaver who works here again gets the same account back, and the rooms."""
    await company.settle()
    await company.say("bob", active=False)
    await company.reconcile("bob")
    await company.say("bob", active=True, department="IT")
    await company.reconcile("bob")

    assert not company.homeserver.users[user("bob")].locked
    assert company.homeserver.people("department/IT") == {"cid", "bob"}
    assert company.homeserver.people("department/Sales") == {"ann"}


async def test_moving_between_departments_changes_only_what_it_touches(company: Company) -> None:
    """A new department is joined, the old one left, and nothing else is asked of the homeserver."""
    await company.settle()
    company.homeserver.requests.clear()
    await company.say("bob", department="Finance")
    await company.reconcile("bob")

    assert company.homeserver.people("department/Finance") == {"bob"}
    assert company.homeserver.people("department/Sales") == {"ann"}
    assert {name for name, *_ in company.homeserver.requests} == {
        "kick", "create_room", "send_state", "invite", "join"
    }  # fmt: skip
    assert not (await company.reconcile()).plan.changes


async def test_last_one_out_leaves_an_empty_room(company: Company) -> None:
    """When nobody has a department any more its last member still leaves the room."""
    await company.settle()
    await company.say("eve", department="IT")
    await company.reconcile("eve")

    assert company.homeserver.people("department/Board") == set()


async def test_a_new_policy_renames_moves_and_reranks(company: Company) -> None:
    """Changed name, topic, kind, spaces and moderators of rooms that exist are carried out in place."""
    await company.settle()
    rooms = {key: company.homeserver.room(key) for key in MADE}
    changed = {
        **RULES,
        "spaces": {
            "company": {"members": "active eq true", "rooms": ["news"]},
            "departments": RULES["spaces"]["departments"],
        },
        "rooms": {
            "lounge": {"name": "Canteen", "topic": "Soup", "kind": "announcement"},
            "news": {"kind": "chat"},
            "department": {**RULES["rooms"]["department"], "moderators": 'title eq "Chief"'},
        },
    }
    company.rule(changed, "policy-2")
    result = await company.reconcile()

    homeserver = company.homeserver
    assert not result.applied.failures
    assert {key: homeserver.room(key) for key in MADE} == rooms
    lounge, news = homeserver.rooms[rooms["lounge"]], homeserver.rooms[rooms["news"]]
    assert (lounge.content("m.room.name")["name"], lounge.content("m.room.topic")["topic"]) == ("Canteen", "Soup")
    assert lounge.content("m.room.power_levels")["events_default"] == 20
    assert lounge.content("m.room.join_rules") == {"join_rule": "invite"}
    assert not lounge.content("m.space.parent", rooms["company"])
    assert news.content("m.room.power_levels")["events_default"] == 0
    assert news.content("m.room.join_rules")["join_rule"] == "restricted"
    assert homeserver.rooms[rooms["company"]].content("m.space.child", rooms["news"])
    assert homeserver.power("department/Sales") == {}
    assert homeserver.power("department/Board") == {"eve": 50}
    assert homeserver.power("news") == {}
    assert not (await company.reconcile()).plan.changes


async def test_a_refused_change_does_not_stop_the_rest(company: Company) -> None:
    """What the homeserver refuses is recorded with its words, what hangs on it is passed over, the rest is done."""
    company.homeserver.before = lambda number, name: (
        HomeserverError("no such name (400)", status=400)
        if company.homeserver.requests[-1] == ("create", user("ann"))
        else None
    )
    result = await company.reconcile()

    assert {failure.change.user_id for failure in result.applied.failures} == {user("ann")}
    assert company.homeserver.people("department/Sales") == {"bob"}
    errors = await company.pool.fetch("SELECT action, error FROM entry WHERE outcome = 'failed' ORDER BY id")
    assert errors[0]["error"] == "no such name (400)"
    assert all("passed over" in row["error"] for row in errors[1:])
    assert "raise power" in {row["action"] for row in errors}
    company.homeserver.before = lambda number, name: None
    await company.reconcile()
    assert_as_ruled(company)


async def test_a_homeserver_that_goes_away_stops_the_run(company: Company) -> None:
    """The run stops at once, keeps what was done, and the next one goes on from there."""
    company.homeserver.before = lambda number, name: (
        HomeserverUnavailableError("away", status=503) if number > 20 else None
    )
    with pytest.raises(HomeserverUnavailableError):
        await company.reconcile()
    assert len(company.homeserver.requests) < 40
    company.homeserver.before = lambda number, name: None
    await company.reconcile()

    assert_as_ruled(company)
    assert "interrupted" in {entry.rsplit(" ", 1)[1] for entry in await company.entries()}


@pytest.mark.parametrize("delivered", [False, True], ids=["events to come", "events come"])
async def test_who_was_taken_out_in_an_interrupted_run_may_be_invited_again(company: Company, delivered: bool) -> None:
    """Muster is killed before it has recorded the removal: what it granted before counts no longer."""
    company.rule({**RULES, "rooms": {**RULES["rooms"], "yard": {"members": 'title eq "Digger"'}}})
    await company.say("bob", title="Digger")
    await company.settle()
    await company.say("bob", title="Clerk")
    company.homeserver.after = lambda number, name: KilledError() if name == "kick" else None
    with pytest.raises(KilledError):
        await company.reconcile()
    company.homeserver.after = lambda number, name: None
    if delivered:
        await company.deliver()
    await company.settle()
    assert company.homeserver.people("yard") == set()

    company.homeserver.act(company.homeserver.room("yard"), user("eve"), "join", user("bob"))
    await company.deliver()
    assert not (await company.settle()).plan.changes
    assert company.homeserver.people("yard") == {"bob"}


async def test_exactly_the_plan_that_was_seen_is_applied(company: Company) -> None:
    """`apply DIGEST` carries out that plan, and refuses when the plan has changed since."""
    seen = (await company.reconciler.survey(company.policy)).plan
    await company.say("fay", department="IT")

    with pytest.raises(RefusedError, match="The plan has changed"):
        await company.reconciler.reconcile(company.policy, cause="apply", digest=seen.digest)
    assert not company.homeserver.requests
    now = (await company.reconciler.survey(company.policy)).plan
    await company.reconciler.reconcile(company.policy, cause="apply", digest=now.digest[:12])
    assert company.homeserver.people("department/IT") == {"cid", "fay"}


async def test_a_room_left_half_made_is_finished(company: Company) -> None:
    """A room that exists under our alias with nothing in it is finished and taken, not made twice."""
    half = company.homeserver.make_room(BOT)
    company.homeserver.aliases["#muster_lounge:example.org"] = half
    result = await company.reconcile()

    assert not result.applied.failures
    assert company.homeserver.room("lounge") == half
    assert_as_ruled(company)


async def test_an_alias_to_a_room_without_life_is_given_to_a_new_room(company: Company) -> None:
    """When the homeserver was stopped between the alias and the bot's joining, the room is made anew."""
    dead = company.homeserver.make_room(user("ann"))
    company.homeserver.aliases["#muster_lounge:example.org"] = dead
    await company.reconcile()
    result = await company.reconcile()

    assert company.homeserver.room("lounge") != dead
    assert not result.applied.failures


async def test_two_appliers_take_turns(company: Company) -> None:
    """Two processes that reconcile at once do the work once."""
    results = await asyncio.gather(company.reconcile(), company.reconcile())

    assert sorted(len(result.plan.changes) > 0 for result in results) == [False, True]
    assert_as_ruled(company)


async def test_a_kick_of_somebody_who_has_left_counts_as_done(company: Company) -> None:
    """Removing somebody who is not in the room any more succeeds."""
    await company.settle()
    company.homeserver.act(company.homeserver.room("department/Sales"), user("bob"), "leave", user("bob"))
    await company.say("bob", department="IT")
    result = await company.reconcile("bob")

    assert not result.applied.failures
    assert company.homeserver.people("department/IT") == {"bob", "cid"}


async def test_accounts_are_renamed_and_people_remembered(company: Company) -> None:
    """A new display name is carried out; the account row follows."""
    await company.settle()
    await company.say("bob", displayName="Robert")
    await company.reconcile("bob")

    assert company.homeserver.users[user("bob")].display_name == "Robert"
    accounts = await store.read_accounts(company.pool)
    assert accounts[company.ids["bob"]].display_name == "Robert"


async def test_the_audit_log_says_who_when_why(company: Company) -> None:
    """An entry names rule, reason, room, directory version, policy and cause."""
    await company.reconcile()
    (entry,) = await audit_store.read_entries(company.pool, user_id=user("bob"), room="department/Sales")

    assert (entry.action, entry.outcome, entry.rule) == ("join", "done", "rooms.department")
    assert entry.reason == 'department eq "Sales" and (userType ne "Contractor")'
    assert entry.room_id == RoomId(company.homeserver.room("department/Sales"))
    assert (entry.directory_version, entry.policy_digest, entry.cause) == (5, "policy-1", "test")
    assert entry.person_id == company.ids["bob"]


async def test_what_was_refused_is_tried_again_after_a_while(company: Company) -> None:
    """A refused change stays undone until the retry is due; then everything is looked at, later and later."""
    company.homeserver.before = lambda number, name: (
        HomeserverError("not today", status=400)
        if company.homeserver.requests[-1][:2] == ("create", user("bob"))
        else None
    )
    await company.upkeep.catch_up()
    assert await company.upkeep.catch_up() == []
    company.ahead += timedelta(seconds=61)
    (second,) = await company.upkeep.catch_up()
    assert second.applied.failures
    company.homeserver.before = lambda number, name: None
    company.ahead += timedelta(seconds=61)
    assert await company.upkeep.catch_up() == []
    company.ahead += timedelta(seconds=61)
    await company.upkeep.catch_up()

    assert_as_ruled(company)


async def test_everything_is_looked_at_again_after_a_day(company: Company) -> None:
    """However little happens: what was held may go when the brake's window has passed."""
    await company.upkeep.catch_up()
    company.ahead = timedelta(days=1)
    (result,) = await company.upkeep.catch_up()

    assert not result.plan.changes
