"""Making events findable: the consumer that writes search's index.

It reads the feed, so what was archived a moment ago may not be found yet, and may be given events again, which changes
nothing. What it holds in memory is only what the database says too, to spare asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from bridge.archive import disposal_store
from bridge.archive.search import posting_store, store
from bridge.archive.search.amendments import read_amendments
from bridge.archive.search.departments import Departments
from bridge.archive.search.document import FILES, Document, Kind, document_of
from bridge.archive.search.lexemes import FILE, kind_lexeme, room_lexeme, sender_lexeme
from bridge.archive.search.postings import BLOCK, CHUNK, Tail
from bridge.archive.search.rooms import Rooms
from bridge.archive.search.segment import LANGUAGES
from bridge.archive.search.store import State
from bridge.archive.search.vocabulary import END, Vocabulary
from bridge.archive.search.words import spaced
from bridge.archive.store import transaction
from bridge.archive.undecrypted import as_said
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_MOST_REMEMBERED = 100_000
_MOST_AT_ONCE = 200_000
"""Characters that are parted into words without a thread: in many scripts a tenth of a second."""


class SearchConsumer:
    """The consumer that makes events findable."""

    name = "search"
    batch = 4000
    """Events that it had best be given at once: much of what it costs is the same for one as for all of them."""
    rest = 1.0
    """Seconds in which it is not given the next."""

    def __init__(self, pool: Pool, bot: UserId, languages: Sequence[str] = LANGUAGES) -> None:
        self._pool = pool
        self._rooms = Rooms(bot)
        self._departments = Departments()
        self._vocabulary = Vocabulary(tuple(languages))
        self._marks: dict[tuple[RoomId, UserId, Kind, str], bytes] = {}
        """What is the same for most that somebody says in a room → the numbers of its lexemes, packed."""

    async def handle(self, events: Sequence[Event]) -> None:
        """Index what can be found among the events, encrypted ones that were read too, and mark what they amend."""
        try:
            async with transaction(self._pool) as connection:
                # What is disposed of meanwhile must not be found. The cursor, which is moved after this, is on the disk
                # only with everything before it.
                await disposal_store.hold_off_disposal(connection, lasting=False)
                events = await as_said(connection, events)
                state = await store.read_state(connection, events[0].seq, events[-1].seq)
                if state.gone:
                    events = [event for event in events if event.seq not in state.gone]
                await self._index(connection, events, state)
        except BaseException:
            # What was learned has not been stored.
            self._rooms.forget()
            self._forget()
            raise

    async def _index(self, connection: Connection, events: Sequence[Event], state: State) -> None:
        if not self._vocabulary.is_current(state.swept) or len(self._marks) > _MOST_REMEMBERED:
            self._forget()
        documents = [document_of(event) for event in events]
        said = [event for event, document in zip(events, documents, strict=True) if document is not None]
        found = [document for document in documents if document is not None]
        await self._rooms.learn(connection, events, said)
        await self._departments.learn(connection, {event.sender for event in said}, state.directory_version)
        amendments = await read_amendments(connection, events, pending=state.pending)
        seqs, flagged = [event.seq for event in said], [seq for seq, _ in amendments.flagged]
        texts = await _spaced([document.text for document in found])
        words = f" {END} ".join([*texts, *(flag for _, flag in amendments.flagged), ""]).split()
        tail = Tail.of([*seqs, *flagged], await self._vocabulary.numbers(connection, words))
        tail = tail.joined(Tail.packed(seqs, await self._marks_of(connection, said, found)))
        if tail.seqs.size:
            await posting_store.add_to_tail(connection, tail.columns(), len(tail.seqs), _chunks(said))
        await amendments.write(connection)
        if events and (block := events[-1].seq // BLOCK) > state.closed:
            await close_before(connection, block)

    async def _marks_of(self, connection: Connection, said: Sequence[Event], found: Sequence[Document]) -> list[bytes]:
        """Return the numbers, packed, of what messages are found by besides their words."""
        departments_of, known = self._departments.lexemes_of, self._marks
        keys = [
            (event.room_id, event.sender, document.kind, departments_of(event))
            for event, document in zip(said, found, strict=True)
        ]
        try:
            return [known[key] for key in keys]
        except KeyError:
            new = {key: self._lexemes_of(*key) for key in dict.fromkeys(keys) if key not in known}
            # All at once, in one order: who else writes the index waits for us, and we never for them meanwhile.
            await self._vocabulary.numbers(connection, [lexeme for lexemes in new.values() for lexeme in lexemes])
            for key, lexemes in new.items():
                known[key] = await self._vocabulary.numbers(connection, lexemes)
        return [known[key] for key in keys]

    def _lexemes_of(self, room: RoomId, sender: UserId, kind: Kind, departments: str) -> list[str]:
        lexemes = [room_lexeme(self._rooms.number(room)), sender_lexeme(sender), kind_lexeme(kind)]
        return [*lexemes, *departments.split(), *([FILE] if kind in FILES else [])]

    def _forget(self) -> None:
        self._vocabulary.forget()
        self._marks.clear()


async def _spaced(texts: Sequence[str]) -> list[str]:
    """Return the words of texts, between blanks."""
    if sum(map(len, texts)) <= _MOST_AT_ONCE:
        return [spaced(text) for text in texts]
    return await asyncio.to_thread(lambda: [spaced(text) for text in texts])


async def prepare_index(pool: Pool, languages: Sequence[str]) -> bool:
    """Have everything indexed again when the languages are others than before; return whether they are."""
    async with transaction(pool) as connection:
        changed = await store.set_languages(connection, languages)
        if changed:
            await store.begin_again(connection)
    return changed


async def close_before(connection: Connection, block: int) -> None:
    """Put what is before a block where it is looked up, and leave the rest in the tail."""
    if not await posting_store.begin_closing(connection, block):
        return
    parts = await posting_store.read_tail(connection)
    tail = Tail.read([columns for _, columns in parts])
    over = tail.blocks() < block
    await posting_store.add_buckets(connection, await asyncio.to_thread(lambda: list(tail.kept(over).buckets())))
    await posting_store.replace_tail(connection, [part for part, _ in parts], tail.kept(~over).columns())


def _chunks(events: Sequence[Event]) -> dict[int, tuple[int, int]]:
    """Return the first and the last moment, in milliseconds, at which the events of each chunk were sent."""
    chunks: dict[int, tuple[int, int]] = {}
    for chunk, part in groupby(events, key=lambda event: event.seq // CHUNK):
        moments = [event.timestamp for event in part]
        oldest, newest = chunks.get(chunk, (moments[0], moments[0]))
        chunks[chunk] = min(oldest, *moments), max(newest, *moments)
    return chunks
