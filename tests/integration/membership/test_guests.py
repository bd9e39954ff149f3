"""People whom HR does not know, on a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership import guest_store
from bridge.membership.barrier_guard import BarrierGuard
from bridge.membership.barrier_store import read_obstacle, read_together
from bridge.membership.guests import Guest
from bridge.membership.member_store import note_drift
from tests.integration.membership.conftest import RULES, Company, user

GUESTED: dict[str, Any] = {
    **RULES,
    "guests": {"sponsors": 'userType ne "Contractor"', "domains": ["partner.example"]},
}
WALLED: dict[str, Any] = {
    **GUESTED,
    "barriers": [
        {"between": 'department eq "Sales"', "and": 'department eq "IT"', "reason": "sales independence"},
    ],
}
KIM = UserId("@kim:partner.example")
LEO = user("leo")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with everything in place, at noon of a day."""
    company.now = NOON
    company.rule(GUESTED)
    await company.upkeep.catch_up()
    await company.deliver()
    return company


async def _add(company: Company, guest: UserId, sponsor: str, *rooms: str, until: date = date(2026, 3, 20)) -> None:
    """Make somebody a guest as the command does."""
    made = Guest(guest, company.ids[sponsor], tuple(map(RoomKey, rooms)), "helps", company.clock(), until)
    async with company.pool.acquire() as connection, connection.transaction():
        await guest_store.end_guest(connection, guest, company.clock())
        await guest_store.put_guest(connection, made)
        await note_drift(connection, [guest])
    await company.upkeep.catch_up()
    await company.deliver()


def _invited(company: Company, key: str) -> set[str]:
    return company.homeserver.rooms[company.homeserver.room(key)].members("invite")


async def _told(company: Company) -> list[str]:
    return [row["body"] for row in await company.pool.fetch("SELECT body FROM notice ORDER BY raised_at, topic")]


async def test_a_guest_of_our_own_server_joins_and_one_of_another_is_invited(company: Company) -> None:
    """Without rooms named all of the sponsor's that are not exclusive; and nothing is left to do."""
    await _add(company, LEO, "ann")
    await _add(company, KIM, "ann", "department/Sales")

    assert {key for key in ("lounge", "news", "department/Sales") if "leo" in company.homeserver.people(key)} == {
        "lounge",
        "news",
    }
    assert _invited(company, "department/Sales") == {KIM}
    assert not (await company.reconcile()).plan.changes
    company.homeserver.act(company.homeserver.room("department/Sales"), KIM, "join", KIM)
    await company.deliver()
    assert not (await company.reconcile()).plan.changes
    assert await company.upkeep.catch_up() == [], "who accepts an invitation has done nothing by hand"


async def test_a_guest_leaves_when_the_sponsor_does(company: Company) -> None:
    """By the very run that HR's change sets off, and the administrators are told."""
    await _add(company, LEO, "bob")
    await company.say("bob", active=False)
    await company.upkeep.catch_up()

    assert "leo" not in company.homeserver.people("lounge") | company.homeserver.people("news")
    assert "remove lounge leo done" in await company.entries()
    (told,) = await _told(company)
    assert "the sponsor does not work here" in told
    assert f"muster guests remove {LEO}" in told


async def test_the_last_day_wakes_by_itself(company: Company) -> None:
    """A week before and on the day the administrators are told; when it is over the guest is out. A renewal brings the
    guest back."""
    await _add(company, LEO, "ann", until=date(2026, 3, 12))
    assert await _told(company) == []
    for day, words, inside in (
        (date(2026, 3, 5), "may be here until 2026-03-12", True),
        (date(2026, 3, 12), "until the end of today", True),
        (date(2026, 3, 13), "is taken out of the rooms", False),
    ):
        assert await company.upkeep._seconds_to_next() <= 3600
        company.now = datetime.combine(day, datetime.min.time(), UTC) - timedelta(seconds=1)
        await company.upkeep.catch_up()
        before = await _told(company)
        company.now += timedelta(seconds=1)
        await company.upkeep.catch_up()
        await company.deliver()
        (new,) = (body for body in await _told(company) if body not in before)
        assert words in new
        assert ("leo" in company.homeserver.people("lounge")) is inside

    async with company.pool.acquire() as connection, connection.transaction():
        await guest_store.renew_guest(connection, LEO, date(2026, 4, 1))
        await note_drift(connection, [LEO])
    await company.upkeep.catch_up()
    assert "leo" in company.homeserver.people("lounge")


async def test_who_is_ended_leaves_and_is_forgotten_by_the_barriers(company: Company) -> None:
    """Only what Muster has granted is taken; a stranger of our own server whom somebody invited stays."""
    await _add(company, LEO, "ann")
    lounge = company.homeserver.room("lounge")
    company.homeserver.act(lounge, user("ann"), "join", user("max"))
    await company.deliver()
    async with company.pool.acquire() as connection, connection.transaction():
        await guest_store.end_guest(connection, LEO, company.clock())
        await note_drift(connection, [LEO])
    await company.upkeep.catch_up()
    assert company.homeserver.people("lounge") & {"leo", "max"} == {"max"}


