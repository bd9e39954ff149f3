"""From events to acts: who invites the bot or says something to it in a direct room gets one answer.

`Conversation` reads the event feed and only writes to the database; `speaker` does what is written. An event is decided
once: it may come again, also after a crash. A direct room is one with two people in it, the bot and an employee; it is
sealed before the bot comes, so that nobody finds without a case what is said there. What is said in
confidence is for whoever is given as `confidant`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from bridge.archive.gate_store import seal_room
from bridge.archive.state_store import read_memberships
from bridge.clock import Clock, system_clock
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person, works_here
from bridge.directory.store import load_people
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from bridge.membership.presence import presences
from bridge.membership.survey import Bot, JoinedRooms
from bridge.membership.unmanaged_store import is_adopted
from bridge.policy.schema import Policy
from bridge.selfservice import replies, store
from bridge.selfservice.answers import Answers, Asker
from bridge.selfservice.command import Command, Unclear, Word, parse
from bridge.selfservice.hold_notices import HoldNotices
from bridge.selfservice.replies import Text
from bridge.selfservice.request import verdict_of
from bridge.selfservice.request_store import find_asks
from bridge.selfservice.requests import Requests
from bridge.selfservice.store import Act, Kind

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

FILES = frozenset({"m.image", "m.file", "m.video", "m.audio"})
"""Message types that nobody but the confidant has a use for."""
LATEST = timedelta(hours=24)
"""What reaches us later than this is not waited for any more."""
MOST_ANSWERS = 20
"""So many answers somebody gets within `WINDOW`; one more says so, and then there is silence."""
WINDOW = timedelta(minutes=1)
_NOT_EMPLOYED = "I only talk with people who work here."
_NOT_DIRECT = "I only come to direct rooms: start a chat with me alone."


class Confidant(Protocol):
    """Who takes what is said in confidence."""

    async def take(self, db: Connection, event: Event, asker: Asker) -> Text | None:
        """Take what is for it, in the caller's database transaction, and return what to say; None for all else."""
        ...


class Quiet(Protocol):
    """Who answers what somebody asks of the own quiet hours."""

    async def answer(self, person: Person, user_id: UserId, words: str, policy: Policy, now: datetime) -> list[str]:
        """Keep what somebody chose, and return what holds, a line each; again it is the same choice."""
        ...


