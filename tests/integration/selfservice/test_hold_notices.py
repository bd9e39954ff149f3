"""Custodians are told of legal holds and acknowledge them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bridge.archive.entry import Actor
from bridge.archive.hold import Hold
from bridge.archive.hold_store import read_custodians
from bridge.archive.holds import place, release
from bridge.archive.log import entries
from bridge.archive.scope import Scope
from bridge.directory.notice_store import read_untold
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from bridge.selfservice.hold_notices import HoldNotices
from tests.integration.membership.conftest import user
from tests.integration.membership.homeserver import BOT
from tests.integration.selfservice.office import Office

if TYPE_CHECKING:
    from bridge.database import Pool

ACTOR = Actor("eve", "root")
BOB = user("bob")


class Notified:
    """The office, with who tells of holds."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.notices = HoldNotices(office.pool, bot=BOT, clock=office.company.clock)

    async def place(self, *people: UserId, silent: bool = False, rooms: frozenset[RoomId] = frozenset()) -> Hold:
        """Place a hold now."""
        hold = Hold(
            "H-1",
            "the leak",
            Scope(people=frozenset(people), rooms=rooms),
            "eve",
            self.office.company.clock(),
            EventId(""),
            silent=silent,
        )
        return await place(self.office.pool, hold, ACTOR)

    async def pass_time(self, **time: float) -> None:
        """Let time pass and do everything that is due."""
        await self.office.pass_time(timedelta(**time))
        await self.notices.tell_due()
        while (await self.office.speaker.act()).settled:
            pass
        await self.hear()

    async def hear(self) -> list[Event]:
        """Hand the homeserver's new events to everybody."""
        events = await self.office.hear()
        await self.notices.handle(events)
        return events

    def told(self) -> list[Event]:
        """Return what the bot has said of holds."""
        rooms = self.office.homeserver.rooms.values()
        said = [event for room in rooms for event in room.said if event.sender == BOT]
        return [event for event in said if "legal hold" in str(event.content["body"]).lower()]

    def whose(self, event: Event) -> UserId:
        """Return in whose direct room something was said."""
        (one,) = self.office.homeserver.rooms[event.room_id].members() - {BOT}
        return UserId(one)

    async def react(self, event: Event, by: UserId, key: str = "✅") -> None:
        """React to a message."""
        relation = {"rel_type": "m.annotation", "event_id": event.event_id, "key": key}
        self.office.homeserver.say(event.room_id, by, "m.reaction", {"m.relates_to": relation})
        await self.hear()

    async def acknowledged(self) -> list[UserId]:
        """Return who has."""
        return [one.user_id for one in await read_custodians(self.office.pool, "H-1") if one.acknowledged_at]


@pytest.fixture
def notified(office: Office) -> Notified:
    """The office with holds."""
    return Notified(office)


async def test_custodians_are_told_and_acknowledge_by_a_reaction(notified: Notified, pool: Pool) -> None:
    """The bot tells each in their direct room, once; their own ✅ is the acknowledgement, and an entry."""
    await notified.place(BOB, user("ann"))
    await notified.pass_time(minutes=1)
    await notified.pass_time(minutes=1)
    _, told = sorted(notified.told(), key=lambda event: notified.whose(event) == BOB)
    assert str(told.content["body"]).startswith("Legal hold H-1: the leak\nKeep everything")
    await notified.react(told, user("ann"))
    await notified.react(told, BOB, "👀")
    assert await notified.acknowledged() == []
    await notified.react(told, BOB)
    await notified.react(told, BOB)
    assert await notified.acknowledged() == [BOB]
    found = [one.entry for one in await entries(pool, deed="acknowledge")]
    assert [(entry.actor.name, entry.details) for entry in found] == [(BOB, {"hold": "H-1"})]
    await notified.pass_time(days=60)
    assert [notified.whose(event) for event in notified.told()].count(BOB) == 1


async def test_who_says_ack_acknowledges(notified: Notified) -> None:
    """A word to the bot does as well, and the answer names the hold; without one there is nothing."""
    assert await notified.office.ask("bob", "ack") == "There is nothing that you have to acknowledge."
    await notified.place(BOB)
    await notified.pass_time(minutes=1)
    assert await notified.office.ask("bob", "Ack!") == "Thank you. It is noted that you have read legal hold H-1."
    assert await notified.acknowledged() == [BOB]


async def test_who_does_not_acknowledge_is_reminded_and_then_the_administrators_are(
    notified: Notified, pool: Pool
) -> None:
    """Reminders come after the hold's time, three of them; afterwards the administrators are told once."""
    await notified.place(BOB)
    for _ in range(7):
        await notified.pass_time(days=7, minutes=1)
    told = notified.told()
    assert len(told) == 4
    assert all(str(event.content["body"]).startswith("Reminder: ") for event in told[1:])
    (notice,) = [one for one, _ in await read_untold(pool) if one.topic.startswith("hold:")]
    assert "has not acknowledged" in notice.body
    await notified.react(told[0], BOB)
    assert await notified.acknowledged() == [BOB]


async def test_nobody_is_told_of_a_silent_hold(notified: Notified) -> None:
    """A silent hold stays so, also when it is released."""
    await notified.place(BOB, silent=True)
    await notified.pass_time(days=30)
    await release(notified.office.pool, "H-1", ACTOR, notified.office.company.clock())
    await notified.pass_time(days=1)
    assert notified.told() == []


async def test_who_was_told_is_told_when_it_is_over(notified: Notified) -> None:
    """Once released, a hold is over for those who were told of it, and nobody is reminded any more."""
    await notified.place(BOB)
    await notified.pass_time(minutes=1)
    await release(notified.office.pool, "H-1", ACTOR, notified.office.company.clock())
    await notified.pass_time(days=30)
    assert [str(event.content["body"])[:28] for event in notified.told()][1:] == ["Legal hold H-1 is over: you "]


async def test_custodian_without_an_account_is_left_to_the_administrators(notified: Notified, pool: Pool) -> None:
    """Whom the bot cannot tell, somebody else must."""
    await notified.place(UserId("@gone:example.org"))
    await notified.pass_time(minutes=1)
    (notice,) = [one for one, _ in await read_untold(pool) if one.topic.startswith("hold:")]
    assert "no account in use" in notice.body


async def test_deleted_room_under_a_hold_is_told(notified: Notified, pool: Pool) -> None:
    """When nobody is in a held room any more, the administrators hear of it; in others nobody does."""
    homeserver = notified.office.homeserver
    held, other = homeserver.make_room(BOB), homeserver.make_room(user("ann"))
    await notified.hear()
    await notified.place(rooms=frozenset({held}))
    for room_id, who in ((held, BOB), (other, user("ann"))):
        homeserver.act(room_id, who, "leave", who)
    await notified.hear()
    topics = [one.topic for one, _ in await read_untold(pool) if one.topic.startswith("hold:")]
    assert topics == [f"hold:H-1:{held}"]
