"""Employees talk to the bot with a real client on a real Synapse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tests.acceptance.client import MatrixClient
from tests.acceptance.company import POLICY, Company
from tests.waiting import wait_until

if TYPE_CHECKING:
    pass


_PROJECT = """
  harbour: {name: Harbour, members: department eq "Harbour", moderators: title co "Head"}
announcements:"""
Human = Callable[[str], Awaitable[MatrixClient]]


async def _direct(company: Company, person: MatrixClient) -> str:
    """Begin a chat with the bot, as clients do, and wait until it has come."""
    room_id = await person.create_room(preset="trusted_private_chat", is_direct=True, invite=[company.homeserver.bot])
    await _answers(company, person, room_id, 1)
    return room_id


async def _answers(company: Company, person: MatrixClient, room_id: str, count: int) -> list[dict[str, Any]]:
    """Wait for so many messages of the bot's; return them, the newest first."""
    found: list[dict[str, Any]] = []

    async def has_come() -> bool:
        events = await person.messages(room_id)
        found[:] = [
            event["content"]
            for event in events
            if event["type"] == "m.room.message" and event["sender"] == company.homeserver.bot
        ]
        return len(found) >= count

    await wait_until(has_come)
    return found


async def test_an_employee_helps_oneself_in_a_direct_room(company: Company, human: Human) -> None:
    """The bot comes, answers each question once, finds colleagues, hides other departments' rooms, and declines
    strangers; a service that was killed answers when it is back, and nobody twice."""
    await company.hire("mari")
    await company.hire("hedy", title="Head of Finance", department="Finance")
    await company.is_in("mari", {"square", "news", "department/Sales"})
    await company.is_in("hedy", {"square", "news", "department/Finance"})
    mari = await company.client("mari")
    room_id = await _direct(company, mari)

    await mari.send(room_id, "WhoAmI")
    [answer, _] = await _answers(company, mari, room_id, 2)
    assert "• department: Sales" in answer["body"]

    await mari.send(room_id, "who finance")
    [answer, *_] = await _answers(company, mari, room_id, 3)
    assert "Hedy" in answer["formatted_body"]
    assert "https://matrix.to/#/%40hedy" in answer["formatted_body"]

    await mari.send(room_id, "why Sales")
    [answer, *_] = await _answers(company, mari, room_id, 4)
    assert "your department is Sales" in answer["body"]

    await company.kill()
    await mari.send(room_id, "why Finance")
    await mari.send(room_id, "why Atlantis")
    await company.start()
    [unknown, hidden, *others] = await _answers(company, mari, room_id, 6)
    assert unknown["body"].replace("Atlantis", "Finance") == hidden["body"]
    assert len(others) == 4

    stranger = await human("selfservice.stranger")
    room_id = await stranger.create_room(is_direct=True, invite=[company.homeserver.bot])

    async def is_declined() -> bool:
        state = await stranger.state(room_id, "m.room.member", company.homeserver.bot)
        return bool(state["membership"] == "leave" and "people who work here" in state["reason"])

    await wait_until(is_declined)


async def test_a_room_is_asked_for_and_its_owner_lets_one_in(company: Company) -> None:
    """The owner is asked in a direct room that one has not to accept, and a reaction is the answer; nobody is asked or
    told twice when the service is killed in between."""
    company.policy.write_text(
        POLICY.replace("\nannouncements:", _PROJECT).replace("news, department]", "news, harbour, department]")
    )
    await company.hire("mari")
    await company.hire("hedy", title="Head of Harbour", department="Harbour")
    await company.is_in("hedy", {"square", "news", "harbour", "department/Harbour"})
    await company.has_level("hedy", "harbour", 50)
    await company.is_in("mari", {"square", "news", "department/Sales"})
    mari, hedy = await company.client("mari"), await company.client("hedy")
    before = await hedy.joined_rooms()
    room_id = await _direct(company, mari)

    await mari.send(room_id, "request Harbour because I ship there")
    [answer, _] = await _answers(company, mari, room_id, 2)
    assert "I have asked the owner" in answer["body"]

    async def has_been_asked() -> bool:
        return bool(await hedy.joined_rooms() - before)

    await wait_until(has_been_asked)
    [owners_room] = await hedy.joined_rooms() - before
    [question] = await _answers(company, hedy, owners_room, 1)
    assert "I ship there" in question["body"]
    assert question["msgtype"] == "m.text"
    asked = [event for event in await hedy.messages(owners_room) if event["content"] == question]

    await company.kill()
    await hedy.react(owners_room, asked[0]["event_id"])
    await company.start()

    await company.is_in("mari", {"square", "news", "harbour", "department/Sales"})
    [told, *_] = await _answers(company, mari, room_id, 3)
    assert told["body"].startswith("You are let into Harbour until ")
    await mari.send(room_id, "why Harbour")
    [why, *others] = await _answers(company, mari, room_id, 4)
    assert "I ship there" in why["body"]
    assert len(others) == 3
    assert len(await _answers(company, hedy, owners_room, 2)) == 2
