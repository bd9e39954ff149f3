"""Employees talk to the bot in direct rooms and get one answer each, and nobody else does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.directory.scim_shape import MUSTER
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import UserId
from bridge.membership.unmanaged_store import begin_adopting
from bridge.selfservice.conversation import MOST_ANSWERS
from tests.integration.membership.conftest import user
from tests.integration.membership.homeserver import BOT, KilledError
from tests.integration.selfservice.office import Office


async def test_the_bot_comes_to_a_direct_room_and_says_what_it_can_do(office: Office) -> None:
    """An employee's invitation is accepted at once, and the commands are named."""
    room_id = await office.direct("ann")
    assert BOT in office.homeserver.rooms[room_id].members()
    [welcome] = office.said(room_id)
    assert "whoami" in welcome
    assert "Nordwind" in welcome


@pytest.mark.parametrize("stranger", ["@guest:elsewhere.example", "@admin:example.org"])
async def test_strangers_are_declined_with_a_word(office: Office, stranger: str) -> None:
    """Who is not in the directory does not talk with the bot, whatever server they are of."""
    room_id = office.homeserver.make_room(UserId(stranger))
    office.homeserver.act(room_id, UserId(stranger), "invite", BOT)
    await office.hear()
    await office.speak()
    assert BOT not in office.homeserver.rooms[room_id].members()
    assert ("leave", room_id, BOT) in office.homeserver.requests
    assert office.said(room_id) == []


async def test_the_bot_does_not_come_to_rooms_of_more(office: Office) -> None:
    """What one person asks is for that person alone."""
    room_id = office.homeserver.make_room(user("ann"))
    office.homeserver.act(room_id, user("bob"), "join", user("bob"))
    office.homeserver.act(room_id, user("ann"), "invite", BOT)
    await office.hear()
    await office.speak()
    assert BOT not in office.homeserver.rooms[room_id].members()


async def test_the_bot_stays_in_rooms_that_it_adopts(office: Office) -> None:
    """There it is invited in somebody's name, and by its own will."""
    room_id = office.homeserver.make_room(user("ann"))
    office.homeserver.act(room_id, user("bob"), "join", user("bob"))
    await begin_adopting(office.pool, room_id, office.company.clock())
    office.homeserver.act(room_id, user("ann"), "invite", BOT)
    await office.hear()
    await office.speak()
    assert ("leave", room_id, BOT) not in office.homeserver.requests


async def test_the_bot_is_silent_when_somebody_else_comes(office: Office) -> None:
    """A third person makes it a room in which nothing may be said of the first."""
    room_id = await office.direct("ann")
    office.homeserver.act(room_id, user("ann"), "invite", user("bob"))
    assert await office.ask("ann", "whoami", room_id) == ""
    office.homeserver.act(room_id, user("bob"), "leave", user("bob"))
    assert "ann" in await office.ask("ann", "whoami", room_id)


async def test_leavers_get_no_answer(office: Office) -> None:
    """Not from the moment on at which HR says so."""
    room_id = await office.direct("bob")
    await office.company.say("bob", active=False)
    assert await office.ask("bob", "whoami", room_id) == ""


async def test_whoami_tells_what_hr_says(office: Office) -> None:
    """With account, department, title and manager, and whom to tell when it is wrong; no ids."""
    answer = await office.ask("bob", "Who am I?")
    assert answer.startswith("Bob Möller – @bob:example.org\nHR says of you:")
    for line in ("department: Sales", "manager: Ann", "emails: bob@example.org"):
        assert f"• {line}\n" in answer
    assert "please tell HR" in answer
    assert office.company.ids["ann"] not in answer


async def test_why_tells_the_rule_and_ones_own_attributes(office: Office) -> None:
    """For the rooms that one is in."""
    answer = await office.ask("cid", "why am I in Fleet?")
    assert answer.startswith("You are in Fleet, because its rule rooms.fleet names you:\n• your department is Fleet")
    assert "You are its moderator, because your title is Captain." in answer
    assert "• you work here" in await office.ask("ann", "why The Lounge")


async def test_why_tells_of_other_rooms_only_the_rule(office: Office) -> None:
    """Of a room that a space of one's own lists; not what the rule asks, which may name others."""
    assert await office.ask("ann", "why fleet") == "You are not in Fleet: its rule rooms.fleet does not name you."


@pytest.mark.parametrize("name", ["board", "Board", "loose", "department/Board", "administrators"])
async def test_rooms_that_one_may_not_know_of_are_answered_like_those_that_there_are_not(
    office: Office, name: str
) -> None:
    """Word for word, by whatever name one tries."""
    room_id = await office.direct("ann")
    hidden = await office.ask("ann", f"why {name}", room_id)
    assert hidden == (await office.ask("ann", "why xyzzy", room_id)).replace("xyzzy", name)
    assert "I know of no room" in hidden
    shown = await office.ask("ann", "rooms", room_id)
    assert "Board" not in shown
    assert "Loose" not in shown


async def test_rooms_lists_what_one_is_in_and_may_know_of(office: Office) -> None:
    """And nothing else."""
    answer = await office.ask("ann", "rooms")
    inside, _, listed = answer.partition("You may ask for")
    assert {"• The Lounge", "• Sales", "• company"} <= set(inside.splitlines())
    assert "• Fleet" in listed


