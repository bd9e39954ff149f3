"""What people do in the rooms of reports: who takes one, who answers the reporter, who closes it.

The consumer `reports` of the event feed; it only writes to the database, and what comes again changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.archive.entry import Actor, Entry
from bridge.archive.log import append_entry
from bridge.clock import Clock, from_milliseconds, system_clock
from bridge.concern import store, wording
from bridge.concern.course import is_taken
from bridge.concern.intake import SERVICE, key_of
from bridge.concern.wish import LONGEST
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId, localpart_of
from bridge.selfservice import replies
from bridge.selfservice.command import without_quote
from bridge.selfservice.request import verdict_of
from bridge.selfservice.store import Act, Kind, add_act

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

_LATEST = timedelta(hours=24)
"""An answer that reaches us later than this is not passed on any more: it may have been, and that is forgotten."""


class Hearing:
    """The consumer `reports`."""

    name = "reports"

    def __init__(self, pool: Pool, *, bot: UserId, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._bot = bot
        self._clock = clock

    async def handle(self, events: Sequence[Event]) -> None:
        """Decide each event, in order."""
        said = [
            event
            for event in events
            if event.type in ("m.reaction", "m.room.message") and event.sender != self._bot and _target(event)
        ]
        rooms = await store.open_rooms(self._pool, {event.room_id for event in said}) if said else {}
        for event in said:
            if event.room_id in rooms:
                async with self._pool.acquire() as db, db.transaction():
                    await self._decide(db, rooms[event.room_id], event)

    async def _decide(self, db: Connection, report: int, event: Event) -> None:
        target = await store.content_of(db, EventId(_target(event)), event.room_id, self._bot)
        part = target.get(wording.PART)
        asks = {each.user_id: each for each in await store.load_asks(db, report)}
        if part is None or event.sender not in asks:
            return
        if event.type == "m.room.message":
            if part == wording.WORDS:
                await self._answer(db, report, event)
        elif (yes := verdict_of(_sign(event))) is not None:
            if part == wording.STATUS and yes and asks[event.sender].takes:
                await self._close(db, report, event.sender)
            else:
                await self._take(db, report, event, takes=yes)

    async def _take(self, db: Connection, report: int, event: Event, *, takes: bool) -> None:
        """Take somebody's yes or no."""
        now = self._clock()
        if not await store.put_answer(db, report, event.sender, from_milliseconds(event.timestamp), takes=takes):
            return
        await self._record(db, report, event.sender, "take" if takes else "refuse", now)
        asks = await store.load_asks(db, report)
        if is_taken(await store.load_report(db, report), asks) and await store.mark_taken(db, report, now):
            log.info("report %d is taken", report, extra={"action": "report.take"})
        await store.touch(db, report, now)

    async def _close(self, db: Connection, report: int, by: UserId) -> None:
        """Close a report, tell who made it, and forget who that was."""
        now = self._clock()
        reporter = await store.reporter_of(db, report)
        if not await store.close_report(db, report, by, now):
            return
        if reporter is not None:
            key = key_of(reporter.secret, EventId("closed"))
            content = replies.content(wording.closed_for_reporter(report), key)
            await add_act(db, Act(key, Kind.SAY, reporter.room_id, reporter.user_id, content, urgent=True), now)
            await store.forget_reporter(db, report)
        await self._record(db, report, by, "close", now)
        log.info("report %d is closed", report, extra={"action": "report.close"})

    async def _answer(self, db: Connection, report: int, event: Event) -> None:
        """Pass an answer on to an anonymous reporter, in the room where they talk with the bot."""
        reporter = await store.reporter_of(db, report)
        body = event.content.get("body")
        words = without_quote(body).strip()[:LONGEST] if isinstance(body, str) else ""
        fresh = from_milliseconds(event.timestamp) > self._clock() - _LATEST
        if reporter is None or not reporter.anonymous or not words or not fresh or _is_edit(event):
            return
        name = (await store.names_of(db, [event.sender]))[event.sender]
        key = key_of(reporter.secret, event.event_id)
        content = replies.content(wording.answer(name, words), key)
        act = Act(key, Kind.SAY, reporter.room_id, reporter.user_id, content, urgent=True)
        await add_act(db, act, self._clock())

    async def _record(self, db: Connection, report: int, by: UserId, did: str, now: datetime) -> None:
        actor = Actor(localpart_of(by), SERVICE.os_user)
        await append_entry(db, Entry("report", actor, {"report": report, "did": did}), now)


def _target(event: Event) -> str:
    """Return the event that this one is a reaction or a reply to; empty when it is none."""
    relation = event.content.get("m.relates_to")
    if not isinstance(relation, dict):
        return ""
    reply = relation.get("m.in_reply_to")
    found = relation.get("event_id") if event.type == "m.reaction" else None
    if event.type == "m.room.message" and isinstance(reply, dict):
        found = reply.get("event_id")
    return found if isinstance(found, str) else ""


def _sign(event: Event) -> str:
    key = event.content["m.relates_to"].get("key")
    return key if isinstance(key, str) else ""


def _is_edit(event: Event) -> bool:
    return bool(event.content["m.relates_to"].get("rel_type") == "m.replace")
