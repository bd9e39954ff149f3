"""From events to rows: what is written in a desk becomes an announcement, reactions become acknowledgements.

`DeskConsumer` reads the event feed and only writes to the database, so it never waits for the homeserver; `postman`
says what waits there. Every event is decided in one database transaction and may come again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements import store
from bridge.announcements.audience import Audience, audience
from bridge.announcements.marker import read_mark
from bridge.announcements.message import Message, Refusal, compose, confirm, read_event, render, render_answer
from bridge.announcements.outbox_store import has, put
from bridge.announcements.postman import record_said
from bridge.announcements.postman_store import Said, find_waiting
from bridge.announcements.store import Announcement
from bridge.announcements.tracking import acknowledged_event, announcement_id, valid_event_id
from bridge.announcements.values import Act, Outgoing, Priority, Role, Whom, answer_key, copy_key
from bridge.clock import Clock, from_milliseconds, system_clock
from bridge.errors import RefusedError, UnknownNameError
from bridge.homeserver.event import Event
from bridge.ids import UserId
from bridge.policy.schema import Desk, Policy, RuleId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement that is on its way."""

    id: str
    rooms: int
    people: int


class DeskConsumer:
    """The consumer `announcements` of the event feed."""

    name = "announcements"

    def __init__(self, pool: Pool, *, bot: UserId, policy: Callable[[], Policy], clock: Clock = system_clock) -> None:
        """Take the policy as a function, because a new one may be loaded at any time."""
        self._pool = pool
        self._bot = bot
        self._policy = policy
        self._clock = clock

    async def handle(self, events: Sequence[Event]) -> None:
        """Decide each event, in order; events that were decided before change nothing."""
        desks = await store.load_desks(self._pool)
        for event in events:
            if event.sender == self._bot:
                await self._confirm(event)
            elif event.type == "m.reaction":
                await self._acknowledge(event)
            elif event.type == "m.room.redaction":
                await self._withdraw(event)
            elif event.room_id in desks:
                await self._decide(desks[event.room_id], event)

    async def _confirm(self, event: Event) -> None:
        """Record a delivery that came back to us, should its sender not have lived to do so.

        The feed shows a room's announcement before the reactions to it, so they always find it recorded.
        """
        mark = read_mark(event.content) if event.state_key is None else None
        if mark is None:
            return
        async with self._pool.acquire() as db, db.transaction():
            row = await find_waiting(db, mark.key, mark.turn, Act.EDIT if mark.edits else Act.SEND)
            if row is not None:
                await record_said(db, [Said(row, mark.content, event.event_id, event.room_id)], self._clock)

    async def _acknowledge(self, event: Event) -> None:
        target = acknowledged_event(event)
        if target is None:
            return
        async with self._pool.acquire() as db, db.transaction():
            at = self._moment_of(event)
            announcement = await store.add_acknowledgement(db, event.event_id, target, event.sender, at)
            if announcement is not None:
                await store.settle_recipient(db, announcement, event.sender)

    async def _withdraw(self, event: Event) -> None:
        target = valid_event_id(event.redacts)
        if target is None:
            return
        async with self._pool.acquire() as db, db.transaction():
            withdrawn = await store.remove_acknowledgement(db, target)
            if withdrawn is not None:
                await store.settle_recipient(db, *withdrawn)
            elif announcement := await store.find_announced(db, target):
                text = f"Deleting the message here does not take announcement {announcement} back."
                await self._answer(db, event, text)

    async def _decide(self, desk: RuleId, event: Event) -> None:
        decision = read_event(event, self._clock())
        if decision is None:
            return
        async with self._pool.acquire() as db, db.transaction():
            if await has(db, answer_key(event.event_id)):
                return
            text = decision.reason if isinstance(decision, Refusal) else await self._announce(db, desk, event, decision)
            await self._answer(db, event, text)

    async def _announce(self, db: Connection, desk: RuleId, event: Event, message: Message) -> str:
        """Announce the message and return what to tell its author."""
        try:
            found = _desk(self._policy(), desk)
            announcement = Announcement(
                id=announcement_id(event.event_id.encode()),
                desk=desk,
                source_event_id=event.event_id,
                author=event.sender,
                author_name=await store.load_name(db, event.sender),
                body=dict(message.body),
                origin="desk",
                whom=Whom(found.rooms),
                created_at=self._clock(),
            )
            announced = await _open(db, announcement, self._bot)
        except (RefusedError, UnknownNameError) as error:
            return error.message
        return confirm(announced.id, rooms=announced.rooms, people=announced.people)

    async def _answer(self, db: Connection, event: Event, text: str) -> None:
        key = answer_key(event.event_id)
        if not await has(db, key):
            answer = Outgoing(
                key=key,
                act=Act.SEND,
                role=Role.ANSWER,
                rank=Priority.IMPORTANT,
                due_at=self._clock(),
                room_id=event.room_id,
                content=render_answer(text, event.event_id),
            )
            await put(db, [answer])

    def _moment_of(self, event: Event) -> datetime:
        """Return when the event was sent, but no moment that has not come yet."""
        now = self._clock()
        return from_milliseconds(min(event.timestamp, int(now.timestamp() * 1000)))


