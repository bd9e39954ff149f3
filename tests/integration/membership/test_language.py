"""What the policy says of rooms, on the homeserver and in the tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from bridge.ids import archivist_of
from bridge.membership import place_store
from bridge.membership.exemption_store import put_exemption
from bridge.policy.schema import Exemption
from tests.integration.membership.conftest import Company

SETTINGS: dict[str, Any] = {"settings": {"avatar": "mxc://x/a", "history": "shared", "may": {"pin": "everyone"}}}


async def test_settings_come_with_a_room_and_change_with_the_policy(company: Company) -> None:
    """A room is born with its settings; later ones are set alone, and what the policy no longer says stays."""
    company.rule({"rooms": {"lounge": {**SETTINGS, "join": "knock"}}})
    await company.settle()
    room = company.homeserver.rooms[company.homeserver.room("lounge")]
    assert room.content("m.room.join_rules") == {"join_rule": "knock"}
    assert room.content("m.room.history_visibility") == {"history_visibility": "shared"}
    assert room.content("m.room.avatar") == {"url": "mxc://x/a"}
    assert room.content("m.room.power_levels")["events"]["m.room.pinned_events"] == 0
    assert not room.content("m.room.encryption")

    said = {"encrypted": True, "may": {"call": "admins", "invite": "everyone", "mention_room": "admins"}}
    company.rule({"rooms": {"lounge": {"settings": said, "moderators": 'title eq "Head"'}}})
    changed = await company.settle()
    assert not changed.applied.failures
    levels = room.content("m.room.power_levels")
    assert room.content("m.room.join_rules") == {"join_rule": "invite"}
    assert room.content("m.room.encryption") == {"algorithm": "m.megolm.v1.aes-sha2"}
    assert (levels["invite"], levels["notifications"]) == (0, {"room": 100})
    assert levels["events"]["org.matrix.msc3401.call.member"] == 100
    assert levels["events"]["m.room.pinned_events"] == 0
    assert levels["events"]["m.room.power_levels"] == 100
    assert len(levels["users"]) == 2
    kept = (await place_store.read_places(company.pool))["lounge"].settings  # type: ignore[index]
    assert (kept.avatar, kept.knock, kept.encrypted, len(kept.may)) == ("mxc://x/a", False, True, 4)
    assert not (await company.reconcile()).plan.changes

    company.rule({"rooms": {"lounge": {}}})
    assert [change.value for change in (await company.reconciler.survey(company.policy)).plan.changes] == ["0", "0"]


@pytest.mark.parametrize("depth", [1, 2])
async def test_a_change_of_manager_looks_at_both_managers(company: Company, depth: int) -> None:
    """Who gets another manager is decided together with the old one and the new one, and those above them."""
    for name, boss in (("ann", "eve"), ("cid", "eve"), ("bob", "ann"), ("dot", "ann")):
        await company.say(name, manager=boss)
    team = {"for_each": "manager", "managers": {"moderators": 1}}
    all_hands = {"managers": {"admins": depth}}
    company.rule({"rooms": {"team": team, "all": all_hands}})
    await company.settle()
    ann, cid = f"team/{company.ids['ann']}", f"team/{company.ids['cid']}"
    assert (company.homeserver.people(ann), company.homeserver.power(ann)) == ({"ann", "bob", "dot"}, {"ann": 50})

    await company.say("bob", manager="cid")
    await company.reconcile("bob")
    assert (company.homeserver.people(cid), company.homeserver.power(cid)) == ({"cid", "bob"}, {"cid": 50})
    assert company.homeserver.people(ann) == {"ann", "dot"}
    await company.say("dot", manager="cid")
    await company.reconcile("dot")
    assert company.homeserver.people(ann) == set()
    assert company.homeserver.power("all") == ({"eve": 100, "cid": 100} if depth == 1 else {"eve": 100})
    await company.say("ann", displayName="Anna")
    await company.reconcile("ann")
    assert not (await company.reconcile()).plan.changes


async def test_an_exception_ends_at_midnight_after_its_last_day(company: Company) -> None:
    """One of the policy and one of the table, each where the person works, while nobody sends anything."""
    company.now = datetime(2027, 2, 28, 12, tzinfo=UTC)
    await company.say("ann", timezone="Australia/Melbourne")
    last = date(2027, 2, 28)
    said = {"person": "ann", "add": True, "until": last}
    company.rule({"rooms": {"yard": {"members": 'title eq "Driver"', "exceptions": [said]}, "news": {}}})
    await company.upkeep.catch_up()
    await company.deliver()
    assert company.homeserver.people("yard") == {"ann"}

    bob = Exemption("yard", "", company.ids["bob"], True, last, "ann", "covers")
    async with company.pool.acquire() as connection, connection.transaction():
        await put_exemption(connection, bob, "eve", company.now)
    await company.upkeep.catch_up()
    await company.deliver()
    assert company.homeserver.people("yard") == {"ann", "bob"}

    melbourne = datetime(2027, 2, 28, 13, tzinfo=UTC)
    assert await company.upkeep._seconds_to_next() == (melbourne - company.now).total_seconds()
    for moment, inside in ((melbourne, {"bob"}), (datetime(2027, 3, 1, tzinfo=UTC), set())):
        company.now = moment
        await company.upkeep.catch_up()
        await company.deliver()
        assert company.homeserver.people("yard") == inside


async def test_a_rule_in_shadow_does_nothing(company: Company) -> None:
    """Not even make its room; the survey has what it would do."""
    company.rule({"rooms": {"yard": {"shadow": True}}})
    await company.settle()
    assert not company.homeserver.rooms
    found = await company.reconciler.survey(company.policy)
    assert (len(found.plan.changes), len(found.plan.shadowed)) == (0, 6)


async def test_people_who_go_over_to_a_new_value_take_the_room_along(company: Company) -> None:
    """Found also when only those who changed were to be looked at; it stays so, and `why` asks of the value of now."""
    company.rule({"rooms": {"each": {"for_each": "department", "name": "{department}"}}})
    team = ("ann", "bob", "cid")
    for name in team:
        await company.say(name, department="Sales")
    await company.settle()
    room = company.homeserver.room("each/Sales")
    for name in team:
        await company.say(name, department="Revenue")
    found = await company.reconcile(*team)
    await company.deliver()
    assert [change.value for change in found.plan.changes] == ["name, value"]
    assert company.homeserver.rooms[room].content("m.room.name") == {"name": "Revenue"}
    assert company.homeserver.people("each/Sales") == set(team)
    assert not (await company.reconcile("ann")).plan.changes
    await company.say("ann", department="IT")
    await company.reconcile("ann")
    assert company.homeserver.people("each/Sales") == {"bob", "cid"}
    assert not (await company.reconcile()).plan.changes


async def test_archive_is_in_a_room_before_it_is_encrypted_and_stays(company: Company) -> None:
    """It enters before anybody else, in new rooms and in old ones, and an exclusive room does not put it out."""
    archivist = archivist_of(company.homeserver.bot)
    company.rule({"rooms": {"board": {"settings": {"encrypted": True}, "exclusive": True}, "lounge": {}}})
    await company.settle()
    rooms = company.homeserver.rooms
    assert archivist in rooms[company.homeserver.room("board")].members()
    assert archivist not in rooms[company.homeserver.room("lounge")].members()
    company.rule(
        {
            "rooms": {
                "board": {"settings": {"encrypted": True}, "exclusive": True},
                "lounge": {"settings": {"encrypted": True}},
            }
        }
    )
    await company.settle()
    assert archivist in rooms[company.homeserver.room("lounge")].members()
    assert archivist in rooms[company.homeserver.room("board")].members()
    assert not (await company.reconcile()).plan.changes
