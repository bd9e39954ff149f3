"""A room is asked for, its owner answers by a reaction, and the answer becomes true and ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.directory.scim_shape import ENTERPRISE
from bridge.homeserver.event import Event
from bridge.ids import RoomId
from tests.integration.membership.conftest import user
from tests.integration.membership.homeserver import BOT, KilledError
from tests.integration.selfservice.office import RULES, Office

ASKED = "I have asked the owner of Fleet and tell you the answer here."


def _question(office: Office, name: str | None) -> Event:
    """Return the newest question to an owner, or (None) to the administrators."""
    room_id = office.homeserver.room("administrators") if name is None else _direct(office, name)
    return [
        event
        for event in office.homeserver.rooms[room_id].said
        if "asks to be let into" in event.content.get("body", "")
    ][-1]


def _direct(office: Office, name: str) -> RoomId:
    [found] = [
        room_id
        for room_id, room in office.homeserver.rooms.items()
        if room.members() == {BOT, user(name)} and not room.content("io.muster.room")
    ]
    return found


def _questions(office: Office) -> list[str]:
    """Return everything that owners and administrators were asked, oldest first."""
    events = [event for room in office.homeserver.rooms.values() for event in room.said]
    return [
        event.content["body"]
        for event in sorted(events, key=lambda event: event.timestamp)
        if "asks to be let into" in event.content.get("body", "")
    ]


async def _wait(office: Office, time: timedelta) -> None:
    """Let time pass, and have done what is due by then."""
    await office.pass_time(time)
    await office.conversation.requests.go_on()
    await office.speak()


async def _react(office: Office, name: str, question: Event, sign: str = "✅") -> Event:
    relation = {"rel_type": "m.annotation", "event_id": question.event_id, "key": sign}
    event = office.homeserver.say(question.room_id, user(name), "m.reaction", {"m.relates_to": relation})
    await office.hear()
    await office.speak()
    return event


async def test_an_owner_is_asked_in_a_direct_room(office: Office) -> None:
    """Who asks, why, and how to answer; the room is made when there is none, and the owner is in it."""
    assert await office.ask("ann", "request Fleet because I plan the tours") == ASKED
    body = _question(office, "cid").content["body"]
    assert body.startswith("Ann (@ann:example.org) – Head of Sales · Sales asks to be let into Fleet.\n")
    assert "Why: I plan the tours" in body


async def test_a_yes_is_an_exception_with_an_end(office: Office) -> None:
    """Whoever asked is told and let in; after the last day they are out again."""
    room_id = await office.direct("ann")
    await office.ask("ann", "request fleet", room_id)
    await _react(office, "cid", _question(office, "cid"))
    assert office.said(room_id)[-1].startswith("You are let into Fleet until ")
    row = await office.pool.fetchrow("SELECT rule, adds, owner, created_by, until FROM exception")
    assert row is not None
    assert (row["rule"], row["adds"], row["owner"], row["created_by"]) == ("fleet", True, "cid", user("cid"))
    await office.company.upkeep.catch_up()
    await office.hear()
    assert "ann" in office.homeserver.people("fleet")
    assert "exception" in await office.ask("ann", "why Fleet", room_id)
    await office.pass_time(timedelta(days=32))
    await office.company.upkeep.catch_up()
    assert "ann" not in office.homeserver.people("fleet")


async def test_a_no_is_told(office: Office) -> None:
    """And nothing else comes of it; one may ask again."""
    room_id = await office.direct("ann")
    await office.ask("ann", "request fleet", room_id)
    await _react(office, "cid", _question(office, "cid"), "❌")
    assert office.said(room_id)[-1] == "Your request for Fleet was declined."
    assert "is told that the answer is no" in office.said(_direct(office, "cid"))[-1]
    assert await office.pool.fetchval("SELECT count(*) FROM exception") == 0
    assert await office.ask("ann", "request fleet", room_id) == ASKED


async def test_the_same_request_twice_is_one(office: Office) -> None:
    """As long as it waits."""
    room_id = await office.direct("ann")
    await office.ask("ann", "request fleet", room_id)
    assert (await office.ask("ann", "request Fleet please", room_id)).startswith("You have asked for Fleet on ")
    assert await office.pool.fetchval("SELECT count(*) FROM room_request") == 1


async def test_who_does_not_answer_is_followed_by_the_next_and_the_administrators(office: Office) -> None:
    """Each after two days; whoever was asked first may still answer, and only one answer counts."""
    room_id = await office.direct("ann")
    await office.ask("ann", "request fleet", room_id)
    await _wait(office, timedelta(hours=23))
    assert len(_questions(office)) == 1
    for _ in range(3):
        await _wait(office, timedelta(days=2, minutes=1))
    said = _questions(office)
    assert [body.startswith("A reminder: ") for body in said] == [False, False, True]
    await _react(office, "eve", _question(office, None))
    assert office.said(room_id)[-1].startswith("You are let into Fleet")
    await _react(office, "cid", _question(office, "cid"), "❌")
    assert "answered already" in office.said(_direct(office, "cid"))[-1]
    assert office.said(room_id)[-1].startswith("You are let into Fleet")


async def test_a_room_without_owners_goes_to_the_administrators(office: Office) -> None:
    """At once; who is one of them cannot answer for themselves."""
    office.company.rule(
        {**RULES, "rooms": {**RULES["rooms"], "fleet": {**RULES["rooms"]["fleet"], "moderators": None}}}
    )
    await office.company.reconcile()
    await office.hear()
    room_id = await office.direct("eve")
    assert await office.ask("eve", "request fleet", room_id) == ASKED
    question = _question(office, None)
    await _react(office, "eve", question)
    assert "nobody for themselves" in office.homeserver.rooms[question.room_id].said[-1].content["body"]
    assert await office.pool.fetchval("SELECT state FROM room_request") == "open"


@pytest.mark.parametrize("name", ["board", "loose", "department/Board", "administrators"])
async def test_hidden_rooms_cannot_be_told_from_none(office: Office, name: str) -> None:
    """Asking for one is answered word for word like asking for what there is not."""
    room_id = await office.direct("ann")
    hidden = await office.ask("ann", f"request {name}", room_id)
    assert hidden == (await office.ask("ann", "request xyzzy", room_id)).replace("xyzzy", name)
    assert await office.pool.fetchval("SELECT count(*) FROM room_request") == 0


async def test_what_one_has_is_not_asked_for(office: Office) -> None:
    """Nor a space."""
    room_id = await office.direct("ann")
    assert (await office.ask("ann", "request The Lounge", room_id)).startswith("You need not ask for The Lounge")
    assert await office.pool.fetchval("SELECT count(*) FROM room_request") == 0


async def test_a_stranger_to_the_room_cannot_answer(office: Office) -> None:
    """Not even with the event's ID."""
    await office.ask("ann", "request fleet")
    question = _question(office, "cid")
    bob = await office.direct("bob")
    relation = {"rel_type": "m.annotation", "event_id": question.event_id, "key": "✅"}
    office.homeserver.say(bob, user("bob"), "m.reaction", {"m.relates_to": relation})
    await office.hear()
    await office.speak()
    assert await office.pool.fetchval("SELECT state FROM room_request") == "open"


