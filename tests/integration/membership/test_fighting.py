"""What people are told whose changes by hand did not last, and how an endless fight is avoided."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.directory.notice_store import read_untold
from bridge.ids import UserId
from bridge.membership import direct_room_store, drift_store
from bridge.membership.fighting import ENOUGH
from bridge.membership.remarks import Remarks
from tests.integration.membership.conftest import Company, user
from tests.integration.membership.homeserver import BOT

STRANGER = UserId("@stranger:example.org")


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with everything in place."""
    await company.settle()
    await company.upkeep.catch_up()
    company.homeserver.requests.clear()
    return company


async def said_to(company: Company, name: str) -> list[str]:
    """Return what the bot has said to somebody alone."""
    await Remarks(company.pool, company.homeserver, clock=company.clock).tell()
    room_id = await direct_room_store.find(company.pool, user(name))
    if room_id is None:
        return []
    room = company.homeserver.rooms[room_id]
    assert room.members() == {BOT, user(name)}
    return [event.content["body"] for event in room.said]


async def invite(company: Company, by: str = "ann", whom: UserId = STRANGER) -> None:
    """Have somebody invite into an exclusive room, and Muster look."""
    company.homeserver.act(company.homeserver.room("department/Sales"), user(by), "invite", whom)
    await company.deliver()
    await company.upkeep.catch_up()
    await company.deliver()
    await company.upkeep.catch_up()


async def test_who_invites_is_told_why_it_did_not_last(company: Company) -> None:
    """The sender of the event, and nobody else, is told in a room with the bot whom the room is for."""
    await invite(company, whom=user("cid"))

    (text,) = await said_to(company, "ann")
    assert "You invited Cid into department." in text
    assert 'The room is for: department eq "Sales" and (userType ne "Contractor") (rule rooms.department)' in text
    assert "Muster has taken Cid out again" in text
    assert await said_to(company, "cid") == []


async def test_nobody_is_told_more_than_once_an_hour_of_one_room(company: Company) -> None:
    """A second change within the hour is put right silently; later ones are told again."""
    await invite(company)
    await invite(company, whom=user("cid"))
    assert len(await said_to(company, "ann")) == 1

    company.ahead += timedelta(hours=1, minutes=1)
    await invite(company)
    assert len(await said_to(company, "ann")) == 2


async def test_a_change_that_the_policy_allows_is_told_to_nobody(company: Company) -> None:
    """A guest of a room that is not exclusive stays, and nothing waits."""
    company.homeserver.act(company.homeserver.room("lounge"), user("ann"), "invite", STRANGER)
    await company.deliver()
    await company.upkeep.catch_up()

    assert await said_to(company, "ann") == []
    assert await drift_store.read_pending(company.pool) == []


async def test_what_muster_does_itself_is_no_intervention(company: Company) -> None:
    """Muster's own changes, delivered, leave nothing to look at and tell nobody."""
    await company.say("bob", department="IT")
    await company.upkeep.catch_up()
    await company.deliver()
    await company.upkeep.catch_up()

    assert await company.pool.fetchval("SELECT count(*) FROM intervention WHERE settled_at IS NULL") == 0
    assert await company.pool.fetchval("SELECT count(*) FROM remark") == 0


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("m.room.name", {"name": "Eve's"}),
        ("m.room.topic", {"topic": "Eve's"}),
        ("m.room.join_rules", {"join_rule": "public"}),
        ("m.room.history_visibility", {"history_visibility": "world_readable"}),
        ("m.room.guest_access", {"guest_access": "can_join"}),
    ],
)
async def test_a_changed_setting_is_put_back_at_once(company: Company, kind: str, content: dict[str, str]) -> None:
    """By its event, without a look at everything, also of a room of a `for_each` rule; and its sender is told."""
    room = company.homeserver.room("department/Sales")
    before = company.homeserver.rooms[room].content(kind)
    company.homeserver.set_state(room, user("eve"), kind, content)
    await company.deliver()
    (result,) = await company.upkeep.catch_up()

    after = company.homeserver.rooms[room].content(kind)
    assert after == (before or {"topic": ""})
    assert [change.room for change in result.plan.changes] == ["department/Sales"]
    (text,) = await said_to(company, "eve")
    assert "of department" in text
    await company.deliver()
    assert await company.upkeep.catch_up() == []


async def test_rights_in_a_room_are_put_back_with_everybodys_level(company: Company) -> None:
    """Somebody who lets everybody invite changes nothing for long, and those who moderate still do."""
    room = company.homeserver.room("department/Sales")
    before = dict(company.homeserver.rooms[room].content("m.room.power_levels"))
    company.homeserver.set_state(room, user("eve"), "m.room.power_levels", {**before, "invite": 0})
    await company.deliver()
    await company.upkeep.catch_up()

    assert company.homeserver.rooms[room].content("m.room.power_levels") == before


async def test_a_room_taken_out_of_its_space_is_listed_again(company: Company) -> None:
    """Whoever takes a managed room out of the space that lists it is undone at once."""
    space, room = company.homeserver.room("company"), company.homeserver.room("lounge")
    before = company.homeserver.rooms[space].content("m.space.child", room)
    for altered in ({}, {"via": ["example.org"], "order": "zzz"}):
        company.homeserver._put(space, user("eve"), "m.space.child", room, altered)
        await company.deliver()
        await company.upkeep.catch_up()

        assert company.homeserver.rooms[space].content("m.space.child", room) == before == {**before, "order": "10001"}


