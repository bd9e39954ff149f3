"""The life of an account: prepared, left in stages, handed over, closed, and given back."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli.leavers import leavers
from bridge.directory.notice_store import read_untold
from bridge.directory.person import Standing
from bridge.directory.scim_shape import ENTERPRISE, MUSTER
from bridge.directory.selector import parse
from bridge.directory.status_store import put_statuses
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import RoomId
from bridge.membership import lifecycle_store
from bridge.membership.audit_store import read_held
from bridge.policy.schema import REVERSIBLE, LeaverStage, LeaverStep, Successor
from tests.integration.membership.conftest import PROMPT, Company, user
from tests.integration.membership.homeserver import Fault
from tests.unit.membership import notation

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.membership.upkeep import Upkeep

NOON = datetime(2027, 2, 1, 12, tzinfo=UTC)
STAGES = (LeaverStage(timedelta(), REVERSIBLE), LeaverStage(timedelta(days=30), (LeaverStep.DEACTIVATE,)))
LAST_MOMENT = datetime(2027, 3, 2, 23, 59, 59, tzinfo=UTC)
THE_END = datetime(2027, 3, 3, tzinfo=UTC)


@pytest.fixture
async def february(company: Company) -> Company:
    """The company at noon of 1 February, in which accounts of leavers are closed after 30 days."""
    company.now = NOON
    rule(company, leavers=STAGES)
    await come(company, company.upkeep, NOON)
    return company


def rule(company: Company, **accounts: Any) -> None:
    policy = company.policy
    company.policy = replace(policy, accounts=replace(policy.accounts, **accounts), digest=policy.digest + "'")


async def come(company: Company, upkeep: Upkeep, moment: datetime) -> list[str]:
    """Let the time come, and return what was done by it, as `action room localpart`."""
    company.now = moment
    found = []
    for result in await upkeep.catch_up():
        assert not result.applied.failures
        for change in result.plan.changes:
            found.append(" ".join(filter(None, (change.action, change.room, change.user_id[1:].split(":")[0]))))
    await company.deliver()
    return found


def levels(company: Company, room: RoomId) -> dict[str, int]:
    users = company.homeserver.rooms[room].content("m.room.power_levels").get("users", {})
    return {name[1:].split(":")[0]: level for name, level in users.items()}


async def project(company: Company, creator: str, *others: str, version: str = "12", **power: int) -> RoomId:
    """Let people make a room of their own."""
    made = company.homeserver.make_room(user(creator))
    company.homeserver.set_state(made, user(creator), "m.room.create", {"room_version": version})
    company.homeserver.set_state(made, user(creator), "m.room.name", {"name": "Project"})
    content = {"users": {user(name): level for name, level in power.items()}, "events": {"m.room.power_levels": 100}}
    company.homeserver.set_state(made, user(creator), "m.room.power_levels", content)
    for name in others:
        company.homeserver.act(made, user(name), "join", user(name))
    await company.deliver()
    return made


async def test_an_account_is_closed_when_its_time_is_over_and_not_before(february: Company) -> None:
    """Locked and out at once; on the thirtieth day, at midnight, deactivated, though Muster was restarted meanwhile."""
    await february.say("bob", active=False)
    assert "disable account bob" in await come(february, february.upkeep, NOON)
    account = february.homeserver.users[user("bob")]
    assert (account.locked, account.deactivated) == (True, False)
    later = february.restarted()
    await come(february, later, NOON + timedelta(days=1))
    assert await come(february, later, LAST_MOMENT) == []
    assert await later._seconds_to_next() == 1
    assert await come(february, later, THE_END) == ["deactivate account bob"]
    assert account.deactivated
    assert await come(february, later, THE_END + timedelta(days=2)) == []
    rows = await february.pool.fetch("SELECT number, due_at, done_at FROM leaver_stage ORDER BY number")
    assert [tuple(row) for row in rows] == [(1, NOON, NOON), (2, THE_END, THE_END)]


async def test_what_came_due_while_muster_was_down_is_done_at_the_start(february: Company) -> None:
    """A restart long after the stage was due finds it."""
    await february.say("bob", active=False)
    await come(february, february.upkeep, NOON)
    assert await come(february, february.restarted(), THE_END + timedelta(days=9)) == ["deactivate account bob"]


@PROMPT
async def test_a_returner_gets_everything_back_before_and_after(february: Company, prompt: bool) -> None:
    """Rooms by rule, as a guest, and of people; the account is opened again, and a later leaving counts anew."""
    if prompt:
        february.deliver_at_once()
    made = await project(february, "ann", "bob", ann=0, bob=50)
    february.homeserver.act(february.homeserver.room("department/IT"), user("cid"), "invite", user("bob"))
    for back in (NOON + timedelta(days=3), THE_END + timedelta(days=3)):
        before = set(_rooms_of(february, "bob"))
        await february.say("bob", active=False)
        await come(february, february.upkeep, NOON)
        assert made in before
        assert not _rooms_of(february, "bob")
        await come(february, february.upkeep, back - timedelta(days=1))
        await february.say("bob", active=True)
        await come(february, february.upkeep, back)
        assert before == set(_rooms_of(february, "bob"))
        assert levels(february, made)["bob"] == 50
        account = february.homeserver.users[user("bob")]
        assert (account.locked, account.deactivated) == (False, False)
        assert not await february.pool.fetch("SELECT * FROM leaver_stage")
        assert not (await february.reconcile()).plan.changes


@pytest.mark.parametrize("delivered", [False, True], ids=["events to come", "events come"])
@pytest.mark.parametrize("left", [False, True], ids=["room not left", "room left"])
async def test_a_room_left_in_an_interrupted_run_is_given_back(february: Company, left: bool, delivered: bool) -> None:
    """The run ends as the room is left, the leaver is back before the next one: the room is too. What is given back,
    and was never taken, may be left by hand for good, though the run that gave it back was interrupted as well."""
    made = await project(february, "ann", "bob")
    setattr(february.homeserver, "after" if left else "before", _losing_every("leave"))
    await february.say("bob", active=False)
    with suppress(HomeserverUnavailableError):
        await february.upkeep.catch_up()
    assert (user("bob") in february.homeserver.rooms[made].members()) is not left
    if delivered:
        await february.deliver()

    february.homeserver.before, february.homeserver.after = lambda number, name: None, _losing_every("join")
    await february.say("bob", active=True)
    for _ in range(6):
        with suppress(HomeserverUnavailableError):
            await february.restarted().catch_up()
    february.homeserver.after = lambda number, name: None
    await february.deliver()
    await come(february, february.restarted(), NOON)
    assert february.homeserver.rooms[made].members() == {user("ann"), user("bob")}

    february.homeserver.act(made, user("bob"), "leave", user("bob"))
    await february.deliver()
    await come(february, february.restarted(), NOON)
    assert not (await february.reconcile()).plan.changes
    assert february.homeserver.rooms[made].members() == {user("ann")}


async def test_garden_leave_has_no_later_stage(february: Company) -> None:
    """Locked and out of rooms for however long; who then really leaves counts from that day."""
    await put_statuses(february.pool, {"garden leave": Standing.BARRED})
    await february.say("bob", **{MUSTER: {"employmentStatus": "garden leave"}})
    assert "disable account bob" in await come(february, february.upkeep, NOON)
    assert await come(february, february.restarted(), THE_END + timedelta(days=100)) == []
    await february.say("bob", active=False)
    gone = THE_END + timedelta(days=101)
    assert await come(february, february.upkeep, gone) == []
    assert await february.pool.fetchval("SELECT left_at FROM account WHERE user_id = $1", user("bob")) == gone


@pytest.mark.parametrize("version", ["11", "12"])
async def test_power_is_passed_on_before_the_last_administrator_leaves(february: Company, version: str) -> None:
    """The heir has it, is told by the bot in a direct room, once, and the audit log says so."""
    made = await project(february, "bob", "cid", "eve", version=version, **({"bob": 100} if version == "11" else {}))
    await february.say("bob", active=False)
    await come(february, february.upkeep, NOON)
    assert levels(february, made)["cid"] == 100
    assert february.homeserver.rooms[made].members() == {user("cid"), user("eve")}
    assert f"hand over room {made} bob done" in await february.entries()
    await come(february, february.restarted(), NOON + timedelta(hours=1))
    told = [
        said for room in february.homeserver.rooms.values() for said in room.said if "'Project'" in str(said.content)
    ]
    assert [said.room_id in _rooms_of(february, "cid") for said in told] == [True]


async def test_two_administrators_who_leave_together_leave_one_behind(february: Company) -> None:
    """Whoever leaves in the same run inherits nothing."""
    made = await project(february, "bob", "ann", "cid", version="11", bob=100, ann=100)
    for name in ("ann", "bob"):
        await february.say(name, active=False)
    await come(february, february.upkeep, NOON)
    assert levels(february, made)["cid"] == 100
    assert february.homeserver.rooms[made].members() == {user("cid")}


async def test_a_named_successor_is_brought_in(february: Company) -> None:
    """Also into a room that nobody else is in."""
    made = await project(february, "bob")
    await lifecycle_store.name_successor(february.pool, february.ids["bob"], february.ids["eve"], NOON)
    await february.say("bob", active=False)
    await come(february, february.upkeep, NOON)
    assert february.homeserver.rooms[made].members() == {user("eve")}
    assert levels(february, made)["eve"] == 100


async def test_a_successor_of_the_policys_is_brought_in(february: Company) -> None:
    """Whom the leaver's attribute names, by userName; else the line up, above a manager who has left too; else one of
    those whom a selector chooses, who is inside before who is not."""
    deputy, line, chiefs = (
        Successor(attribute="costcenter"),
        Successor(attribute="manager"),
        Successor(people=parse('title eq "Head" or title eq "Chief"')),
    )
    rule(february, successors=(deputy, line, chiefs))
    february.policy = replace(february.policy, brake=replace(february.policy.brake, floor=25))
    await february.say("zoe", department="Sales")
    await february.say("yan", department="Sales", manager="zoe")
    cases: list[tuple[str, dict[str, Any], str, str]] = [
        ("bob", {ENTERPRISE: {"costCenter": "DOT"}}, "dot", "dot"),
        ("uma", {"manager": "yan"}, "zoe", ""),
        ("vic", {"department": "IT"}, "cid", "cid"),
    ]
    for name, said, heir, inside in cases:
        await february.say("yan", active=name == "bob")
        await february.say(name, **said)
        await come(february, february.upkeep, NOON)
        made = await project(february, name, *filter(None, [inside]))
        await february.say(name, active=False)
        await come(february, february.upkeep, NOON)
        assert february.homeserver.rooms[made].members() == {user(heir)}, name


WALL = {"between": 'department eq "Sales"', "and": 'department eq "IT"', "reason": "sales independence", "except": []}


async def test_an_heir_whom_a_barrier_keeps_out_is_not_chosen(february: Company) -> None:
    """The next one is, though somebody named the other by hand."""
    made = await project(february, "eve", "ann")
    february.policy = replace(
        february.policy, digest="walled", barriers=(notation.policy({"barriers": [WALL]}).barriers)
    )
    await lifecycle_store.name_successor(february.pool, february.ids["eve"], february.ids["cid"], NOON)
    await february.say("eve", active=False)
    await come(february, february.upkeep, NOON)
    assert february.homeserver.rooms[made].members() == {user("ann")}
    assert levels(february, made)["ann"] == 100


async def test_a_return_that_meets_the_other_side_does_not_happen(february: Company) -> None:
    """The plan says so, and the administrators are told once; when the other side has left, it happens."""
    made = await project(february, "eve", "bob", "ann")
    await february.say("bob", active=False)
    await come(february, february.upkeep, NOON)
    february.policy = replace(
        february.policy, digest="walled", barriers=(notation.policy({"barriers": [WALL]}).barriers)
    )
    await february.say("bob", active=True, department="IT")
    await come(february, february.upkeep, NOON)
    assert february.homeserver.rooms[made].members() == {user("ann"), user("eve")}
    kept_out = (await february.reconcile()).plan.kept_out
    assert [each.users for each in kept_out if each.room.startswith("!")] == [(user("bob"),)]
    told = [notice.body for notice, _ in await read_untold(february.pool) if made in notice.body]
    assert len(told) == 1
    assert "sales independence" in told[0]
    february.homeserver.act(made, user("ann"), "leave", user("ann"))
    await february.deliver()
    await february.reconcile()
    assert february.homeserver.rooms[made].members() == {user("bob"), user("eve")}


async def test_a_room_that_nobody_is_left_in_is_told(february: Company) -> None:
    """The administrators hear of it; nothing is abandoned in silence."""
    await project(february, "bob")
    await february.say("bob", active=False)
    await come(february, february.upkeep, NOON)
    (notice, _) = (await read_untold(february.pool))[-1]
    assert "'Project'" in notice.body
    assert user("bob") in notice.body


async def test_the_verb_tells_what_is_done_and_what_is_due(
    february: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """By person, the next due first; who has nothing to come is counted, and named on demand."""
    services = cast("Services", SimpleNamespace(pool=february.pool, clock=february.clock))

    async def said(**options: bool) -> str:
        await leavers(argparse.Namespace(**{"json": False, "all": False, **options}), services)
        return capsys.readouterr().out

    assert await said() == "Nobody has left.\n"
    for name, moment in (("bob", NOON), ("dot", NOON + timedelta(days=1))):
        await february.say(name, active=False)
        await come(february, february.upkeep, moment)
    assert await said() == (
        "Bob (@bob:example.org), left 2027-02-01\n"
        "  done 2027-02-01 12:00  lock, end_sessions, leave_rooms, hand_over_rooms\n"
        "  due  2027-03-03 00:00  deactivate\n"
        "Dot (@dot:example.org), left 2027-02-02\n"
        "  done 2027-02-02 12:00  lock, end_sessions, leave_rooms, hand_over_rooms\n"
        "  due  2027-03-04 00:00  deactivate\n"
    )
    await come(february, february.upkeep, THE_END)
    assert (await said()).endswith("1 more has nothing to come; --all names them.\n")
    assert "done 2027-03-03 00:00  deactivate" in await said(all=True)
    february.now = THE_END + timedelta(days=2)
    assert "late 2027-03-04 00:00  deactivate" in await said()
    (told,) = json.loads(await said(json=True))
    assert (told["user_id"], told["stages"][1]["done_at"]) == (user("dot"), None)


async def test_who_cannot_hand_over_does_not_leave(february: Company) -> None:
    """A refusal leaves the room as it is, the account is locked all the same, and a later run does it."""
    made = await project(february, "bob", "cid", version="11", bob=100)
    february.homeserver.before = _refusing("send_state")
    await february.say("bob", active=False)
    february.now = NOON
    (result, *_) = await february.upkeep.catch_up()
    assert {failure.change.room for failure in result.applied.failures} == {made}
    assert february.homeserver.rooms[made].members() == {user("bob"), user("cid")}
    assert february.homeserver.users[user("bob")].locked
    assert not await lifecycle_store.read_takeovers(february.pool)
    february.homeserver.before = lambda number, name: None
    await february.deliver()
    await come(february, february.upkeep, NOON + timedelta(minutes=5))
    assert february.homeserver.rooms[made].members() == {user("cid")}


async def test_an_offboarding_interrupted_anywhere_is_finished(february: Company) -> None:
    """Whichever answer is lost, afterwards the leaver is nowhere, the room has one administrator, who is told once."""
    made = await project(february, "bob", "cid", version="11", bob=100)
    await february.say("bob", active=False)
    february.now = NOON
    lost = 0
    for requests in range(1, 12):
        february.homeserver.after = _losing(len(february.homeserver.requests) + requests)
        with suppress(HomeserverUnavailableError):
            await february.restarted().catch_up()
            continue
        lost += 1
    assert lost > 4
    february.homeserver.after = lambda number, name: None
    await february.restarted().catch_up()
    assert not any(user("bob") in room.members() for room in february.homeserver.rooms.values())
    assert levels(february, made)["cid"] == 100
    said = [event for room in february.homeserver.rooms.values() for event in room.said]
    assert len([event for event in said if "'Project'" in str(event.content)]) == 1
    assert not (await february.reconcile()).plan.changes


async def test_who_is_still_in_a_room_is_not_closed(february: Company) -> None:
    """A room of which no event has come is found by asking the homeserver; it is left before the account goes."""
    await february.say("bob", active=False)
    await come(february, february.upkeep, NOON)
    made = february.homeserver.make_room(user("cid"))
    february.homeserver.act(made, user("bob"), "join", user("bob"))
    february.homeserver.deliver()  # lost
    done = await come(february, february.upkeep, THE_END)
    assert done == [f"remove {made} bob", "deactivate account bob"]
    assert february.homeserver.rooms[made].members() == {user("cid")}
    await february.say("bob", active=True)
    await come(february, february.upkeep, THE_END)
    assert february.homeserver.rooms[made].members() == {user("cid"), user("bob")}, "and given back on return"


async def test_rooms_may_be_left_later_than_the_account(february: Company) -> None:
    """In between the leaver is locked and keeps places and power; drift there does not bring the removal forward."""
    rule(
        february,
        leavers=(
            LeaverStage(timedelta(), (LeaverStep.LOCK, LeaverStep.END_SESSIONS)),
            LeaverStage(timedelta(days=7), (LeaverStep.HAND_OVER_ROOMS, LeaverStep.LEAVE_ROOMS)),
        ),
    )
    await february.say("ann", active=False)
    assert await come(february, february.upkeep, NOON) == ["disable account ann"]
    assert "ann" in february.homeserver.people("department/Sales")
    done = await come(february, february.upkeep, NOON.replace(day=8, hour=0))
    assert "remove department/Sales ann" in done
    assert "ann" not in february.homeserver.people("department/Sales")


async def test_an_account_waits_for_the_first_day(february: Company) -> None:
    """Made three days before at midnight of that place, locked and in no room; opened on the day."""
    rule(february, prepared=timedelta(days=3))
    await february.say("fay", timezone="Asia/Tokyo", department="Sales", **{MUSTER: {"start": "2027-02-10"}})
    await come(february, february.upkeep, NOON)
    soon = datetime(2027, 2, 6, 15, tzinfo=UTC)
    february.now = soon - timedelta(seconds=10)
    await come(february, february.upkeep, february.now)
    assert await february.upkeep._seconds_to_next() == 10
    assert await come(february, february.upkeep, soon) == ["prepare account fay"]
    assert february.homeserver.users[user("fay")].locked
    assert not (await february.reconcile()).plan.changes
    done = await come(february, february.upkeep, datetime(2027, 2, 9, 15, tzinfo=UTC))
    assert done[0] == "enable account fay"
    assert "join department/Sales fay" in done
    assert not february.homeserver.users[user("fay")].locked
    assert not await february.pool.fetch("SELECT * FROM leaver_stage")


async def test_closing_many_accounts_at_once_waits_for_a_second_person(february: Company) -> None:
    """What cannot be undone is braked like every other loss, so that a slip in the policy closes nothing."""
    for name in ("ann", "bob", "cid", "dot"):
        await february.say(name, active=False)
        await come(february, february.upkeep, NOON)
        february.now = NOON
        await february.pool.execute("UPDATE entry SET at = at - interval '2 days'")
    result = await come(february, february.restarted(), THE_END)
    assert len(result) == 4
    assert not any(account.deactivated for account in february.homeserver.users.values())
    assert len(await read_held(february.pool)) == 1


def _rooms_of(company: Company, name: str) -> list[RoomId]:
    return [room_id for room_id, room in company.homeserver.rooms.items() if user(name) in room.members()]


def _refusing(refused: str) -> Fault:
    def fault(_number: int, name: str) -> Exception | None:
        return HomeserverError("no", status=403, errcode="M_FORBIDDEN") if name == refused else None

    return fault


def _losing_every(lost: str) -> Fault:
    def fault(_number: int, name: str) -> Exception | None:
        return HomeserverUnavailableError("away", status=502, errcode="") if name == lost else None

    return fault


def _losing(at: int) -> Fault:
    def fault(number: int, _name: str) -> Exception | None:
        return HomeserverUnavailableError("away", status=502, errcode="") if number >= at else None

    return fault
