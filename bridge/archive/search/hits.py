"""What a search answers with, as values. Finding is left to `search`, showing to `search_rendering`."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.archive.search.document import Kind
from bridge.archive.search.snippet import Snippet
from bridge.ids import EventId, RoomId, UserId


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that was found."""

    seq: int
    event_id: EventId
    room_id: RoomId
    sender: UserId
    timestamp: int
    """Milliseconds, as the sender's server claims."""
    kind: Kind
    text: str
    snippet: Snippet
    edits: EventId | None
    """The message whose new text this is."""
    edited: bool
    """Whether it is an edit, or was edited."""
    deleted: bool
    """Whether it, or the message that it edits, was redacted."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of hits."""

    hits: tuple[Hit, ...]
    next_page: str | None
    """What gives the next page; None when this is the last."""
    closed: int | None
    """How many more match in direct rooms, which only a case opens; None but for the first page."""
    closed_exactly: bool
    """Whether there are no more of those."""
