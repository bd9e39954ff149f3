"""What people change in their own profile is put right, explained, and never fought over without end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bridge.directory.notice_store import read_untold
from bridge.membership import direct_room_store, drift_store, profile_store
from bridge.membership.face import FIELD
from bridge.membership.fighting import ENOUGH
from bridge.membership.profile_audit import Compared, ProfileAudit
from bridge.membership.remarks import Remarks
from tests.integration.membership.conftest import Company, user

RULES: dict[str, Any] = {
    "accounts": {"avatar": "initials", "profile": {"org.example.title": "{title}"}},
    "rooms": {"lounge": {}, "news": {}},
}
OWN = "mxc://example.org/beach"
ANN = user("ann")


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with names and pictures in place."""
    company.rule(RULES)
    await company.settle()
    await company.upkeep.catch_up()
    await company.pool.execute("UPDATE account SET face = 'mxc://example.org/' || person_id")
    await company.reconcile()
    await look(company)
    assert await company.upkeep.catch_up() == []
    return company


def audit_of(company: Company) -> ProfileAudit:
    return ProfileAudit(company.pool, company.homeserver, lambda: company.policy, clock=company.clock)


async def look(company: Company) -> Compared:
    """Deliver what has happened, compare what is doubtful, and put right what is wrong."""
    await company.deliver()
    found = await audit_of(company).settle_doubts()
    await company.upkeep.catch_up()
    await company.deliver()
    await audit_of(company).settle_doubts()
    await company.upkeep.catch_up()
    return found


async def said_to(company: Company, name: str) -> list[str]:
    await Remarks(company.pool, company.homeserver, clock=company.clock).tell()
    room_id = await direct_room_store.find(company.pool, user(name))
    return [] if room_id is None else [event.content["body"] for event in company.homeserver.rooms[room_id].said]


async def test_name_and_picture_are_put_back_by_their_events(company: Company) -> None:
    """One profile is read, once for all rooms that tell of it; nobody else's is."""
    face = company.homeserver.users[ANN].profile[FIELD]
    company.homeserver.requests.clear()
    company.homeserver.set_profile(ANN, name="The Queen", picture=OWN)
    assert await look(company) == Compared(1, 1)

    account = company.homeserver.users[ANN]
    assert (account.display_name, account.profile[FIELD]) == ("Ann", face)
    assert {request[1] for request in company.homeserver.requests if request[0] == "profile"} == {ANN}
    assert [entry for entry in await company.entries() if "ann" in entry][-2:] == [
        "rename account ann done",
        "change profile ann done",
    ]
    assert await drift_store.read_pending(company.pool) == []
    assert await profile_store.read_doubts(company.pool, 10) == []
    assert not (await company.reconcile()).plan.changes


async def test_who_changes_the_own_profile_is_told_once(company: Company) -> None:
    """What, and by which rule; the same day again it is put right silently."""
    company.homeserver.set_profile(ANN, picture=OWN)
    await look(company)
    (text,) = await said_to(company, "ann")
    assert text.startswith("In your profile the picture was changed.")
    assert "rule accounts.avatar" in text

    company.homeserver.set_profile(ANN, name="The Queen")
    await look(company)
    assert company.homeserver.users[ANN].display_name == "Ann"
    assert len(await said_to(company, "ann")) == 1
    company.ahead += timedelta(days=1, minutes=1)
    company.homeserver.set_profile(ANN, name="The Queen")
    await look(company)
    assert "the display name" in (await said_to(company, "ann"))[1]


async def test_an_event_that_is_out_of_date_changes_nothing(company: Company) -> None:
    """A late one, or a name for one room alone: the profile is as it ought to be, and nobody is told."""
    room = company.homeserver.room("lounge")
    company.homeserver._put(room, ANN, "m.room.member", ANN, {"membership": "join", "displayname": "Annie"})
    assert await look(company) == Compared(1, 0)
    assert await said_to(company, "ann") == []
    assert await drift_store.read_pending(company.pool) == []


async def test_musters_own_changes_are_nobodys(company: Company) -> None:
    """A new name of HR's goes through every room, and is no intervention."""
    await company.say("ann", displayName="Ann Tamm", title="Chief")
    await company.upkeep.catch_up()
    assert await look(company) == Compared()
    assert company.homeserver.users[ANN].display_name == "Ann Tamm"
    assert await company.pool.fetchval("SELECT count(*) FROM intervention") == 0


async def test_a_picture_of_which_the_policy_says_nothing_is_ones_own(company: Company) -> None:
    """It is looked at and let be."""
    company.rule({**RULES, "accounts": {}}, digest="policy-2")
    await company.upkeep.catch_up()
    company.homeserver.set_profile(ANN, picture=OWN)
    await look(company)
    assert company.homeserver.users[ANN].profile[FIELD] == OWN
    assert await said_to(company, "ann") == []


async def test_a_client_that_sets_it_again_and_again_is_given_in_to(company: Company) -> None:
    """The picture rests, is reported once, and what else is wrong is still put right; until somebody says go."""
    for at in range(ENOUGH + 3):
        company.homeserver.set_profile(ANN, name="The Queen" if at > ENOUGH else None, picture=f"{OWN}{at}")
        await look(company)
    account = company.homeserver.users[ANN]
    assert account.profile[FIELD] == f"{OWN}{ENOUGH + 2}"
    assert account.display_name == "Ann"
    ((notice, _),) = await read_untold(company.pool)
    assert f"disagree about the picture in the profile of {ANN}: Muster put it right 3 times" in notice.body
    assert "within 10 minutes" in notice.body
    assert not (await company.restarted().catch_up())[0].plan.changes

    (rest,) = await drift_store.read_rests(company.pool)
    await drift_store.end_rest(company.pool, rest.id)
    await company.upkeep.catch_up()
    assert account.profile[FIELD] != f"{OWN}{ENOUGH + 2}"


async def test_a_fight_over_a_field_that_no_event_tells_of_shows_within_a_day(company: Company) -> None:
    """Each slow look finds it changed again; after some of them it rests."""
    profile = company.homeserver.users[ANN].profile
    for at in range(ENOUGH + 2):
        profile["org.example.title"] = f"Queen {at}"
        await audit_of(company).scan()
        await company.upkeep.catch_up()
        company.ahead += timedelta(hours=2)
    assert profile["org.example.title"] == f"Queen {ENOUGH + 1}"
    ((notice, _),) = await read_untold(company.pool)
    assert "the field org.example.title in the profile" in notice.body
    assert "within a day" in notice.body
