"""Rooms that people made, on a real database."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.ids import RoomId, UserId
from bridge.membership import audit_store
from bridge.membership.unmanaged import NOTICE
from bridge.policy.schema import UnmanagedRooms
from tests.integration.membership.conftest import RULES, Company, user
from tests.integration.membership.homeserver import BOT
from tests.integration.membership.test_undo import last_run, undo

KIM = UserId("@kim:partner.example")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with everything in place, and a policy about rooms that people make."""
    company.now = NOON
    company.rule({**RULES, "unmanaged_rooms": "close"}, floor=10)
    await company.upkeep.catch_up()
    await company.deliver()
    return company


async def _club(company: Company, *names: str) -> RoomId:
    """Have people make a room of their own."""
    room = company.homeserver.make_room(user(names[0]))
    company.homeserver.set_state(room, user(names[0]), "m.room.power_levels", {"users": {user(names[0]): 100}})
    for name in names[1:]:
        company.homeserver.act(room, user(names[0]), "join", user(name))
    await company.deliver()
    return room


async def _pass(company: Company, time: timedelta = timedelta()) -> None:
    assert company.now is not None
    company.now += time
    await company.upkeep.catch_up()
    await company.deliver()


def _inside(company: Company, room: RoomId) -> set[str]:
    return {name[1:].split(":")[0] for name in company.homeserver.rooms[room].members()}


async def test_adopting_makes_the_bot_an_administrator_and_changes_nothing_else(company: Company) -> None:
    """Once, in the name of who is one; rooms of two, and those that the bot was brought into, are left alone."""
    company.policy = replace(company.policy, unmanaged_rooms=UnmanagedRooms.ADOPT, digest="adopt")
    club, pair, brought = [await _club(company, *names) for names in (("ann", "bob", "cid"), ("ann", "bob"), ("ann",))]
    for name in ("bob", "cid"):
        company.homeserver.act(brought, user("ann"), "join", user(name))
    company.homeserver.act(brought, user("ann"), "join", BOT)
    await company.deliver()
    await _pass(company)
    assert _inside(company, club) == {"ann", "bob", "cid", "muster"}
    assert company.homeserver.rooms[club].content("m.room.power_levels")["users"][BOT] == 100
    assert _inside(company, pair) == {"ann", "bob"}
    assert BOT not in company.homeserver.rooms[brought].content("m.room.power_levels")["users"]
    assert company.homeserver.rooms[club].said == []
    assert not (await company.reconcile()).plan.changes
    assert (await company.entries())[-1] == f"adopt room {club} muster done"


async def test_a_room_is_closed_a_week_after_its_people_were_told(company: Company) -> None:
    """The bot says it in the room; then nobody is inside but the bot, who could let people in again."""
    club = await _club(company, "ann", "bob", "cid")
    company.homeserver.act(club, user("ann"), "join", KIM)
    await company.deliver()
    await _pass(company)
    (said,) = company.homeserver.rooms[club].said
    assert "closed on 2026-03-09" in said.content["body"]
    assert await company.upkeep._seconds_to_next() <= 3600

    await _pass(company, NOTICE - timedelta(seconds=1))
    assert _inside(company, club) == {"ann", "bob", "cid", "kim", "muster"}
    await _pass(company, timedelta(seconds=1))
    assert _inside(company, club) == {"muster"}
    assert company.homeserver.rooms[club].content("m.room.join_rules") == {"join_rule": "invite"}
    assert not (await company.reconcile()).plan.changes


async def test_closing_many_waits_for_a_second_person(company: Company) -> None:
    """What the brake holds is carried out when it is approved, and only asked once."""
    company.rule({**RULES, "unmanaged_rooms": "close"}, floor=2, fraction=0)
    club = await _club(company, "ann", "bob", "cid")
    await _pass(company)
    await _pass(company, NOTICE)
    assert _inside(company, club) == {"ann", "bob", "cid", "muster"}
    (held,) = await audit_store.read_held(company.pool)
    await company.say("bob", displayName="Robert")
    await _pass(company)
    assert [plan.digest for plan in await audit_store.read_held(company.pool)] == [held.digest]
    await company.pool.execute(
        "INSERT INTO approval (digest, approved_by, at) VALUES ($1, 'eve', $2)", held.digest, company.clock()
    )
    await _pass(company)
    assert _inside(company, club) == {"muster"}


async def test_a_change_of_mind_gives_everybody_the_whole_time_again(company: Company) -> None:
    """When the policy does not close rooms any more, what was told is void."""
    club = await _club(company, "ann", "bob", "cid")
    await _pass(company)
    closing = company.policy
    company.policy = replace(closing, unmanaged_rooms=UnmanagedRooms.REPORT, digest="report")
    await _pass(company, NOTICE)
    company.policy = replace(closing, digest="again")
    await _pass(company)
    assert _inside(company, club) == {"ann", "bob", "cid", "muster"}
    assert "closed on 2026-03-16" in company.homeserver.rooms[club].said[-1].content["body"]


async def test_a_room_without_an_administrator_of_ours_is_told_and_left(company: Company) -> None:
    """Nobody can make the bot an administrator; it is tried again after a day and not before."""
    club = await _club(company, "ann", "bob", "cid", "dot")
    company.homeserver.act(club, user("ann"), "leave", user("ann"))  # who made it
    await company.deliver()
    await _pass(company)
    (told,) = await company.pool.fetch("SELECT body FROM notice")
    assert "Nobody of example.org" in told["body"]
    assert not (await company.reconcile()).plan.changes
    company.now = NOON + timedelta(days=1)
    assert [change.room for change in (await company.reconciler.survey(company.policy)).plan.changes] == [club]
    assert _inside(company, club) == {"bob", "cid", "dot"}


async def test_people_are_let_in_again_when_the_policy_closes_no_rooms_any_more(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """By undoing the run; not while the policy closes rooms, which would at once close this one again."""
    club = await _club(company, "ann", "bob", "cid")
    await _pass(company)
    await _pass(company, NOTICE)
    assert _inside(company, club) == {"muster"}
    run = await last_run(company)
    assert await undo(company, run) == 1
    assert json.loads(capsys.readouterr().out)["changes"] == []

    company.policy = replace(company.policy, unmanaged_rooms=UnmanagedRooms.REPORT, digest="report")
    await _pass(company)
    assert await undo(company, run) == 0
    assert await undo(company, run, apply=json.loads(capsys.readouterr().out)["digest"]) == 0
    assert _inside(company, club) == {"ann", "bob", "cid", "muster"}
    await _pass(company)
    assert not (await company.reconcile()).plan.changes
