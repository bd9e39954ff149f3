"""A small company in the database, and a homeserver that remembers what is sent to it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.announcements.calendar import Calendar
from bridge.announcements.desk import DeskConsumer
from bridge.announcements.heard import HeardConsumer
from bridge.announcements.postman import Postman, Progress
from bridge.directory.selector import parse
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from bridge.policy.schema import Accounts, Brake, Desk, Policy
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BOT = UserId("@muster:company.example")
ANNA = UserId("@anna:company.example")
BO = UserId("@bo:company.example")
CY = UserId("@cy:company.example")
DESK = RoomId("!desk")
NEWS = RoomId("!news")
NIGHT = RoomId("!night")

_numbers = itertools.count(1)


def policy() -> Policy:
    """A policy with one desk, which announces in the rooms of two rules."""
    desk = Desk(
        id="desk",
        name="Desk",
        posters=parse('title sw "Chief"'),
        rooms=("news", "drivers"),
        people=parse("active eq true"),
        undo=timedelta(),
        lasts=None,
    )
    return Policy(
        company="Nordwind Logistics",
        accounts=Accounts(),
        spaces={},
        rooms={},
        desks={"desk": desk},
        brake=Brake(),
        tests=(),
        digest="0",
    )


async def found(pool: Pool) -> None:
    """Put the rooms and their members into the database: Anna's desk, everybody's news, and two night drivers."""
    rooms = [
        ("desk", DESK, "desk", "desk"),
        ("news", NEWS, "news", "announcement"),
        ("drivers/night", NIGHT, "drivers", "announcement"),
        ("drivers/day", None, "drivers", "announcement"),
    ]
    await pool.executemany(
        "INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias) VALUES ($1, $2, $3, $4, $1, '', $1)",
        rooms,
    )
    members = [(DESK, BOT), (DESK, ANNA), (NEWS, BOT), (NEWS, ANNA), (NEWS, BO), (NEWS, CY), (NIGHT, BOT)]
    members += [(NIGHT, BO), (NIGHT, CY)]
    for room_id, user_id in members:
        await put_member(pool, room_id, user_id, "join")
    await put_member(pool, NEWS, UserId("@gone:company.example"), "leave")
    await pool.execute(
        "INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ('1', $1, 'Anna Tamm · CEO', true)",
        ANNA,
    )


async def put_member(pool: Pool, room_id: RoomId, user_id: UserId, membership: str) -> None:
    """Put somebody into a room, or out of it."""
    await pool.execute(
        "INSERT INTO room_member VALUES ($1, $2, $3, NULL, $4)"
        " ON CONFLICT (room_id, user_id) DO UPDATE SET membership = excluded.membership",
        room_id,
        user_id,
        membership,
        NOW,
    )


def event(room_id: RoomId, sender: UserId, content: Mapping[str, Any], kind: str = "m.room.message") -> Event:
    """An event of now, with an ID of its own."""
    raw = {"event_id": f"$event{next(_numbers)}", "room_id": room_id, "sender": sender, "type": kind}
    return Event.of({**raw, "content": content, "origin_server_ts": int(NOW.timestamp() * 1000)})


def text(words: object, sender: UserId = ANNA, room_id: RoomId = DESK, **more: Any) -> Event:
    """A message, by Anna in the desk."""
    return event(room_id, sender, {"msgtype": "m.text", "body": words, **more})


def reaction(sender: UserId, room_id: RoomId, target: str, key: str = "✅") -> Event:
    """A reaction."""
    relation = {"rel_type": "m.annotation", "event_id": target, "key": key}
    return event(room_id, sender, {"m.relates_to": relation}, "m.reaction")


def redaction(sender: UserId, target: Event) -> Event:
    """The taking back of an event by somebody."""
    return event(target.room_id, sender, {"redacts": target.event_id}, "m.room.redaction")


class FakeHomeserver:
    """Rooms with events in them, and transaction IDs as Synapse has them: until it restarts."""

    def __init__(self) -> None:
        self.bot = BOT
        self.rooms: dict[RoomId, list[dict[str, Any]]] = defaultdict(list)
        self.away = False
        self.refusals: dict[RoomId, HomeserverError] = {}
        self.before_answer: Callable[[RoomId], Awaitable[None]] = answer_at_once
        """Called when an event is in the room and the answer is not yet on its way."""
        self.server_name = "company.example"
        self.redacted: list[str] = []
        self.pinned: dict[RoomId, list[str]] = defaultdict(list)
        self.aliases: dict[str, RoomId] = {}
        self.joined: dict[RoomId, set[UserId]] = defaultdict(set)
        self.kept: list[tuple[bytes, str]] = []
        """Files, with their media types."""
        self._transactions: dict[tuple[RoomId, str], EventId] = {}

    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId:
        """Send an event; the same transaction ID is the same event."""
        if self.away:
            raise HomeserverUnavailableError("The homeserver does not answer.")
        if room_id in self.refusals:
            raise self.refusals[room_id]
        known = self._transactions.get((room_id, transaction_id))
        if known is not None:
            return known
        event_id = EventId(f"$sent{next(_numbers)}")
        self.rooms[room_id].append(
            {"event_id": event_id, "room_id": room_id, "sender": as_user or BOT, "type": event_type, "content": content}
        )
        self._transactions[room_id, transaction_id] = event_id
        await self.before_answer(room_id)
        return event_id

    async def upload(self, content: bytes, kind: str) -> str:
        """Keep a file, and return its address."""
        if self.away:
            raise HomeserverUnavailableError("The homeserver does not answer.")
        self.kept.append((content, kind))
        return f"mxc://company.example/{len(self.kept)}"

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return the events of a room, newest first."""
        if self.away:
            raise HomeserverUnavailableError("The homeserver does not answer.")
        return self.rooms[room_id][::-1], None

    async def redact(self, room_id: RoomId, event_id: EventId, *, transaction_id: str) -> EventId:
        """Take an event back."""
        if room_id in self.refusals:
            raise self.refusals[room_id]
        self.redacted.append(event_id)
        return EventId(f"$redaction{next(_numbers)}")

    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None:
        """Return what is pinned, or what every room of the bot's own has."""
        if event_type != "m.room.pinned_events":
            return {"membership": "join"}
        return {"pinned": list(self.pinned[room_id])} if room_id in self.pinned else None

    async def send_state(
        self,
        room_id: RoomId,
        event_type: str,
        state_key: str,
        content: Mapping[str, Any],
        *,
        as_user: UserId | None = None,
    ) -> EventId:
        """Pin."""
        self.pinned[room_id] = content["pinned"]
        return EventId(f"$state{next(_numbers)}")

    async def create_room(self, content: Mapping[str, Any]) -> RoomId:
        """Make a room, unless its alias is taken."""
        if self.away:
            raise HomeserverUnavailableError("The homeserver does not answer.")
        alias = f"#{content['room_alias_name']}:{self.server_name}"
        if alias in self.aliases:
            raise HomeserverError("Room alias already taken", status=400, errcode="M_ROOM_IN_USE")
        self.aliases[alias] = RoomId(f"!made{next(_numbers)}")
        await self.before_answer(self.aliases[alias])
        return self.aliases[alias]

    async def delete_alias(self, alias: str) -> None:
        """Free an alias."""
        del self.aliases[alias]

    async def resolve_alias(self, alias: str) -> RoomId | None:
        """Return the room of an alias."""
        return self.aliases.get(alias)

    async def invite(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None:
        """Invite, unless the person is in the room."""
        if user_id in self.joined[room_id]:
            raise HomeserverError("is already in the room", status=403, errcode="M_FORBIDDEN")

    async def join(self, room_id: RoomId, *, as_user: UserId) -> None:
        """Join."""
        self.joined[room_id].add(as_user)
        await self.before_answer(room_id)

    def restart(self) -> None:
        """Forget the transaction IDs."""
        self._transactions.clear()

    def bodies(self, room_id: RoomId) -> list[str]:
        """Return what stands in a room."""
        return [event["content"]["body"] for event in self.rooms[room_id]]

    def announced(self, room_id: RoomId) -> str:
        """Return the ID of the newest event in a room."""
        return str(self.rooms[room_id][-1]["event_id"])


async def answer_at_once(room_id: RoomId) -> None:
    """Let the answer go."""


class Muster:
    """The announcements' part of one process."""

    def __init__(self, pool: Pool, homeserver: FakeHomeserver) -> None:
        self.pool = pool
        self.now = NOW
        self.policy = policy()
        self.confirms = True
        """Whether who writes in the desk confirms the draft at once, by ✅ on the message."""
        self.consumer = DeskConsumer(pool, bot=BOT, policy=lambda: self.policy, clock=lambda: self.now)
        self.calendar = Calendar(pool, bot=BOT, policy=lambda: self.policy, clock=lambda: self.now)
        self.heard = HeardConsumer(pool, bot=BOT, clock=lambda: self.now)
        self.postman = Postman(pool, homeserver, clock=lambda: self.now)

    async def hear(self, *events: Event) -> None:
        """Let the feed hand over a batch."""
        await self.consumer.handle(events)
        await self.heard.handle(events)
        if self.confirms:
            said = [each for each in events if each.room_id == DESK and each.type == "m.room.message"]
            await self.consumer.handle([reaction(each.sender, DESK, each.event_id) for each in said])

    async def deliver(self) -> Progress:
        """Carry out what is due."""
        return await self.postman.deliver()

    async def is_dead(self) -> None:
        """Return once PostgreSQL has noticed that a process died whose locks it holds."""

        async def freed() -> bool:
            held = await self.pool.fetchval(
                """SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
                   WHERE locktype = 'advisory' AND datname = current_database()"""
            )
            return bool(held == 0)

        await wait_until(freed)

    async def wait(self, **time: float) -> Progress:
        """Let time pass, and carry out what is due then."""
        self.now += timedelta(**time)
        await self.calendar.turn()
        return await self.deliver()
