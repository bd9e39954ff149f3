"""What others change by hand in managed rooms, and how it is put right; the order in which events arrive."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bridge.database.listen import MEMBERSHIP, Listener
from bridge.errors import HomeserverUnavailableError
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId
from bridge.membership import upkeep
from bridge.membership.member_store import read_drift
from tests.integration.membership.conftest import Company, user
from tests.integration.membership.homeserver import BOT
from tests.waiting import wait_until

STRANGER = UserId("@stranger:example.org")


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with everything in place."""
    await company.settle()
    await company.upkeep.catch_up()
    company.homeserver.requests.clear()
    return company


async def test_somebody_invited_into_an_exclusive_room_is_removed(company: Company) -> None:
    """An invitation by hand into an exclusive room is taken back, for strangers and colleagues alike."""
    sales = company.homeserver.room("department/Sales")
    company.homeserver.act(sales, user("ann"), "invite", STRANGER)
    company.homeserver.act(sales, user("ann"), "join", user("cid"))
    await company.deliver()
    (result,) = await company.upkeep.catch_up()

    assert result.applied.done == 2
    assert company.homeserver.people("department/Sales") == {"ann", "bob"}
    assert not company.homeserver.rooms[sales].members("invite")
    assert not await read_drift(company.pool)


async def test_a_guest_in_a_room_that_is_not_exclusive_may_stay(company: Company) -> None:
    """Somebody invited by hand into any other managed room is left alone."""
    company.homeserver.act(company.homeserver.room("news"), user("eve"), "join", STRANGER)
    await company.deliver()
    await company.upkeep.catch_up()

    assert "stranger" in company.homeserver.people("news")


async def test_somebody_kicked_by_hand_rejoins(company: Company) -> None:
    """Whoever the policy wants in a room is back after a kick, and after leaving."""
    company.homeserver.act(company.homeserver.room("lounge"), user("ann"), "leave", user("bob"))
    company.homeserver.act(company.homeserver.room("news"), user("cid"), "leave", user("cid"))
    await company.deliver()
    await company.upkeep.catch_up()

    assert "bob" in company.homeserver.people("lounge")
    assert "cid" in company.homeserver.people("news")


async def test_changed_power_is_put_back(company: Company) -> None:
    """A level that the policy does not give is taken back, and one that it gives is restored, in one event a room."""
    company.homeserver.set_power(company.homeserver.room("department/Sales"), ann=0, bob=100)
    await company.deliver()
    company.homeserver.requests.clear()
    await company.upkeep.catch_up()

    assert company.homeserver.power("department/Sales") == {"ann": 50}
    sent = [request for request in company.homeserver.requests if request[0] == "send_state"]
    assert len(sent) == 2  # one lowers, one raises


async def test_a_leaver_invited_to_a_direct_chat_leaves_it(company: Company) -> None:
    """Somebody whose account is disabled stays out of rooms that Muster does not manage, too."""
    await company.say("bob", active=False)
    await company.upkeep.catch_up()
    chat = company.homeserver.make_room(user("ann"))
    company.homeserver.act(chat, user("ann"), "invite", user("bob"))
    await company.deliver()
    await company.upkeep.catch_up()

    assert not company.homeserver.rooms[chat].members("invite")


async def test_direct_chats_of_employees_are_nobodys_business(company: Company) -> None:
    """Who chats with whom outside managed rooms causes no work at all."""
    chat = company.homeserver.make_room(user("ann"))
    company.homeserver.act(chat, user("ann"), "join", user("bob"))
    company.homeserver.act(chat, user("ann"), "leave", user("bob"))
    await company.deliver()

    assert await company.upkeep.catch_up() == []
    assert not company.homeserver.requests


async def test_redelivered_and_late_events_change_nothing(company: Company) -> None:
    """The same events again, in any order, and old ones fetched afterwards, neither move the state nor cause work."""
    room = company.homeserver.room("lounge")
    old = Event(0, EventId("$old"), room, "m.room.member", user("ann"), user("bob"), {"membership": "leave"}, 1, None)
    events = list(company.homeserver.rooms[room].state.values())
    await company.consumer.handle([old])
    await company.consumer.handle(events[::-1])
    await company.consumer.handle([old, *events])

    assert await company.upkeep.catch_up() == []


async def test_odd_events_are_harmless(company: Company) -> None:
    """Events of any shape and date, also from the far future, are taken without harm to later ones."""
    room = company.homeserver.room("lounge")
    base = Event(
        0, EventId("$x"), room, "m.room.member", STRANGER, user("bob"), {"membership": "join"}, 2**53 - 1, None
    )
    await company.consumer.handle(
        [
            base,
            replace(base, content={"membership": ["join"]}),
            replace(base, content={}),
            replace(base, state_key=None),
            replace(base, state_key=""),
            replace(base, type="m.room.power_levels", state_key="", content={"users": {"@a:b": "50", "@c:d": True}}),
            replace(base, type="m.room.power_levels", state_key="", content={"users": []}),
            replace(base, type="m.room.name", state_key="", content={"name": 7}),
        ]
    )
    company.homeserver.act(room, user("ann"), "leave", user("bob"))
    (left,) = [event for event in company.homeserver.deliver() if event.content == {"membership": "leave"}]
    now = int(company.clock().timestamp() * 1000) + 1000
    await company.consumer.handle([replace(left, timestamp=now)])
    await company.upkeep.catch_up()

    assert "bob" in company.homeserver.people("lounge")


async def test_the_service_puts_drift_right_when_it_is_woken(company: Company, database_url: str) -> None:
    """The running loop is woken by drift, by the directory and by nothing else, and does what is due."""
    listener = Listener(database_url)
    wakes = [listener.subscribe(MEMBERSHIP), listener.subscribe("muster_directory")]
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(company.restarted().run(wakes))]
    try:
        company.homeserver.act(company.homeserver.room("lounge"), user("ann"), "leave", user("bob"))
        await company.deliver()
        await wait_until(lambda: "bob" in company.homeserver.people("lounge"))
        await company.say("bob", department="IT")
        await wait_until(lambda: "bob" in company.homeserver.people("department/IT"))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_loop_waits_while_the_homeserver_is_away(
    company: Company, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody answers the loop tries again, says so once, and then goes on where it was."""
    monkeypatch.setattr(upkeep, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(upkeep, "LONGEST_PAUSE", 0.002)
    away = True
    company.homeserver.before = lambda number, name: (
        HomeserverUnavailableError("The homeserver does not answer.") if away else None
    )
    await company.say("bob", department="IT")
    wake = asyncio.Event()
    caplog.set_level("INFO")
    task = asyncio.create_task(company.restarted().run([wake]))
    try:
        await wait_until(lambda: len(company.homeserver.requests) > 5)
        away = False
        await wait_until(lambda: "bob" in company.homeserver.people("department/IT"))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    said = [record for record in caplog.records if "does not answer" in record.getMessage()]
    assert len(said) == 1


async def test_the_name_somebody_else_gave_is_put_back(company: Company) -> None:
    """A name or topic given by somebody else is the policy's again after the next look at everything."""
    room = company.homeserver.room("lounge")
    company.homeserver.set_state(room, user("eve"), "m.room.name", {"name": "Eve's"})
    await company.deliver()
    await company.restarted().catch_up()

    assert company.homeserver.rooms[room].content("m.room.name") == {"name": "lounge"}


async def test_the_bot_is_never_looked_at(company: Company) -> None:
    """Nothing about the bot's own membership causes work."""
    company.homeserver.act(company.homeserver.room("lounge"), BOT, "join", BOT)
    await company.deliver()

    assert not await read_drift(company.pool)
