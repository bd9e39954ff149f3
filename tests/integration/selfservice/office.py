"""A company whose people talk to the bot: the directory and the tables are real, the homeserver is in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bridge.announcements.quiet_choices import QuietChoices
from bridge.archive.ingest import ingest
from bridge.clock import from_milliseconds
from bridge.directory.scim_shape import ENTERPRISE
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId
from bridge.selfservice.conversation import Conversation
from bridge.selfservice.speaker import Speaker
from tests.integration.membership.conftest import Company, user
from tests.integration.membership.homeserver import BOT, FakeHomeserver

if TYPE_CHECKING:
    from bridge.database import Pool

RULES: dict[str, Any] = {
    "spaces": {"company": {"members": "active eq true", "rooms": ["lounge", "fleet", "board", "department"]}},
    "rooms": {
        "lounge": {"name": "The Lounge"},
        "fleet": {"name": "Fleet", "members": 'department eq "Fleet"', "moderators": 'title eq "Captain"'},
        "board": {"name": "Board", "members": 'department eq "Board"', "exclusive": True},
        "loose": {"name": "Loose", "members": 'department eq "Board"'},
        "department": {"for_each": "department", "name": "{department}", "exclusive": True},
    },
    "approvers": ['title eq "Chief"'],
}
PEOPLE: dict[str, dict[str, Any]] = {
    "ann": {"department": "Sales", "title": "Head of Sales", "timezone": "Asia/Tokyo"},
    "bob": {"department": "Sales", "displayName": "Bob Möller", "emails": [{"value": "bob@example.org"}]},
    "cid": {"department": "Fleet", "title": "Captain"},
    "eve": {"department": "Board", "title": "Chief"},
}


class TalkingHomeserver(FakeHomeserver):
    """Which also shows the newest messages of a room, and forgets transaction IDs."""

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return what was said in a room, newest first."""
        self._begin("messages", room_id)
        return [raw(event) for event in reversed(self.rooms[room_id].said)], None

    def restart(self) -> None:
        """Forget the transaction IDs."""
        self._transactions.clear()

    def pass_time(self, time: timedelta) -> None:
        """Let the homeserver's clock go on."""
        self._time += int(time.total_seconds() * 1000)

    def say(self, room_id: RoomId, sender: UserId, kind: str, content: dict[str, Any]) -> Event:
        """Say something by hand."""
        event = self._event(room_id, sender, kind, None, content)
        self.rooms[room_id].said.append(event)
        return event


class Office:
    """The company, and what of Muster listens and speaks."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.company = Company(pool)
        self.homeserver = self.company.homeserver = TalkingHomeserver()
        self.company.upkeep = self.company.restarted()
        self.company.rule(RULES)
        self.restart()

    def restart(self) -> None:
        """Begin anew, with what the database knows."""
        clock = self.company.clock
        policy = lambda: self.company.policy  # noqa: E731 - as the service does it
        quiet = QuietChoices(self.pool, "UTC")
        self.conversation = Conversation(self.pool, self.homeserver, self.homeserver, policy, quiet, clock=clock)
        self.speaker = Speaker(self.pool, self.homeserver, clock=clock)

    async def hear(self) -> list[Event]:
        """Archive the homeserver's new events and hand them over; return them."""
        events = self.homeserver.deliver()
        await ingest(self.pool, [raw(event) for event in events])
        await self.company.consumer.handle(events)
        await self.conversation.handle(events)
        return events

    async def speak(self) -> None:
        """Let the bot do what waits, and hear what that makes."""
        while (await self.speaker.act()).settled:
            pass
        await self.hear()

    async def direct(self, name: str) -> RoomId:
        """Have somebody begin a chat with the bot."""
        room_id = self.homeserver.make_room(user(name))
        self.homeserver.act(room_id, user(name), "invite", BOT)
        await self.hear()
        await self.speak()
        return room_id

    async def ask(self, name: str, words: str, room_id: RoomId | None = None) -> str:
        """Return what the bot answers to somebody in a direct room."""
        room_id = room_id or await self.direct(name)
        before = len(self.said(room_id))
        self.homeserver.say(room_id, user(name), "m.room.message", {"msgtype": "m.text", "body": words})
        await self.hear()
        await self.speak()
        return "\n---\n".join(self.said(room_id)[before:])

    def said(self, room_id: RoomId) -> list[str]:
        """Return what the bot has said in a room."""
        return [str(event.content["body"]) for event in self.homeserver.rooms[room_id].said if event.sender == BOT]

    async def pass_time(self, time: timedelta) -> None:
        """Let the clock go on."""
        assert self.company.now is not None
        self.company.now += time
        self.homeserver.pass_time(time)


async def furnish(pool: Pool) -> Office:
    """Return the company with everybody hired and settled."""
    office = Office(pool)
    office.company.now = from_milliseconds(office.homeserver._time) + timedelta(hours=1)
    for name, said in PEOPLE.items():
        await office.company.say(name, **said)
    await office.company.say("bob", **{ENTERPRISE: {"manager": {"value": office.company.ids["ann"]}}})
    await office.company.reconcile()
    await office.hear()
    return office


def raw(event: Event) -> dict[str, Any]:
    """Return an event as the homeserver sends it."""
    state = {} if event.state_key is None else {"state_key": event.state_key}
    return {
        "event_id": event.event_id,
        "room_id": event.room_id,
        "type": event.type,
        "sender": event.sender,
        "content": dict(event.content),
        "origin_server_ts": event.timestamp,
        **state,
    }