async def test_who_left_meanwhile_is_not_let_in(office: Office) -> None:
    """The owner is told that nothing is needed any more."""
    await office.ask("bob", "request fleet")
    await office.company.say("bob", active=False)
    await _react(office, "cid", _question(office, "cid"))
    assert await office.pool.fetchval("SELECT state FROM room_request") == "lapsed"
    assert await office.pool.fetchval("SELECT count(*) FROM exception") == 0


async def test_a_kill_between_asking_and_writing_it_down_asks_once(office: Office) -> None:
    """Also while the owner's room is being made: there is one room and one question."""
    room_id = await office.direct("ann")
    office.homeserver.say(room_id, user("ann"), "m.room.message", {"msgtype": "m.text", "body": "request fleet"})
    events = await office.hear()
    for name in ("create_room", "join", "send"):
        office.homeserver.after = lambda _, done, name=name: KilledError() if done == name else None  # type: ignore[misc]
        for _ in range(3):
            try:
                await office.speaker.act()
            except KilledError:
                break
        office.homeserver.restart()
        office.restart()
        await office.conversation.handle(events)
    office.homeserver.after = lambda _, name: None
    await office.speak()
    said = [event for room in office.homeserver.rooms.values() for event in room.said if event.sender == BOT]
    assert len([event for event in said if "asks to be let into" in event.content["body"]]) == 1
    assert len([event for event in said if event.content["body"] == ASKED]) == 1
    assert _direct(office, "cid")


