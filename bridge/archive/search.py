"""Finding messages, and showing one with all that became of it.

`SearchConsumer` is a consumer of the feed, so what was archived a moment ago may not be found yet; `show` reads the
archive itself. Deleted and edited messages are found like all others: that is what an archive is for. Who may ask is
left to the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.archive import segment, store
from bridge.archive.undecrypted import as_said
from bridge.archive.values import Hit, edited_by, text_of
from bridge.errors import InputError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Pool

_PORTION = 100


class SearchConsumer:
    """The consumer that makes messages findable."""

    name = "search"

    def __init__(self, pool: Pool, languages: Sequence[str] = segment.LANGUAGES) -> None:
        self._pool = pool
        self._languages = languages

    async def handle(self, events: Sequence[Event]) -> None:
        """Index the texts of the messages among the events, encrypted ones that were read too; again is fine."""
        said = await as_said(self._pool, events)
        texts = [(event.seq, text_of(event)) for event in said if event.type == "m.room.message"]
        # In a thread: a long text in many scripts takes a noticeable part of a second.
        tokens = await asyncio.to_thread(self._tokens, [text for _, text in texts])
        found = [(seq, words) for (seq, _), words in zip(texts, tokens, strict=True) if words]
        if found:
            await store.index_texts(self._pool, [seq for seq, _ in found], [words for _, words in found])

    def _tokens(self, texts: Sequence[str]) -> list[list[str]]:
        return [segment.tokens_of(text, self._languages) for text in texts]


async def search(
    pool: Pool,
    text: str,
    *,
    room: RoomId | None = None,
    sender: UserId | None = None,
    before: int | None = None,
    limit: int = 20,
    languages: Sequence[str] = segment.LANGUAGES,
) -> list[Hit]:
    """Return messages that hold every word of `text`, newest first.

    `before` is the position of the last hit, to go on behind it. Raises `InputError` when `text` holds no word.
    """
    terms = segment.terms_of(text, languages)
    if not terms:
        raise InputError(f"expected at least one word to look for, got {text!r}")
    hits: list[Hit] = []
    place = before or 0
    with store.database_errors():
        while len(hits) < limit:
            rows = await store.find_texts(pool, terms, room, sender, place, _PORTION)
            found = (_hit(row) for row in rows)
            hits += [hit for hit in found if segment.contains(hit.text, text)]
            if len(rows) < _PORTION:
                break
            place = rows[-1]["seq"]
    return hits[:limit]


def _hit(row: store.Row) -> Hit:
    event = _event(row)
    return Hit(
        seq=event.seq,
        event_id=event.event_id,
        room_id=event.room_id,
        sender=event.sender,
        timestamp=event.timestamp,
        text=text_of(event),
        edits=edited_by(event),
        deleted=row["deleted"],
    )


def _event(row: store.Row) -> Event:
    return Event.of(wire.decode(row["body"]), row["seq"])
