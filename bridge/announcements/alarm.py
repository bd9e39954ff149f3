"""From events to roll calls: `!emergency` in a desk, the answers of people, and those of who is called to help.

It reads the event feed and only writes to the database. Every event is decided in one database transaction and may come
again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.announcements import emergency, emergency_store, outbox_store, store
from bridge.announcements.emergency import Author
from bridge.announcements.emergency_command import End, Start, Unclear, parse
from bridge.announcements.form import VOTES, answer_of, answered_event
from bridge.announcements.postman import confirm
from bridge.announcements.roll_call_text import SAFETY, Turn, content, ended_answer, started_answer, verdict_of
from bridge.announcements.roll_calls import ask_key
from bridge.announcements.tracking import valid_event_id
from bridge.announcements.values import Act, Outgoing, Priority, Role, Sent, answer_key
from bridge.clock import Clock, from_milliseconds, system_clock
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person, attributes_of, works_here
from bridge.directory.selector import matches
from bridge.directory.store import load_people
from bridge.errors import RefusedError, UnknownNameError
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId
from bridge.policy.schema import Desk, Policy

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

LATEST = timedelta(hours=1)
"""A command that reaches us later than this, after an outage, raises no alarm any more."""
_NOTHING = EventId("")
_ANSWERED = (Role.COPY, Role.POLL, Role.REMINDER)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A command in a desk."""

    event: Event
    desk: Desk
    command: Start | End | Unclear
    now: datetime