async def test_a_stranger_of_another_server_in_a_managed_room_is_drift(company: Company) -> None:
    """Whoever is no guest is taken out at once, from any room of the policy."""
    lounge = company.homeserver.room("lounge")
    company.homeserver.act(lounge, user("ann"), "invite", KIM)
    await company.deliver()
    await company.upkeep.catch_up()
    assert _invited(company, "lounge") == set()
    assert (await company.entries())[-1] == "remove lounge kim done"


async def test_a_server_that_does_not_answer_stops_nobody_else(company: Company) -> None:
    """An invitation that another homeserver does not take fails alone; when ours is away everything waits."""

    def unreachable(_number: int, name: str) -> Exception | None:
        if name != "invite":
            return None
        return HomeserverUnavailableError("Can't connect to server partner.example", status=502, errcode="M_UNKNOWN")

    company.homeserver.before = unreachable
    await _add(company, KIM, "ann", "lounge")
    assert (await company.entries())[-1] == "join lounge kim failed"
    company.homeserver.before = lambda number, name: HomeserverUnavailableError("away") if name == "invite" else None
    with pytest.raises(HomeserverUnavailableError):
        await company.reconcile()


async def test_an_invitation_of_somebody_banned_lifts_the_ban(company: Company) -> None:
    """As with people of the directory; another refusal is reported."""
    lounge = company.homeserver.room("lounge")
    company.homeserver.act(lounge, user("ann"), "ban", KIM)
    await _add(company, KIM, "ann", "lounge")
    assert _invited(company, "lounge") == {KIM}
    company.homeserver.before = lambda number, name: (
        HomeserverError("Federation denied", status=403, errcode="M_FORBIDDEN") if name == "invite" else None
    )
    await _add(company, UserId("@jo:partner.example"), "ann", "lounge")
    assert (await company.entries())[-1] == "join lounge jo failed"


async def test_a_guest_takes_the_side_of_the_sponsor(company: Company) -> None:
    """Guests bring no two sides together, neither by rule nor by hand, and Synapse is told beforehand."""
    company.rule(WALLED, digest="walled")
    await company.upkeep.catch_up()
    await company.deliver()
    await _add(company, LEO, "ann")
    await _add(company, KIM, "cid", "news", "department/IT")
    assert await read_together(company.pool) == []
    assert "leo" in company.homeserver.people("lounge")
    assert _invited(company, "department/IT") == {KIM}
    assert _invited(company, "news") == set(), "Sales is there"

    chat = company.homeserver.make_room(user("eve"))
    for guest in (KIM, LEO):
        company.homeserver.act(chat, user("eve"), "join", guest)
    assert await read_obstacle(company.pool, LEO, RoomId("!elsewhere"), KIM) == "sales independence"
    assert await read_obstacle(company.pool, KIM, RoomId("!elsewhere"), user("ann")) == "sales independence"
    assert await read_obstacle(company.pool, LEO, RoomId("!elsewhere"), user("ann")) is None
    await company.deliver()
    await BarrierGuard(company.pool, company.homeserver, clock=company.clock).catch_up()
    assert company.homeserver.rooms[chat].members() == {user("eve"), KIM}


async def test_somebody_of_another_server_is_removed_by_who_may(company: Company) -> None:
    """Who cannot leave by our hand is removed by whoever has the power."""
    company.rule(WALLED, digest="walled")
    await company.upkeep.catch_up()
    await _add(company, KIM, "cid", "department/IT")
    chat = company.homeserver.make_room(user("ann"))
    company.homeserver.act(chat, user("ann"), "join", KIM)
    await company.deliver()
    await BarrierGuard(company.pool, company.homeserver, clock=company.clock).catch_up()
    assert company.homeserver.rooms[chat].members() == {user("ann")}


async def test_a_guest_follows_the_sponsor_to_the_other_side(company: Company) -> None:
    """When the sponsor changes sides the guest does, by the same run."""
    company.rule(WALLED, digest="walled", floor=10)
    await company.upkeep.catch_up()
    await company.deliver()
    await _add(company, LEO, "bob", "lounge")
    assert "leo" in company.homeserver.people("lounge")
    await company.say("bob", department="IT")
    await company.upkeep.catch_up()
    await company.deliver()
    assert not {"leo", "bob"} & company.homeserver.people("lounge")
    assert await read_together(company.pool) == []
    rows = await company.pool.fetch("SELECT side FROM barrier_side WHERE user_id = $1", LEO)
    assert [row["side"] for row in rows] == [1]


async def test_without_the_section_there_are_no_guests(company: Company) -> None:
    """Who was put in goes when the policy has no `guests` any more."""
    await _add(company, LEO, "ann")
    company.policy = replace(company.policy, guests=None, digest="none")
    await company.upkeep.catch_up()
    assert "leo" not in company.homeserver.people("lounge")
