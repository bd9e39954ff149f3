"""Requests for rooms, from the first word to the exception: asks the owners, reminds them, takes their answer.

Everything is one database transaction each, with what the bot is to say about it; whoever is let in is put there by
`bridge.membership`, like everybody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person, works_here
from bridge.directory.store import load_people
from bridge.homeserver.event import Event
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership import barrier_store
from bridge.membership.desired import ADMINISTRATORS
from bridge.membership.exemption_store import put_exemption
from bridge.membership.values import MODERATOR
from bridge.patience import until
from bridge.policy.schema import Exemption, Policy, RoomKind
from bridge.selfservice import replies, request, request_store, store
from bridge.selfservice.answers import Asker
from bridge.selfservice.known_rooms import KnownRoom, Standing, split_request
from bridge.selfservice.phone_book import job_of, name_of
from bridge.selfservice.replies import Text
from bridge.selfservice.request import Asked, Request, Turn
from bridge.selfservice.request_store import Ask
from bridge.selfservice.store import Act, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

_PREFIX = "ask:"
_LONGEST_PAUSE = 600.0


@dataclass(frozen=True, slots=True)
class _Case:
    """A request that waits, who it is from, and what the room is called."""

    waiting: Request
    person: Person
    room_name: str


class Requests:
    """The desk at which rooms are asked for; `timezone` is that of people without one of their own."""

    def __init__(
        self, pool: Pool, policy: Callable[[], Policy], *, clock: Clock = system_clock, timezone: str = "UTC"
    ) -> None:
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self._timezone = timezone

    async def run(self, wake: asyncio.Event) -> None:
        """Do what is due with requests whenever it is, until cancelled."""

        async def turn() -> float:
            await self.go_on()
            return until(await request_store.next_due(self._pool), self._clock(), _LONGEST_PAUSE)

        await take_turns(turn, wake, what="settling requests", action="selfservice.requests", breath=1.0)

    async def go_on(self) -> None:
        """Do what is due with the requests that have waited long enough: remind, ask the next, or end them."""
        now = self._clock()
        for number in await request_store.due_requests(self._pool, now):
            async with self._pool.acquire() as db, db.transaction():
                waiting = await request_store.lock_request(db, number)
                if waiting is not None:
                    await self._go_on_with(db, waiting, now)

    async def _go_on_with(self, db: Connection, waiting: Request, now: datetime) -> None:
        person = await self._worker(db, waiting.person, now)
        place = await request_store.room_of(db, waiting.room)
        if person is None or place is None:
            await request_store.settle_request(db, waiting.id, "lapsed", None, now)
        elif await self._is_closed(db, waiting, place):
            await self._end(db, waiting, request.closed(place[1]), None, now)
        else:
            await self._take_step(db, _Case(waiting, person, place[1]), now)

    async def _take_step(self, db: Connection, case: _Case, now: datetime) -> bool:
        """Do what is due with a request; return False when nobody was ever there to be asked."""
        waiting, terms = case.waiting, self._policy().requests
        turn = await self._next_turn(db, waiting, now)
        last = await request_store.last_asked(db, waiting.id)
        step = request.step_due(waiting, last, terms, now, has_next=turn is not None)
        if step is request.Step.EXPIRE:
            await self._end(db, waiting, request.expired(case.room_name), None, now)
        elif step is request.Step.ASK and turn is not None:
            await self._ask(db, case, turn, now)
        elif step is request.Step.REMIND and last is not None:
            await self._remind(db, case, last, now)
        last = await request_store.last_asked(db, waiting.id)
        if last is None:
            return False
        if step is not request.Step.EXPIRE:
            has_next = await self._next_turn(db, waiting, now) is not None
            await request_store.put_turn(db, waiting.id, request.next_step_at(waiting, last, terms, has_next=has_next))
        return True

    async def open(self, db: Connection, text: str, asker: Asker, rooms: Sequence[KnownRoom]) -> Text:
        """Take a request for one of the rooms that somebody may know of, and return what to say."""
        found, reason = split_request(text, rooms)
        if not found:
            return replies.unknown_room(text)
        if len(found) > 1:
            return replies.several_rooms(found)
        (room,) = found
        if room.standing is not Standing.LISTED:
            return request.not_needed(room)
        if room.kind is RoomKind.SPACE:
            return request.not_a_room(room)
        waiting = await request_store.open_requests(db, asker.person.id)
        for each in waiting:
            if each.room == room.key:
                return request.asked_before(room, each.asked_at)
        if len(waiting) >= request.MOST_OPEN:
            return request.too_many_open()
        return await self._open(db, room, request.short_reason(reason), asker)

    async def _open(self, db: Connection, room: KnownRoom, reason: str, asker: Asker) -> Text:
        new = Request(0, asker.person.id, asker.user_id, room.key, reason, asker.now)
        number = await request_store.add_request(db, new)
        if number is None:
            return request.asked_before(room, asker.now)
        taken = Request(number, new.person, new.user_id, new.room, new.reason, new.asked_at)
        case = _Case(taken, asker.person, room.name)
        if not await self._take_step(db, case, asker.now):
            await request_store.settle_request(db, number, "lapsed", None, asker.now)
            return request.nobody_to_ask(room)
        log.info("request %d for %s", number, room.key, extra={"action": "selfservice.request"})
        return request.asked(room)

    async def confirm(self, event: Event) -> None:
        """Remember which event one of our questions is; the feed shows it before the reactions to it."""
        key = replies.answered(event.content)
        if key is not None and key.startswith(_PREFIX):
            await request_store.name_ask(self._pool, key, event.event_id)

    async def answer(self, event: Event, ask: Ask, yes: bool) -> None:
        """Take a reaction to a question as its answer, and say so to both sides."""
        now = self._clock()
        key = f"answer:{event.event_id}"
        async with self._pool.acquire() as db, db.transaction():
            if await store.is_decided(db, key):
                return
            waiting = await request_store.lock_request(db, ask.request)
            reply = (
                await self._answer(db, waiting, event.sender, now, yes=yes) if waiting else request.answered_before()
            )
            content = replies.content(reply, key)
            await store.add_act(db, Act(key, Kind.SAY, event.room_id, event.sender, content), now)

    async def _answer(self, db: Connection, waiting: Request, by: UserId, now: datetime, *, yes: bool) -> Text:
        """Return what to say to whoever answers a request that waits."""
        owner = await self._answerer(db, waiting, by, now)
        if owner is None:
            return request.not_yours()
        person = await self._worker(db, waiting.person, now)
        place = await request_store.room_of(db, waiting.room)
        if person is None or place is None or not self._is_open(waiting.room):
            await request_store.settle_request(db, waiting.id, "lapsed", by, now)
            return request.answered_before()
        if yes and await self._is_closed(db, waiting, place):
            await self._end(db, waiting, request.closed(place[1]), by, now)
            return request.refused(name_of(person), place[1])
        until = self._until(person, now) if yes else None
        await request_store.settle_request(db, waiting.id, "granted" if yes else "declined", by, now)
        if until is not None:
            await put_exemption(db, _exemption(waiting, until, owner), by, now)
        await self._tell(db, waiting, request.told(place[1], until), now)
        log.info(
            "request %d: %s", waiting.id, "granted" if yes else "declined", extra={"action": "selfservice.request"}
        )
        return request.confirmed(name_of(person), place[1], until)

    async def _end(self, db: Connection, waiting: Request, words: Text, by: UserId | None, now: datetime) -> None:
        """End a request without an answer, and tell whoever asked."""
        await request_store.settle_request(db, waiting.id, "lapsed", by, now)
        await self._tell(db, waiting, words, now)

    async def _tell(self, db: Connection, waiting: Request, words: Text, now: datetime) -> None:
        """Tell whoever asked what became of it, in their direct room."""
        key = f"told:{waiting.id}"
        await store.add_act(db, Act(key, Kind.SAY, None, waiting.user_id, replies.content(words, key)), now)

    async def _next_turn(self, db: Connection, waiting: Request, now: datetime) -> Turn | None:
        owners = await self._owners(db, waiting.room, now)
        administrators = await request_store.room_of(db, ADMINISTRATORS)
        asked = await request_store.asked(db, waiting.id)
        return request.next_turn(owners, administrators[0] if administrators else None, asked, waiting.user_id)

    async def _ask(self, db: Connection, case: _Case, turn: Turn, now: datetime) -> None:
        """Ask an owner, or the administrators."""
        key = f"{_PREFIX}{case.waiting.id}:{turn.owner or ADMINISTRATORS}"
        await request_store.add_ask(db, key, Ask(case.waiting.id, turn.owner), now)
        await self._put_question(db, key, case, turn, now)

    async def _remind(self, db: Connection, case: _Case, last: Asked, now: datetime) -> None:
        """Put the question again to whoever was asked last."""
        place = await request_store.room_of(db, ADMINISTRATORS)
        turn = Turn(last.owner, place[0] if place is not None and last.owner is None else None)
        key = f"{_PREFIX}{case.waiting.id}:{turn.owner or ADMINISTRATORS}:again"
        await request_store.add_reminder(db, key, Ask(case.waiting.id, turn.owner), last.asked_at, now)
        if turn != Turn(None):  # the administrators' room may be gone by now
            await self._put_question(db, key, case, turn, now, again=True)

    async def _put_question(
        self, db: Connection, key: str, case: _Case, turn: Turn, now: datetime, *, again: bool = False
    ) -> None:
        day = self._day(case.person, now)
        words = request.ask(
            name_of(case.person),
            " · ".join(filter(None, (job_of(case.person, path, day) for path in ("title", "department")))),
            case.waiting,
            case.room_name,
            self._until(case.person, now),
            patience=None if turn.owner is None or again else self._policy().requests.escalate,
            again=again,
        )
        whom = turn.owner or case.waiting.user_id
        await store.add_act(db, Act(key, Kind.SAY, turn.room_id, whom, replies.content(words, key)), now)

    async def _is_closed(self, db: Connection, waiting: Request, place: tuple[RoomId, str]) -> bool:
        """Tell whether a barrier is between whoever asked and somebody in the room."""
        user_id = waiting.user_id
        return await barrier_store.read_obstacle(db, user_id, place[0], user_id) is not None

    async def _answerer(self, db: Connection, waiting: Request, by: UserId, now: datetime) -> Person | None:
        """Return who this is, if somebody who may answer: an owner of the room or an administrator, not the asker."""
        person_id = await store.employee_of(db, by)
        person = await self._worker(db, person_id, now) if person_id is not None else None
        if person is None or by == waiting.user_id:
            return None
        is_owner = by in await self._owners(db, waiting.room, now)
        return person if is_owner or await request_store.is_in(db, ADMINISTRATORS, by) else None

    async def _owners(self, db: Connection, room: RoomKey, now: datetime) -> list[UserId]:
        """Return the room's owners who work here, those with the most power first."""
        found = await request_store.owners(db, room, MODERATOR)
        there = {
            person.id for person in await load_people(db, [person for _, person in found]) if self._works(person, now)
        }
        return [owner for owner, person in found if person in there]

    async def _worker(self, db: Connection, person: PersonId, now: datetime) -> Person | None:
        found = await load_people(db, [person])
        return next((each for each in found if self._works(each, now)), None)

    def _is_open(self, room: RoomKey) -> bool:
        rule = self._policy().rooms.get(room.partition("/")[0])
        return rule is not None and not rule.exclusive

    def _until(self, person: Person, now: datetime) -> date:
        return request.last_day(self._day(person, now), self._policy().requests.until)

    def _works(self, person: Person, now: datetime) -> bool:
        return works_here(person, self._day(person, now))

    def _day(self, person: Person, now: datetime) -> date:
        return LocalDays(now, self._timezone)(person)


def _exemption(granted: Request, until: date, owner: Person) -> Exemption:
    rule, _, value = granted.room.partition("/")
    reason = granted.reason or "asked for it"
    return Exemption(rule, value, granted.person, True, until, owner.user_name, reason)