async def announce(
    pool: Pool, policy: Policy, desk: RuleId, text: str, *, bot: UserId, seed: bytes, at: datetime
) -> Announced:
    """Announce a text in the company's name, by the bot; `seed`, random bytes, makes its id.

    Raises `UnknownNameError` when the policy has no such desk and `RefusedError` when nothing can be announced.
    """
    message = compose(text)
    if isinstance(message, Refusal):
        raise RefusedError(message.reason)
    announcement = Announcement(
        id=announcement_id(seed),
        desk=desk,
        source_event_id=None,
        author=bot,
        author_name=policy.company,
        body=dict(message.body),
        origin="command",
        whom=Whom(_desk(policy, desk).rooms),
        created_at=at,
    )
    async with pool.acquire() as db, db.transaction():
        return await _open(db, announcement, bot)


def _desk(policy: Policy, desk: RuleId) -> Desk:
    found = policy.desks.get(desk)
    if found is None:
        known = ", ".join(sorted(policy.desks)) or "none"
        raise UnknownNameError(f"The policy has no desk {desk!r} (there are: {known}); nothing was announced.")
    return found


async def _open(db: Connection, announcement: Announcement, bot: UserId) -> Announced:
    """Write the announcement, its copies and its recipients."""
    rules = announcement.whom.rooms
    rooms = await store.load_rooms(db, rules)
    if not rooms:
        raise RefusedError(
            f"There is no room yet to announce this in (desk {announcement.desk!r} announces in: {', '.join(rules)}); "
            "nothing was announced. Apply the policy first."
        )
    heard_by = audience(rooms, await store.load_members(db, rooms), bot)
    if await store.add_announcement(db, announcement):
        await store.add_text(db, announcement.id, 1, "", announcement.body, announcement.created_at)
        await store.add_recipients(db, announcement.id, heard_by.people, announcement.created_at)
        await put(db, _copies(announcement, heard_by))
        log.info(
            "announcement %s goes to %d rooms and %d people",
            announcement.id,
            len(heard_by.rooms),
            len(heard_by.people),
            extra={"action": "announce"},
        )
    return Announced(announcement.id, len(heard_by.rooms), len(heard_by.people))


def _copies(announcement: Announcement, heard_by: Audience) -> list[Outgoing]:
    """Return the copy for each room."""
    content = render(announcement.body, author_name=announcement.author_name, announcement=announcement.id)
    return [
        Outgoing(
            key=copy_key(announcement.id, room_id),
            act=Act.SEND,
            role=Role.COPY,
            rank=Priority.NORMAL,
            due_at=announcement.created_at,
            room_id=room_id,
            content=content,
            announcement=announcement.id,
            version=1,
        )
        for room_id in heard_by.rooms
    ]
