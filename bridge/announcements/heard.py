"""From events to acknowledgements: the consumer `heard` of the event feed, and the receipts that come beside it.

A batch is one database transaction with as many statements as it has kinds of news, not as it has events; it may come
again. What an event means is decided in `hearing`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import asyncpg

from bridge.announcements import board, heard_store, outbox_store
from bridge.announcements.heard_store import Person
from bridge.announcements.hearing import Answer, Asked, corrections, pointing, read_answers
from bridge.announcements.receipts import read_receipts
from bridge.clock import Clock, from_milliseconds, system_clock
from bridge.database import AWAY
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)


class HeardConsumer:
    """The consumer `heard`: reactions, votes and written answers, and their being taken back."""

    name = "heard"

    def __init__(self, pool: Pool, *, bot: UserId, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._bot = bot
        self._clock = clock

    async def handle(self, events: Sequence[Event]) -> None:
        """Write down what a batch of events answers; a batch that was handled before changes nothing."""
        pointed = pointing(events, self._bot)
        if not pointed.answers and not pointed.taken_back:
            return
        async with self._pool.acquire() as db, db.transaction():
            answered = await self._answer(db, pointed.answers)
            withdrawn = await _withdraw(db, pointed.taken_back)
            people = answered | withdrawn
            if people:
                await heard_store.settle(db, people)
                await board.refresh(db, {announcement for announcement, _ in people}, self._clock())

    async def _answer(self, db: Connection, pointed: Sequence[tuple[EventId, Event]]) -> set[Person]:
        """Keep the answers, and return whose they are."""
        sent = await outbox_store.of_event(db, {target for target, _ in pointed}) if pointed else {}
        announcements = {to.announcement for to in sent.values() if to.announcement is not None}
        if not announcements:
            return set()
        asked = await heard_store.load_asked(db, announcements)
        standing = await heard_store.load_standing(db, announcements, {to.room_id for to in sent.values()})
        now = self._clock()
        answers = read_answers(pointed, sent, asked, standing, now)
        known = await heard_store.lock_recipients(db, {_person(answer) for answer in answers})
        answers = [answer for answer in answers if _person(answer) in known]
        texts = [None if asked[answer.announcement].form.anonymous else answer.text for answer in answers]
        news = await heard_store.add_answers(db, answers, texts)
        new = [answer for answer in answers if answer.event_id in news]
        await _tally(db, new, asked)
        if wrong := corrections(new, asked, now):
            await outbox_store.put(db, wrong)
        return {_person(answer) for answer in new}


async def _withdraw(db: Connection, events: Sequence[EventId]) -> set[Person]:
    """Forget the answers among these events, and return whose they were."""
    people = await heard_store.find_answers(db, events) if events else set()
    if people:
        await heard_store.lock_recipients(db, people)
        await heard_store.remove_answers(db, events)
    return people


async def _tally(db: Connection, new: Sequence[Answer], asked: Mapping[str, Asked]) -> None:
    """Count what was answered to anonymous surveys; nobody knows afterwards whose answer it was, so the first stays."""
    first: dict[Person, str] = {}
    for answer in new:
        if asked[answer.announcement].form.anonymous:
            first.setdefault(_person(answer), answer.text)
    if first:
        counted = await heard_store.mark_tallied(db, first)
        chosen = [
            (announcement, text) for (announcement, user), text in first.items() if (announcement, user) in counted
        ]
        await heard_store.add_to_tally(db, [each for each, _ in chosen], [text for _, text in chosen])


async def note_receipts(pool: Pool, ephemeral: Sequence[object], *, bot: UserId, clock: Clock = system_clock) -> None:
    """Keep the receipts of a transaction; they are hints, so losing some to a database that is away is no failure."""
    receipts = [receipt for receipt in read_receipts(ephemeral) if receipt.user_id != bot]
    if not receipts:
        return
    now = int(clock().timestamp() * 1000)
    moments = [from_milliseconds(min(receipt.timestamp, now)) for receipt in receipts]
    try:
        async with pool.acquire() as db, db.transaction():
            await heard_store.put_receipts(db, receipts, moments)
            rooms, users = {one.room_id for one in receipts}, {one.user_id for one in receipts}
            await heard_store.mark_seen(db, rooms, users)
    except (*AWAY, asyncpg.PostgresError) as error:
        log.info("receipts were not kept (%s)", type(error).__name__, extra={"action": "receipts"})


def _person(answer: Answer) -> Person:
    return answer.announcement, answer.user_id
