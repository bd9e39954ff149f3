"""What somebody writes to the bot in a direct room about a report: opening it, adding to it, ending one's part in it.

Everything is written down in the caller's database transaction and done by `reports` and by the bot's speaker. What is
passed on for an anonymous reporter carries a key that only `reporter` could lead back, whose row is gone at the end.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from typing import TYPE_CHECKING, Any

from bridge.announcements.on_call import Terms
from bridge.archive.entry import Actor, Entry
from bridge.archive.log import append_entry
from bridge.concern import store, wording
from bridge.concern.course import Report
from bridge.concern.line import line_of
from bridge.concern.store import Reporter
from bridge.concern.wish import LONGEST, Opening, decide, is_passed_on, read
from bridge.directory.census import Census
from bridge.directory.local_day import LocalDays
from bridge.directory.store import load_people
from bridge.homeserver.event import Event
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.ids import EventId, RoomId, UserId
from bridge.selfservice import replies
from bridge.selfservice.answers import Asker
from bridge.selfservice.command import Command, Word, parse, without_quote
from bridge.selfservice.conversation import FILES
from bridge.selfservice.replies import Text
from bridge.selfservice.store import Act, Kind, accounts_of, add_act

if TYPE_CHECKING:
    from bridge.database import Connection

log = logging.getLogger(__name__)

_OF_A_FILE = ("msgtype", "body", "filename", "url", "info")
SERVICE = Actor("muster", "muster")
"""Who did what nobody may be named for."""


class Intake:
    """Takes reports as the bot `bot`; `timezone` is that of people without one of their own."""

    def __init__(self, *, bot: UserId, timezone: str) -> None:
        self._bot = bot
        self._timezone = timezone

    async def take(self, db: Connection, event: Event, asker: Asker) -> Text | None:
        """Take a message that begins with `report`, or adds to an anonymous report that is open; None for all else."""
        own = await store.find_reporter(db, asker.user_id)
        if own is not None and own.anonymous and own.room_id == event.room_id and _is_passed_on(event):
            return await self._pass_on(db, own, event, asker)
        command = parse(_body(event))
        if not isinstance(command, Command) or command.word is not Word.REPORT:
            return None
        wish = read(_body(event), asker.policy.reports)
        if wish.ends:
            return await self._end(db, own, asker)
        if own is not None:
            return wording.open_already(own.report)
        wanted = decide(wish, asker.policy.reports)
        return await self._open(db, event.room_id, wanted, asker) if isinstance(wanted, Opening) else wanted

    async def _pass_on(self, db: Connection, own: Reporter, event: Event, asker: Asker) -> Text:
        file = event.content.get("msgtype") in FILES
        words = f"({_name_of(event)})" if file else without_quote(_body(event)).strip()[:LONGEST]
        room_id = await store.add_words(db, own.report, words)
        if room_id is not None:
            key = key_of(own.secret, event.event_id)
            content = _file(event) if file else replies.content(wording.words_of_reporter(words), key)
            content |= {replies.MARKER: key, wording.PART: wording.WORDS}
            await add_act(db, Act(key, Kind.SAY, room_id, self._bot, content, urgent=True), asker.now)
        return wording.not_yet() if file and room_id is None else wording.passed_on()

    async def _open(self, db: Connection, room_id: RoomId, wanted: Opening, asker: Asker) -> Text:
        kind = wanted.kind
        census = Census(await load_people(db), LocalDays(asker.now, self._timezone))
        accounts = await accounts_of(db, [person.id for person in census.people])
        line = line_of(kind, census, accounts, asker.person.id, asker.policy.barriers)
        if not line:
            return wording.nobody_on_call(kind)
        new = Report(
            number=0,
            kind=kind.room or kind.id,
            anonymous=wanted.anonymous,
            alias=f"{ALIAS_PREFIX}report-{secrets.token_hex(12)}",
            line=line,
            terms=Terms(kind.needed, kind.escalate),
            opened_at=asker.now,
            words=wanted.words,
        )
        number = await store.add_report(db, new)
        await store.put_reporter(db, number, asker.user_id, room_id, secrets.token_bytes(16))
        details = {"report": number, "kind": kind.id, "did": "open", "anonymous": wanted.anonymous}
        await append_entry(db, Entry("report", SERVICE, details), asker.now)
        log.info("report %d is open", number, extra={"action": "report.open"})
        return wording.opened(number, kind, len(line[0]), anonymous=wanted.anonymous)

    async def _end(self, db: Connection, own: Reporter | None, asker: Asker) -> Text:
        if own is None:
            return wording.nothing_to_end()
        room_id = await store.room_of(db, own.report)
        if own.anonymous and room_id is not None:
            key = key_of(own.secret, EventId("end"))
            content = replies.content(wording.reporter_is_gone(), key)
            await add_act(db, Act(key, Kind.SAY, room_id, self._bot, content, urgent=True), asker.now)
        await store.forget_reporter(db, own.report)
        return wording.ended(own.report, anonymous=own.anonymous)


def key_of(secret: bytes, event_id: EventId) -> str:
    """Return the key of an act that passes an event on; it says nothing to who has not the report's secret."""
    return f"told:{hashlib.sha256(secret + event_id.encode()).hexdigest()[:32]}"


def _body(event: Event) -> str:
    body = event.content.get("body")
    return body if isinstance(body, str) else ""


def _name_of(event: Event) -> str:
    name = event.content.get("filename") or event.content.get("body")
    return name[:200] if isinstance(name, str) else "a file"


def _is_passed_on(event: Event) -> bool:
    return event.content.get("msgtype") in FILES or is_passed_on(_body(event))


def _file(event: Event) -> dict[str, Any]:
    """Return the file as the bot sends it on; nothing else of the message goes with it."""
    return {name: event.content[name] for name in _OF_A_FILE if name in event.content} | {"m.mentions": {}}