async def test_a_space_lists_nothing_but_the_policys_rooms(company: Company) -> None:
    """A room of somebody's own, and a managed one of elsewhere, are taken out again; who did it is told."""
    space = company.homeserver.room("company")
    before = {key: event.content for key, event in company.homeserver.rooms[space].state.items()}
    for child in (company.homeserver.make_room(user("eve")), company.homeserver.room("news")):
        company.homeserver._put(space, user("eve"), "m.space.child", child, {"via": ["example.org"]})
        await company.deliver()
        (result,) = await company.upkeep.catch_up()
        assert [(change.room, change.value) for change in result.plan.changes] == [("company", "children")]
        assert company.homeserver.rooms[space].content("m.space.child", child) == {}
        await company.deliver()
        assert await company.upkeep.catch_up() == []
    after = {key: event.content for key, event in company.homeserver.rooms[space].state.items() if event.content}
    assert after == before
    assert any("You changed the list of rooms of company" in text for text in await said_to(company, "eve"))


async def test_a_refused_correction_is_not_tried_without_end(company: Company) -> None:
    """What the homeserver refuses waits for the next look at everything, and is done then."""
    from bridge.errors import HomeserverError

    refusing = True
    company.homeserver.before = lambda number, name: (
        HomeserverError("no", status=403) if refusing and name == "send_state" else None
    )
    room = company.homeserver.room("lounge")
    company.homeserver.set_state(room, user("eve"), "m.room.name", {"name": "Eve's"})
    await company.deliver()
    (result,) = await company.upkeep.catch_up()
    assert len(result.applied.failures) == 1

    refusing = False
    await company.restarted().catch_up()
    assert company.homeserver.rooms[room].content("m.room.name") == {"name": "lounge"}


async def test_a_fight_is_stopped_and_told_to_the_administrators(company: Company) -> None:
    """After so many corrections the same thing is left alone, said once, and everything else goes on."""
    for _ in range(ENOUGH + 3):
        await invite(company)
    sales = company.homeserver.rooms[company.homeserver.room("department/Sales")]

    assert sales.members("invite") == {STRANGER}
    removals = [request for request in company.homeserver.requests if request[0] == "kick"]
    assert len(removals) == ENOUGH
    ((notice, _),) = await read_untold(company.pool)
    assert "muster drift go 1" in notice.body
    assert "in department" in notice.body
    await company.restarted().catch_up()
    assert sales.members("invite") == {STRANGER}
    await invite(company, whom=user("cid"))
    assert sales.members("invite") == {STRANGER}


async def test_go_ends_a_rest(company: Company) -> None:
    """When an administrator says go, what was left alone is put right, and the fight may begin anew."""
    for _ in range(ENOUGH + 1):
        await invite(company)
    (rest,) = await drift_store.read_rests(company.pool)
    assert await drift_store.end_rest(company.pool, rest.id)
    assert not await drift_store.end_rest(company.pool, rest.id)
    await company.upkeep.catch_up()

    assert not company.homeserver.rooms[company.homeserver.room("department/Sales")].members("invite")
    assert await drift_store.read_pending(company.pool) == []


async def test_slow_disagreement_is_no_fight(company: Company) -> None:
    """The same change now and then is put right each time."""
    for _ in range(ENOUGH + 2):
        await invite(company)
        company.ahead += timedelta(minutes=6)

    assert await drift_store.read_rests(company.pool) == []


async def test_a_fight_over_a_setting_rests_and_goes_on_too(company: Company) -> None:
    """A bot that renames a room again and again is given in to, until somebody says go."""
    room = company.homeserver.room("lounge")
    for at in range(ENOUGH + 2):
        company.homeserver.set_state(room, user("eve"), "m.room.name", {"name": f"Eve's {at}"})
        await company.deliver()
        await company.upkeep.catch_up()
    assert company.homeserver.rooms[room].content("m.room.name") == {"name": f"Eve's {ENOUGH + 1}"}

    (rest,) = await drift_store.read_rests(company.pool)
    await drift_store.end_rest(company.pool, rest.id)
    await company.upkeep.catch_up()
    assert company.homeserver.rooms[room].content("m.room.name") == {"name": "lounge"}


async def test_who_leaves_the_company_leaves_a_room_that_rests(company: Company) -> None:
    """A rest keeps nobody in a room whose account is shut."""
    for _ in range(ENOUGH + 1):
        await invite(company, whom=user("cid"))
    company.homeserver.act(company.homeserver.room("department/Sales"), user("cid"), "join", user("cid"))
    await company.say("cid", active=False)
    await company.upkeep.catch_up()

    assert "cid" not in company.homeserver.people("department/Sales")


async def test_a_ban_of_somebody_the_policy_wants_is_lifted(company: Company) -> None:
    """The policy decides who is in its rooms: a ban by hand is taken back, and who banned is told."""
    company.homeserver.act(company.homeserver.room("lounge"), user("eve"), "ban", user("bob"))
    company.homeserver.act(company.homeserver.room("news"), user("eve"), "ban", user("bob"))
    await company.deliver()
    await company.upkeep.catch_up()

    assert "bob" in company.homeserver.people("lounge")
    assert "bob" in company.homeserver.people("news")
    assert any("You banned Bob from" in text for text in await said_to(company, "eve"))


async def test_a_ban_of_somebody_without_a_claim_stays(company: Company) -> None:
    """Moderators decide about guests."""
    company.homeserver.act(company.homeserver.room("lounge"), user("ann"), "ban", STRANGER)
    await company.deliver()
    await company.upkeep.catch_up()

    assert company.homeserver.rooms[company.homeserver.room("lounge")].members("ban") == {STRANGER}