class Conversation:
    """The consumer `selfservice` of the event feed."""

    name = "selfservice"

    def __init__(
        self,
        pool: Pool,
        homeserver: Bot,
        accounts: JoinedRooms,
        policy: Callable[[], Policy],
        quiet: Quiet,
        *,
        clock: Clock = system_clock,
        timezone: str = "UTC",
        confidant: Confidant | None = None,
    ) -> None:
        """Take the policy as a function, because a new one may be loaded at any time."""
        self._pool = pool
        self._bot = homeserver.bot
        self._policy = policy
        self._quiet = quiet
        self._clock = clock
        self._timezone = timezone
        self._answers = Answers(pool, homeserver, accounts, timezone)
        self._holds = HoldNotices(pool, bot=homeserver.bot, clock=clock)
        self._confidant = confidant
        self.requests = Requests(pool, policy, clock=clock, timezone=timezone)

    async def handle(self, events: Sequence[Event]) -> None:
        """Decide each event, in order; events that were decided before change nothing."""
        oldest = (self._clock() - LATEST).timestamp() * 1000
        await self._take_answers(events)
        heard = [event for event in events if event.timestamp >= oldest and event.sender != self._bot]
        said = [event for event in heard if _is_said(event)]
        rooms = await store.rooms_with_bot(self._pool, self._bot, {event.room_id for event in said}) if said else ()
        for event in heard:
            if event.type == "m.room.member" and event.state_key == self._bot:
                if event.content.get("membership") == "invite":
                    await self._decide_invitation(event)
            elif event.room_id in rooms and _is_said(event):
                await self._decide(event)

    async def _take_answers(self, events: Sequence[Event]) -> None:
        """Take the reactions to what owners were asked, however late they come."""
        for event in events:
            if event.sender == self._bot and event.type == "m.room.message":
                await self.requests.confirm(event)
        reactions = [(event, *reaction) for event in events if (reaction := _reaction(event)) is not None]
        asks = await find_asks(self._pool, [target for _, target, _ in reactions]) if reactions else {}
        for event, target, yes in reactions:
            if target in asks and event.sender != self._bot:
                await self.requests.answer(event, asks[target], yes=yes)

    async def _decide_invitation(self, event: Event) -> None:
        key = f"invite:{event.event_id}"
        if await store.is_decided(self._pool, key) or await is_adopted(self._pool, event.room_id):
            return
        now = self._clock()
        act = Act(key, Kind.JOIN, event.room_id, event.sender, {})
        if await self._employee(event.sender, now) is None:
            act = Act(key, Kind.DECLINE, event.room_id, event.sender, {"reason": _NOT_EMPLOYED})
        elif not await self._is_direct(event.room_id, event.sender):
            act = Act(key, Kind.DECLINE, event.room_id, event.sender, {"reason": _NOT_DIRECT})
        async with self._pool.acquire() as db, db.transaction():
            await store.add_act(db, act, now)
            if act.kind is Kind.JOIN:
                await seal_room(db, event.room_id)
                await store.add_act(db, _say(event, replies.welcome(self._policy().company)), now)
        log.info("an invitation: %s", act.kind, extra={"action": "selfservice.invitation"})

    async def _decide(self, event: Event) -> None:
        now = self._clock()
        if await store.is_decided(self._pool, _key(event)):
            return
        person = await self._employee(event.sender, now)
        if person is None or not await self._is_direct(event.room_id, event.sender):
            return
        asked = await store.count_answers(self._pool, event.sender, now - WINDOW)
        if asked > MOST_ANSWERS:
            return
        asker = Asker(person, event.sender, now, self._policy())
        command = _command(event)
        if asked < MOST_ANSWERS and await self._confide(event, asker):
            return
        if _is_file(event):
            return
        if asked < MOST_ANSWERS and isinstance(command, Command) and command.word is Word.REQUEST:
            rooms = await self._answers.rooms(asker)
            async with self._pool.acquire() as db, db.transaction():
                reply = await self.requests.open(db, command.rest, asker, rooms)
                await store.add_act(db, _say(event, reply), now)
            return
        reply = replies.too_many() if asked == MOST_ANSWERS else await self._reply(event, command, asker)
        await store.add_act(self._pool, _say(event, reply), now)

    async def _confide(self, event: Event, asker: Asker) -> bool:
        """Give the confidant what is for it; return whether it was. The room is sealed, if it was not before."""
        async with self._pool.acquire() as db, db.transaction():
            await seal_room(db, event.room_id)
            reply = await self._confidant.take(db, event, asker) if self._confidant is not None else None
            if reply is not None:
                await store.add_act(db, _say(event, reply), asker.now)
            return reply is not None

    async def _reply(self, event: Event, command: Command | Unclear, asker: Asker) -> Text:
        if event.type == "m.room.encrypted":
            return replies.encrypted()
        if isinstance(command, Unclear):
            return replies.not_understood(command)
        if command.word is Word.ACK:
            return await self._holds.acknowledge_all(asker.user_id)
        if command.word is Word.QUIET:
            person, now = asker.person, asker.now
            return replies.lines(await self._quiet.answer(person, asker.user_id, command.rest, asker.policy, now))
        return await self._answers.to(command, asker)

    async def _employee(self, user_id: UserId, now: datetime) -> Person | None:
        """Return who this is, if somebody who works here today and has an account that is enabled."""
        person_id = await store.employee_of(self._pool, user_id)
        found = await load_people(self._pool, [person_id]) if person_id is not None else []
        days = LocalDays(now, self._timezone)
        return next((person for person in found if works_here(person, days(person))), None)

    async def _is_direct(self, room_id: RoomId, user_id: UserId) -> bool:
        """Tell whether a room is, by the archive, of this user and the bot alone."""
        events = await read_memberships(self._pool, self._clock(), room_id=room_id)
        there = {user for (_, user), found in presences(events).items() if found.membership in ("join", "invite")}
        return there == {user_id, self._bot}


def _is_said(event: Event) -> bool:
    """Tell whether somebody says or sends something new; edits, and what other bots say, are none of it."""
    if event.state_key is not None or not event.content:
        return False
    if event.type == "m.room.encrypted":
        return True
    relation = event.content.get("m.relates_to")
    edit = isinstance(relation, dict) and relation.get("rel_type") == "m.replace"
    said = event.content.get("msgtype") == "m.text" or _is_file(event)
    return event.type == "m.room.message" and said and not edit


def _is_file(event: Event) -> bool:
    return event.content.get("msgtype") in FILES


def _command(event: Event) -> Command | Unclear:
    body = event.content.get("body")
    return parse(body if isinstance(body, str) else "")


def _reaction(event: Event) -> tuple[EventId, bool] | None:
    """Return what a reaction is to and whether it says yes; None for everything else."""
    relation = event.content.get("m.relates_to") if event.type == "m.reaction" else None
    if not isinstance(relation, dict):
        return None
    target, sign = relation.get("event_id"), relation.get("key")
    yes = verdict_of(sign) if isinstance(sign, str) else None
    return (EventId(target), yes) if isinstance(target, str) and yes is not None else None


def _key(event: Event) -> str:
    return f"answer:{event.event_id}"


def _say(event: Event, reply: Text) -> Act:
    return Act(_key(event), Kind.SAY, event.room_id, event.sender, replies.content(reply, _key(event)))
