"""What the archive answers with, as values: stories, figures. What was found is in `hits`.

Reading them is left to `search` and `status`, showing them to `rendering`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.homeserver.event import Event
from bridge.ids import EventId

if TYPE_CHECKING:
    from bridge.archive.audience import Audience
    from bridge.archive.completeness import Summary


@dataclass(frozen=True, slots=True)
class Version:
    """One text that a message has had."""

    event: Event
    redaction: Event | None
    """Who took it back, and when."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What somebody put under a message."""

    key: str
    """Usually an emoji."""
    version: Version


@dataclass(frozen=True, slots=True)
class Story:
    """An event and what became of it."""

    original: Version
    edits: tuple[Version, ...]
    sent_at: datetime
    """As its sender's server says, at the latest when it was received."""
    received_at: datetime
    backfilled: bool
    """Fetched from the homeserver afterwards."""
    reactions: tuple[Reaction, ...] = ()
    """Those that were taken back too."""
    replies: tuple[EventId, ...] = ()
    thread: tuple[EventId, ...] = ()
    """What was said in the thread that begins with it."""
    audience: Audience | None = None
    """None for what is in no room."""
    trust: str = ""
    """What was known of the device that sent it encrypted; empty for what was not, or could not be read."""
    unread: str = ""
    """Why what is encrypted could not be read."""


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """How complete the media are, in the archive or in a room."""

    files: int = 0
    """Stored; the same file counts once."""
    size: int = 0
    """Bytes of these."""
    stored: int = 0
    """Links that were fetched."""
    waiting: int = 0
    """Links still to be fetched, some after tries in vain."""
    failed: int = 0
    """Links that were given up."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why links are not there, or not yet → how many."""


@dataclass(frozen=True, slots=True)
class Status:
    """Figures of one moment."""

    size: int
    """Events, which is leaves."""
    root: bytes
    newest: datetime | None
    """When the newest event was archived."""
    rooms: int
    """Rooms that were compared with the homeserver."""
    checked_at: datetime | None
    """When the room that waits longest was compared."""
    summary: Summary
    """How complete the rooms are."""
    awaiting: int
    """Events that arrived redacted and whose original is still to be fetched."""
    set_aside: int
    """Entries that could not be archived, and events that a consumer could not handle."""
    behind: Mapping[str, int]
    """Consumer → events that it has not handled yet."""
    media: MediaFigures = field(default_factory=MediaFigures)


@dataclass(frozen=True, slots=True)
class StateEvent:
    """A state event, and when it counts as sent."""

    event: Event
    at: datetime


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the archive knows of its own completeness for one room."""

    begins: datetime
    """When the oldest archived event was sent."""
    whole: bool
    """Whether that is the room's creation."""
    checked_at: datetime | None
    """When everything up to then was compared with the homeserver; None when it never was."""
    backfilled: int
    """Events that had been missing."""


def text_of(event: Event) -> str:
    """Return what a message says: the new text of an edit, else its body; empty when there is none."""
    new = event.content.get("m.new_content") if edited_by(event) else None
    body = (new if isinstance(new, dict) else event.content).get("body")
    return body if isinstance(body, str) else ""


def edited_by(event: Event) -> EventId | None:
    """Return the message that this one gives a new text (specification, "Event replacements")."""
    relation = event.content.get("m.relates_to")
    if not isinstance(relation, dict) or relation.get("rel_type") != "m.replace" or event.state_key is not None:
        return None
    target = relation.get("event_id")
    return EventId(target) if isinstance(target, str) and target else None
