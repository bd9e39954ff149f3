"""From events in a desk to drafts and announcements: what is written there, edited, deleted, confirmed or dropped.

`DeskConsumer` reads the event feed and only writes to the database, so it never waits for the homeserver; `postman`
says what waits there. Every event is decided in one database transaction and may come again. What people answer to an
announcement is `heard`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements import announcing, announcing_store, store
from bridge.announcements.announcing_store import Announcement
from bridge.announcements.draft import Wanted, deed_of, wanted_of
from bridge.announcements.header import HELP, Setting
from bridge.announcements.message import Edit, Help, Message, Order, Refusal, Reply, read_event, render_answer
from bridge.announcements.outbox_store import has, put
from bridge.announcements.postman import confirm
from bridge.announcements.tracking import acknowledged_event, valid_event_id
from bridge.announcements.values import Act, Outgoing, Priority, Role, State, answer_key
from bridge.announcements.wording import Body
from bridge.clock import Clock, system_clock
from bridge.directory.local_day import zone_of
from bridge.errors import RefusedError, UnknownNameError
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId
from bridge.policy.schema import Policy, RuleId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


class DeskConsumer:
    """The consumer `announcements` of the event feed."""

    name = "announcements"

    def __init__(
        self,
        pool: Pool,
        *,
        bot: UserId,
        policy: Callable[[], Policy],
        clock: Clock = system_clock,
        attributes: Sequence[str] = (),
    ) -> None:
        """Take the policy as a function, because a new one may be loaded at any time; and the custom attributes."""
        self._pool = pool
        self._bot = bot
        self._policy = policy
        self._clock = clock
        self._attributes = attributes

    async def handle(self, events: Sequence[Event]) -> None:
        """Decide each event, in order; events that were decided before change nothing."""
        desks = await store.load_desks(self._pool)
        for event in events:
            if event.sender == self._bot:
                await confirm(self._pool, event, self._clock)
            elif event.room_id in desks:
                await self._decide(desks[event.room_id], event)

    async def _decide(self, desk: RuleId, event: Event) -> None:
        async with self._pool.acquire() as db, db.transaction():
            if await has(db, answer_key(event.event_id)):
                return
            try:
                text = await self._answer_to(db, desk, event, self._clock())
            except (RefusedError, UnknownNameError) as error:
                text = error.message
            if text:
                await self._say(db, event, text)

    async def _answer_to(self, db: Connection, desk: RuleId, event: Event, now: datetime) -> str:
        """Carry out what an event asks for, and return what to tell, if anything."""
        if event.type == "m.reaction":
            return await self._react(db, desk, event, now)
        if event.type == "m.room.redaction":
            return await self._delete(db, desk, event, now)
        match read_event(event, now):
            case Message() if await announcing_store.find(db, event.event_id) is not None:
                return ""
            case Message(body=body):
                wanted, _ = wanted_of(body, await self._setting(db, desk, now))
                await self._announce(db, desk, event, wanted, now)
                return ""
            case Edit(target=target, body=body):
                return await self._edit(db, desk, event, target, body, now)
            case Reply(target=target, order=order):
                return await self._obey(db, desk, event, target, order, now)
            case Help():
                return HELP
            case Refusal(reason=reason):
                return reason
            case None:
                return ""

    async def _setting(self, db: Connection, desk: RuleId, now: datetime) -> Setting:
        zone = zone_of(None, await announcing_store.load_timezone(db))
        return Setting(announcing.desk_of(self._policy(), desk), now, zone, self._attributes)

    async def _announce(self, db: Connection, desk: RuleId, event: Event, wanted: Wanted, now: datetime) -> None:
        await announcing.announce(
            db,
            self._policy(),
            desk,
            wanted,
            origin="desk",
            author=event.sender,
            author_name=await store.load_name(db, event.sender),
            source_event_id=event.event_id,
            bot=self._bot,
            seed=event.event_id.encode(),
            at=now,
        )

    async def _react(self, db: Connection, desk: RuleId, event: Event, now: datetime) -> str:
        """Confirm or drop a draft by a reaction to it or to its preview."""
        target = acknowledged_event(event)
        relation = event.content.get("m.relates_to")
        deed = deed_of(relation.get("key")) if isinstance(relation, dict) else None
        row = await self._found(db, desk, target) if target is not None and deed is not None else None
        if row is None or deed is None:
            return ""
        return await announcing.act_on(db, self._policy(), row, deed, by=event.sender, bot=self._bot, at=now)

    async def _delete(self, db: Connection, desk: RuleId, event: Event, now: datetime) -> str:
        """Take back what was made of a message that is deleted."""
        target = valid_event_id(event.redacts)
        row = await self._found(db, desk, target) if target is not None else None
        if row is None or row.source_event_id != target or row.state in (State.RETRACTED, State.DISCARDED):
            return ""
        return await self._retract(db, row, event, now)

    async def _edit(
        self, db: Connection, desk: RuleId, event: Event, target: EventId, body: Body, now: datetime
    ) -> str:
        row = await self._found(db, desk, target)
        if row is None or row.source_event_id != target or row.author != event.sender:
            return ""
        if row.state in (State.OVER, State.RETRACTED, State.DISCARDED):
            return f"{row.id} is {row.state}: the edit changes nothing. Post it as a message of its own."
        try:
            wanted, minor = wanted_of(body, await self._setting(db, desk, row.created_at))
        except RefusedError as error:
            if row.state == State.SCHEDULED:
                await announcing.unconfirm(db, row)
            raise RefusedError(f"{error.message} {row.id} is not changed.") from error
        if row.state == State.OPEN:
            limit = announcing.desk_of(self._policy(), desk).second_person
            version = await announcing.edit(db, row.id, wanted.texts, minor=minor, at=now, limit=limit)
            return f"{row.id} is changed everywhere (version {version})."
        return await announcing.draft_again(db, self._policy(), row, wanted, bot=self._bot, at=now)

    async def _obey(
        self, db: Connection, desk: RuleId, event: Event, target: EventId, order: Order, now: datetime
    ) -> str:
        row = await self._found(db, desk, target)
        if row is None:
            raise RefusedError(f"Reply with {order} to the message that was announced, or to what I said of it.")
        if order is Order.RETRACT:
            return await self._retract(db, row, event, now)
        await announcing.end(db, row.id, at=now)
        return f"{row.id} is over: it is unpinned and stays where it stands."

    async def _retract(self, db: Connection, row: Announcement, event: Event, now: datetime) -> str:
        await announcing.retract(db, row.id, by=event.sender, at=now)
        if row.state in (State.DRAFT, State.SCHEDULED):
            return f"{row.id} is dropped; nothing was announced."
        if row.state in (State.RETRACTED, State.DISCARDED):
            return f"{row.id} is {row.state} already."
        return f"{row.id} is taken back everywhere. Who has read it has read it: say what holds instead, if need be."

    async def _found(self, db: Connection, desk: RuleId, event_id: EventId) -> Announcement | None:
        """Return the announcement of this desk that an event is or is about, locked."""
        announcement = await announcing_store.find(db, event_id)
        row = await announcing_store.lock(db, announcement) if announcement is not None else None
        return row if row is not None and row.desk == desk else None

    async def _say(self, db: Connection, event: Event, text: str) -> None:
        answer = Outgoing(
            key=answer_key(event.event_id),
            act=Act.SEND,
            role=Role.ANSWER,
            rank=Priority.IMPORTANT,
            due_at=self._clock(),
            room_id=event.room_id,
            content=render_answer(text, event.event_id),
        )
        await put(db, [answer])
