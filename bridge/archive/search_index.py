"""Making events findable: the consumer that writes search's index.

It reads the feed, so what was archived a moment ago may not be found yet, and may be given events again, which changes
nothing. What it holds in memory is only what the database says too, to spare asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import asyncpg

from bridge.archive import direct_room, disposal_store, search_store, store
from bridge.archive.direct_room import RoomFacts
from bridge.archive.search_document import Document, Kind, document_of
from bridge.archive.search_expression import (
    DELETED,
    EDITED,
    FILE,
    LONG,
    department_lexeme,
    kind_lexeme,
    room_lexeme,
    sender_lexeme,
)
from bridge.archive.search_vector import Vector, file_of, flags_of, row_of, vector_of
from bridge.archive.segment import LANGUAGES, folded
from bridge.archive.undecrypted import as_said
from bridge.archive.values import edited_by
from bridge.directory.history import HistoryEntry
from bridge.directory.past_store import load_states_of
from bridge.directory.person import values_of
from bridge.homeserver.event import Event
from bridge.ids import EventId, PersonId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Pool

_MOST_REMEMBERED = 100_000
_LAST_DAY = 253_402_300_799_000
"""Milliseconds; there are no dates after it."""
_LONGEST_NAME = 255
_LONG = flags_of([LONG])
_DAY = 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class _Past:
    """The states that somebody has had, as of a directory version."""

    version: int
    states: Sequence[HistoryEntry]
    changing: frozenset[int]
    """Days since 1970 on which one was recorded."""
    marks: dict[int, Vector]
    """Day → the lexemes of the departments on it, of days that are none of those."""

    @classmethod
    def of(cls, version: int, states: Sequence[HistoryEntry]) -> Self:
        """Return the past that has these states."""
        days = (int(entry.recorded_at.timestamp() * 1000) // _DAY for entry in states)
        return cls(version, states, frozenset(days), {})

    def marks_at(self, timestamp: int) -> Vector:
        """Return the lexemes of the departments at a moment, in milliseconds."""
        day = min(timestamp, _LAST_DAY) // _DAY
        found = self.marks.get(day)
        if found is None:
            found = flags_of(map(department_lexeme, departments_at(self.states, timestamp)))
            if day not in self.changing:
                self.marks[day] = found
        return found


class SearchConsumer:
    """The consumer that makes events findable."""

    name = "search"

    def __init__(self, pool: Pool, bot: UserId, languages: Sequence[str] = LANGUAGES) -> None:
        self._pool = pool
        self._bot = bot
        self._languages = tuple(languages)
        self._rooms: dict[RoomId, int] = {}
        self._pasts: dict[UserId, _Past] = {}
        self._held_until = 0
        """Up to here, events come again."""
        self._marks: dict[tuple[int, UserId, Kind, bool], Vector] = {}

    async def handle(self, events: Sequence[Event]) -> None:
        """Index what can be found among the events, encrypted ones that were read too, and mark what they amend."""
        events = await as_said(self._pool, events)
        documents = [(event, found) for event in events if (found := document_of(event)) is not None]
        edits = {event.event_id: target for event in events if (target := edited_by(event)) and _is_storable(target)}
        with store.database_errors():
            await self._learn_rooms(events, [event for event, _ in documents])
            if documents:
                await self._index(documents, edits)
            await self._mark(events, edits)

    async def _index(self, documents: Sequence[tuple[Event, Document]], edits: Mapping[EventId, EventId]) -> None:
        # In a thread: a long text in many scripts takes a noticeable part of a second.
        vectors = await asyncio.to_thread(self._vectors, [found.text for _, found in documents])
        flags = await self._flags([event for event, _ in documents], edits)
        pasts = await self._learn_pasts({event.sender for event, _ in documents})
        rows = dict[int, bytes]()
        times = list[int]()
        for (event, found), vector in zip(documents, vectors, strict=True):
            room, past = self._rooms[event.room_id], pasts.get(event.sender)
            vector = vector.joined(self._marks_of(room, event.sender, found))
            if past is not None:
                vector = vector.joined(past.marks_at(event.timestamp))
            if vector.is_long:
                vector = vector.joined(_LONG)
            if event.event_id in flags:
                vector = vector.joined(flags[event.event_id])
            rows[event.seq] = row_of(event.timestamp, event.seq, room, vector)
            times.append(event.timestamp)
        await self._write(rows, times)

    async def _write(self, rows: dict[int, bytes], times: Sequence[int]) -> None:
        """Store the rows, in the order of the archive; those that an earlier time has brought are replaced."""
        seqs = list(rows)
        if seqs[0] > self._held_until:
            with suppress(asyncpg.UniqueViolationError):
                await self._add(rows)
                return
            self._held_until = await search_store.read_newest(self._pool)
        await self._add(rows, times)

    async def _add(self, rows: Mapping[int, bytes], replaced_at: Sequence[int] = ()) -> None:
        """Store the rows of what was not disposed of meanwhile, in place of those with these times."""
        async with self._pool.acquire() as connection, connection.transaction():
            seqs = list(rows)
            await disposal_store.hold_off_disposal(connection)
            gone = await disposal_store.read_gone(connection, seqs[0], seqs[-1])
            if replaced_at:
                await search_store.remove_rows(connection, replaced_at, seqs)
            kept = [row for seq, row in rows.items() if seq not in gone] if gone else list(rows.values())
            await search_store.add_rows(connection, file_of(kept))

    def _vectors(self, texts: Sequence[str]) -> list[Vector]:
        return [vector_of(text, self._languages) for text in texts]

    def _marks_of(self, room: int, sender: UserId, document: Document) -> Vector:
        """Return the lexemes of what is the same for most that somebody says in a room."""
        key = room, sender, document.kind, document.has_file
        found = self._marks.get(key)
        if found is None:
            if len(self._marks) >= _MOST_REMEMBERED:
                self._marks.clear()
            lexemes = [room_lexeme(room), sender_lexeme(sender), kind_lexeme(document.kind)]
            found = self._marks[key] = flags_of([*lexemes, *([FILE] if document.has_file else [])])
        return found

    async def _flags(self, events: Sequence[Event], edits: Mapping[EventId, EventId]) -> dict[EventId, Vector]:
        """Return the lexemes of what is an edit, or was edited or redacted before it was indexed.

        The latter happens to what was fetched afterwards.
        """
        asked = {event.event_id for event in events if _is_storable(event.event_id)}
        found = await search_store.read_amendments(self._pool, asked.union(edits.values()))
        if not (found or edits):
            return {}
        redacted = {(row["relates_to"], row["room_id"]) for row in found if row["type"] == "m.room.redaction"}
        amending = [row for row in found if row["type"] != "m.room.redaction"]
        edited = {(row["relates_to"], row["room_id"], row["sender"]) for row in amending}
        flags: dict[EventId, Vector] = {}
        for event in events:
            target = edits.get(event.event_id)
            is_edited = bool(target) or (event.event_id, event.room_id, event.sender) in edited
            is_deleted = (event.event_id, event.room_id) in redacted or (target, event.room_id) in redacted
            if is_edited or is_deleted:
                flags[event.event_id] = flags_of([EDITED] * is_edited + [DELETED] * is_deleted)
        return flags

    async def _mark(self, events: Sequence[Event], edits: Mapping[EventId, EventId]) -> None:
        """Mark what was indexed before."""
        redactions = [(event.redacts, event.room_id, "") for event in events if event.redacts]
        edited = [(edits[event.event_id], event.room_id, event.sender) for event in events if event.event_id in edits]
        # What no column holds names nothing that is archived.
        redactions = [each for each in redactions if all(map(_is_storable, each))]
        edited = [each for each in edited if all(map(_is_storable, each))]
        if redactions:
            await search_store.mark_events(self._pool, redactions, DELETED)
        if edited:
            await search_store.mark_events(self._pool, edited, EDITED)

    async def _learn_rooms(self, events: Sequence[Event], found: Iterable[Event]) -> None:
        """Give rooms their numbers, and keep what tells direct rooms from others."""
        if len(self._rooms) > _MOST_REMEMBERED:
            self._rooms.clear()
        states: dict[RoomId, list[Event]] = {}
        for event in events:
            if event.type in direct_room.TYPES and event.state_key is not None:
                states.setdefault(event.room_id, []).append(event)
        wanted = {*states, *({event.room_id for event in found} - self._rooms.keys())}
        if not wanted:
            return
        async with store.transaction(self._pool) as connection:
            rows = await search_store.read_rooms(connection, [_storable(room_id) for room_id in wanted])
            known = {row["room_id"]: row for row in rows}
            for room_id in sorted(wanted):
                row = known.get(_storable(room_id))
                before = facts_of(row["facts"]) if row else RoomFacts()
                facts = before
                for event in states.get(room_id, ()):
                    facts = direct_room.observe(facts, event, self._bot)
                if row is not None and facts == before:
                    self._rooms[room_id] = row["id"]
                    continue
                self._rooms[room_id] = await search_store.write_room(
                    connection,
                    _storable(room_id),
                    _storable(folded(facts.name).strip()),
                    facts.open_from,
                    facts_as_json(facts),
                )

    async def _learn_pasts(self, senders: Set[UserId]) -> dict[UserId, _Past]:
        """Return what the directory knows of the senders; of those who are no people, nothing."""
        # No account is called what no column holds.
        held = await search_store.read_states_held(self._pool, set(filter(_is_storable, senders)))
        if len(self._pasts) > _MOST_REMEMBERED:
            self._pasts.clear()
        known: dict[UserId, _Past] = {}
        for row in held:
            user, version = UserId(row["user_id"]), row["version"] or 0
            past = self._pasts.get(user)
            if past is None or past.version != version:
                states = await load_states_of(self._pool, PersonId(row["person_id"]), datetime.max.replace(tzinfo=UTC))
                past = self._pasts[user] = _Past.of(version, states)
            known[user] = past
        return known


def departments_at(states: Sequence[HistoryEntry], timestamp: int) -> tuple[str, ...]:
    """Return the departments that the directory had somebody in at a moment, in milliseconds.

    Before the directory knew the person, the first state counts.
    """
    if not states:
        return ()
    at = datetime.fromtimestamp(min(max(timestamp, 0), _LAST_DAY) / 1000, UTC)
    state = next((entry for entry in reversed(states) if entry.recorded_at <= at), states[0])
    return tuple(str(value) for value in values_of(state.person, "department", at.date()) if value)


def facts_of(stored: Mapping[str, Any]) -> RoomFacts:
    """Return a room's facts as they were stored."""
    return RoomFacts(
        {UserId(user): since for user, since in stored["people"].items()},
        stored["said_direct"],
        stored["named_at"],
        stored["name"],
        stored["renamed_at"],
    )


def facts_as_json(facts: RoomFacts) -> dict[str, Any]:
    """Return a room's facts to be stored."""
    return {
        "people": {_storable(user): since for user, since in facts.people.items()},
        "said_direct": facts.said_direct,
        "named_at": facts.named_at,
        "name": _storable(facts.name),
        "renamed_at": facts.renamed_at,
    }


def _is_storable(text: str) -> bool:
    return (text.isprintable() and len(text) <= _LONGEST_NAME) or _storable(text) == text


def _storable(text: str) -> str:
    return text[:_LONGEST_NAME].replace("\0", "").encode("utf-8", "replace").decode()


async def prepare_index(pool: Pool, languages: Sequence[str]) -> bool:
    """Have everything indexed again when the languages are others than before; return whether they are."""
    async with store.transaction(pool) as connection:
        changed = await search_store.set_languages(connection, languages)
        if changed:
            await search_store.begin_again(connection)
    return changed