async def test_whoever_was_asked_is_reminded_once(office: Office) -> None:
    """After a day; a reaction to the reminder is an answer like one to the question."""
    room_id = await office.direct("ann")
    await office.ask("ann", "request fleet", room_id)
    for _ in range(3):
        await _wait(office, timedelta(hours=12))
    first, again = _questions(office)
    assert again.splitlines()[:2] == ["A reminder: " + first.splitlines()[0], first.splitlines()[1]]
    assert "somebody else" not in again
    await _react(office, "cid", _question(office, "cid"))
    assert office.said(room_id)[-1].startswith("You are let into Fleet until ")


async def test_what_nobody_answers_ends_with_a_word(office: Office) -> None:
    """After two weeks; one may ask again, and a late answer changes nothing."""
    room_id = await office.direct("ann")
    await office.ask("ann", "request fleet", room_id)
    for _ in range(13):
        await _wait(office, timedelta(days=1))
    assert await office.pool.fetchval("SELECT state FROM room_request") == "open"
    await _wait(office, timedelta(days=1, minutes=1))
    assert office.said(room_id)[-1].startswith("Nobody has answered your request for Fleet, so it is over.")
    assert len(_questions(office)) == 4
    await _react(office, "cid", _question(office, "cid"))
    assert await office.pool.fetchval("SELECT count(*) FROM exception") == 0
    assert await office.ask("ann", "request fleet", room_id) == ASKED


WALLED = {
    **RULES,
    "barriers": [
        {"between": 'department eq "Sales"', "and": 'department eq "Fleet"', "reason": "fair tenders", "except": []}
    ],
}


async def _wall(office: Office) -> None:
    office.company.rule(WALLED, digest="walled")
    await office.company.reconcile()
    await office.hear()


async def test_what_a_barrier_closes_is_no_room_to_ask_for(office: Office) -> None:
    """It is refused at once, word for word like a room that there is not; the list and `why` know nothing of it."""
    await _wall(office)
    room_id = await office.direct("ann")
    for words in ("request {}", "why {}"):
        closed = await office.ask("ann", words.format("fleet"), room_id)
        assert closed == (await office.ask("ann", words.format("xyzzy"), room_id)).replace("xyzzy", "fleet")
        assert "tender" not in closed
    assert "Fleet" not in await office.ask("ann", "rooms", room_id)
    assert "Fleet" in await office.ask("eve", "rooms")
    assert await office.pool.fetchval("SELECT count(*) FROM room_request") == 0


async def test_the_phone_book_does_not_show_the_other_side(office: Office) -> None:
    """Nor as somebody's manager; whoever is on no side finds everybody, and everybody finds their own side."""
    await office.company.say("eve", **{ENTERPRISE: {"manager": {"value": office.company.ids["cid"]}}})
    await _wall(office)
    assert await office.ask("ann", "who cid") == await office.ask("ann", "who captain")
    assert "Nobody who works here is found" in await office.ask("ann", "who cid")
    assert "Cid" not in await office.ask("ann", "who eve")
    assert "Bob" in await office.ask("ann", "who bob")
    assert "Cid" in await office.ask("eve", "who cid")
    assert "manager: Cid" in await office.ask("eve", "who eve")


@pytest.mark.parametrize("moment", ["answer", "reminder"])
async def test_a_barrier_that_comes_meanwhile_ends_the_request(office: Office, moment: str) -> None:
    """Whoever asked is told that it is not possible, and nothing of the other side."""
    room_id = await office.direct("ann")
    await office.ask("ann", "request fleet", room_id)
    await _wall(office)
    if moment == "answer":
        await _react(office, "cid", _question(office, "cid"))
        assert "cannot be let into Fleet" in office.said(_direct(office, "cid"))[-1]
    else:
        await _wait(office, timedelta(days=1, minutes=1))
        assert len(_questions(office)) == 1
    assert office.said(room_id)[-1] == "You cannot be let into Fleet: the company's rules do not allow it."
    assert await office.pool.fetchval("SELECT state FROM room_request") == "lapsed"
    assert await office.pool.fetchval("SELECT count(*) FROM exception") == 0