async def test_who_finds_colleagues(office: Office) -> None:
    """By words in any spelling, with what everybody may know of them."""
    answer = await office.ask("ann", "who moller")
    assert answer == (
        "Found 1 person:\n• Bob Möller (@bob:example.org) – Sales · bob@example.org · manager: Ann · local time "
        f"{office.company.clock():%H:%M}"
    )
    tokyo = office.company.clock() + timedelta(hours=9)
    assert f"local time {tokyo:%H:%M}" in await office.ask("bob", "who head")


async def test_who_never_shows_leavers(office: Office) -> None:
    """Neither themselves nor as somebody's manager; and who changes is found by the new words at once."""
    room_id = await office.direct("eve")
    assert "Ann" in await office.ask("eve", "who ann", room_id)
    await office.company.say("ann", active=False)
    assert (await office.ask("eve", "who ann", room_id)).startswith("Nobody who works here")
    await office.company.say("bob", displayName="Robert Meier")
    answer = await office.ask("eve", "who meier", room_id)
    assert "Robert Meier" in answer
    assert "Ann" not in answer
    assert (await office.ask("eve", "who moller", room_id)).startswith("Nobody who works here")


async def test_who_never_shows_those_who_are_barred_or_yet_to_come(office: Office) -> None:
    """Garden leave and a first day that has not come."""
    later = (office.company.clock() + timedelta(days=2)).date().isoformat()
    await office.company.say("new", displayName="New Face", **{MUSTER: {"start": later}})
    await office.company.say("bar", displayName="Barred Face", title="Head of Face")
    await office.company.reconcile()
    room_id = await office.direct("eve")
    assert (await office.ask("eve", "who face", room_id)).startswith("Found 1 person:\n• Barred Face")
    await office.pool.execute("UPDATE scim_resource SET standing = 'barred' WHERE id = $1", office.company.ids["bar"])
    assert (await office.ask("eve", "who face", room_id)).startswith("Nobody who works here")
    await office.pass_time(timedelta(days=3))
    await office.company.reconcile()
    assert "New Face" in await office.ask("eve", "who face", room_id)


async def test_an_event_that_comes_again_is_answered_once(office: Office) -> None:
    """Before and after the answer was sent, also when the process was killed between sending and writing it down."""
    room_id = await office.direct("ann")
    office.homeserver.say(room_id, user("ann"), "m.room.message", {"msgtype": "m.text", "body": "whoami"})
    events = await office.hear()
    office.homeserver.after = lambda _, name: KilledError() if name == "send" else None
    with pytest.raises(KilledError):
        await office.speaker.act()
    office.homeserver.after = lambda _, name: None
    office.homeserver.restart()
    office.restart()
    await office.conversation.handle(events)
    await office.speak()
    await office.conversation.handle(events)
    await office.speak()
    assert len(office.said(room_id)) == 2
    assert await office.pool.fetchval("SELECT count(*) FROM bot_act WHERE content IS NOT NULL") == 0


async def test_answers_wait_while_the_homeserver_is_away(office: Office) -> None:
    """They are given when it is back; what it refuses for good is not tried again."""
    room_id = await office.direct("ann")
    office.homeserver.before = lambda _, name: HomeserverUnavailableError("away") if name == "send" else None
    assert await office.ask("ann", "whoami", room_id) == ""
    office.homeserver.before = lambda _, name: None
    await office.speak()
    assert len(office.said(room_id)) == 2
    office.homeserver.before = lambda _, name: HomeserverError("no", status=403) if name == "send" else None
    assert await office.ask("ann", "whoami", room_id) == ""
    office.homeserver.before = lambda _, name: None
    await office.speak()
    assert len(office.said(room_id)) == 2
    assert await office.pool.fetchval("SELECT error FROM bot_act WHERE state = 'failed'") == "no"


async def test_who_asks_too_fast_is_asked_to_wait(office: Office) -> None:
    """Once, and then there is silence until a minute has passed; others are not concerned."""
    room_id = await office.direct("ann")
    await office.pass_time(timedelta(minutes=2))
    for _ in range(MOST_ANSWERS):
        assert "You can say" in await office.ask("ann", "help", room_id)
    assert "wait a minute" in await office.ask("ann", "help", room_id)
    assert await office.ask("ann", "help", room_id) == ""
    assert "You can say" in await office.ask("bob", "help")
    await office.pass_time(timedelta(minutes=2))
    assert "You can say" in await office.ask("ann", "help", room_id)


async def test_old_messages_and_those_of_other_kinds_are_passed_over(office: Office) -> None:
    """What came a day late, edits, notices and pictures get no answer; what is encrypted cannot be read."""
    room_id = await office.direct("ann")
    text = {"msgtype": "m.text", "body": "help"}
    office.homeserver.say(room_id, user("ann"), "m.room.message", {**text, "m.relates_to": {"rel_type": "m.replace"}})
    office.homeserver.say(room_id, user("ann"), "m.room.message", {**text, "msgtype": "m.notice"})
    office.homeserver.say(room_id, user("ann"), "m.room.message", {})
    await office.hear()
    await office.speak()
    office.homeserver.say(room_id, user("ann"), "m.room.message", text)
    office.company.now = office.company.clock() + timedelta(days=2)
    await office.hear()
    await office.speak()
    assert len(office.said(room_id)) == 1
    office.homeserver._time += 2 * 86_400_000
    office.homeserver.say(room_id, user("ann"), "m.room.encrypted", {"ciphertext": "x"})
    await office.hear()
    await office.speak()
    assert "encrypted" in office.said(room_id)[-1]


async def test_unclear_words_get_help(office: Office) -> None:
    """With the nearest command."""
    assert "Did you mean “rooms”?" in await office.ask("ann", "!romos")