class EmergencyConsumer:
    """The consumer `emergency` of the event feed."""

    name = "emergency"

    def __init__(
        self,
        pool: Pool,
        *,
        bot: UserId,
        policy: Callable[[], Policy],
        clock: Clock = system_clock,
        timezone: str = "UTC",
    ) -> None:
        """Take the policy as a function, because a new one may be loaded at any time."""
        self._pool = pool
        self._bot = bot
        self._policy = policy
        self._clock = clock
        self._timezone = timezone

    async def handle(self, events: Sequence[Event]) -> None:
        """Decide each event, in order; events that were decided before change nothing."""
        for event in events:
            if event.sender == self._bot:
                await confirm(self._pool, event, self._clock)
        heard = [event for event in events if event.sender != self._bot]
        for event in heard:
            command = _command(event)
            if command is not None:
                await self._obey(event, command)
        targets = {event.event_id: target for event in heard if (target := _target(event)) is not None}
        sent = await outbox_store.of_event(self._pool, list(targets.values())) if targets else {}
        answers = [(event, found) for event in heard if (found := sent.get(targets.get(event.event_id, _NOTHING)))]
        if answers:
            await self._take_answers(answers)
        for event in heard:
            if event.type == "m.room.redaction":
                await self._take_back(event)

    async def _obey(self, event: Event, command: Start | End | Unclear) -> None:
        desks = await store.load_desks(self._pool)
        desk = self._policy().desks.get(desks[event.room_id]) if event.room_id in desks else None
        if desk is None:
            return
        heard = _Heard(event, desk, command, self._clock())
        async with self._pool.acquire() as db, db.transaction():
            if await outbox_store.has(db, answer_key(event.event_id)):
                return
            try:
                async with db.transaction():
                    text = await self._carry_out(db, heard)
            except (RefusedError, UnknownNameError) as error:
                text = error.message
            await outbox_store.put(db, [_answer(heard, text)])

    async def _carry_out(self, db: Connection, heard: _Heard) -> str:
        """Do what the command says and return what to tell its author."""
        if heard.now - from_milliseconds(heard.event.timestamp) > LATEST:
            raise RefusedError(
                "This reached Muster more than an hour late; nothing was done. If it is so still, repeat it."
            )
        person = await self._poster(db, heard)
        if isinstance(heard.command, Unclear):
            return heard.command.answer
        if isinstance(heard.command, End):
            call = await emergency.end(db, heard.command.id, desk=heard.desk, by=person.display_name, at=heard.now)
            return ended_answer(call)
        started = await emergency.start(
            db,
            self._policy(),
            heard.desk,
            heard.command,
            Author(heard.event.sender, person.display_name, heard.event.event_id),
            bot=self._bot,
            seed=heard.event.event_id.encode(),
            at=heard.now,
            timezone=self._timezone,
        )
        assert started is not None, "an event without an answer has started nothing"
        return started_answer(started.id, started.people, started.rooms, site=started.site, drill=started.drill)

    async def _poster(self, db: Connection, heard: _Heard) -> Person:
        person_id = await emergency_store.load_person_id(db, heard.event.sender)
        people = await load_people(db, [person_id]) if person_id is not None else []
        days = LocalDays(heard.now, self._timezone)
        for person in people:
            day = days(person)
            if works_here(person, day) and matches(heard.desk.posters, attributes_of(person, day)):
                return person
        raise RefusedError("Only those whom the policy names as posters of this desk can start or end a roll call.")

    async def _take_answers(self, answers: Sequence[tuple[Event, Sent]]) -> None:
        announcements = {sent.announcement for _, sent in answers if sent.announcement is not None}
        async with self._pool.acquire() as db, db.transaction():
            calls = await emergency_store.find_calls(db, announcements)
            taken = {
                sent.announcement
                for event, sent in answers
                if sent.announcement in calls and await self._take_answer(db, event, sent, sent.announcement)
            }
            if taken:
                await emergency_store.mark_stale(db, taken)
                await emergency_store.wake(db)

    async def _take_answer(self, db: Connection, event: Event, sent: Sent, announcement: str) -> bool:
        """Keep what somebody says; tell whether it says anything."""
        at = self._moment_of(event)
        if sent.role in _ANSWERED and (answer := answer_of(SAFETY, event)) is not None:
            await emergency_store.add_person(db, announcement, event.sender)
            await emergency_store.add_answer(db, event.event_id, announcement, event.sender, answer, at)
            return True
        if sent.key == ask_key(announcement, event.sender) and (accepts := _verdict(event)) is not None:
            await emergency_store.put_response(db, event.event_id, announcement, event.sender, accepts=accepts, at=at)
            return True
        return False

    async def _take_back(self, event: Event) -> None:
        target = valid_event_id(event.redacts)
        if target is None:
            return
        async with self._pool.acquire() as db, db.transaction():
            announcement = await emergency_store.remove_answer(db, target)
            announcement = announcement or await emergency_store.remove_response(db, target)
            if announcement is not None:
                await emergency_store.mark_stale(db, [announcement])
                await emergency_store.wake(db)

    def _moment_of(self, event: Event) -> datetime:
        """Return when the event was sent, but no moment that has not come yet."""
        now = self._clock()
        return from_milliseconds(min(event.timestamp, int(now.timestamp() * 1000)))


def _command(event: Event) -> Start | End | Unclear | None:
    """Return what a new message asks for; edits and replies are none."""
    body = event.content.get("body")
    new = event.type == "m.room.message" and event.state_key is None and "m.relates_to" not in event.content
    return parse(body) if new and isinstance(body, str) and event.content.get("msgtype") == "m.text" else None


def _target(event: Event) -> EventId | None:
    return answered_event(event) if event.type in ("m.reaction", *VOTES) else None


def _verdict(event: Event) -> bool | None:
    relation = event.content.get("m.relates_to")
    key = relation.get("key") if isinstance(relation, Mapping) else None
    return verdict_of(key) if isinstance(key, str) else None


def _answer(heard: _Heard, text: str) -> Outgoing:
    body = content(text) | {"m.relates_to": {"m.in_reply_to": {"event_id": heard.event.event_id}}}
    return Outgoing(
        key=answer_key(heard.event.event_id),
        act=Act.SEND,
        role=Role.ANSWER,
        rank=Priority.EMERGENCY,
        due_at=heard.now - Turn.ROOMS.before,
        room_id=heard.event.room_id,
        content=body,
    )
