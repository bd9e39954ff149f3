"""What became of an event: its texts, who took what back, how people reacted and answered. Pure.

An edit counts when its sender is the event's own (Matrix specification, "Validity of replacement events"); the first
redaction of an event is the one that took it back. Reading is left to `show`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bridge.archive.values import Reaction, Version, edited_by
from bridge.homeserver.event import Event
from bridge.ids import EventId

_ANNOTATION, _THREAD = "m.annotation", "m.thread"


def version_of(event: Event, redactions: Iterable[Event]) -> Version:
    """Return the event with the first of the redactions that took it back."""
    found = (later for later in redactions if later.redacts == event.event_id and later.room_id == event.room_id)
    return Version(event, next(found, None))


def edits_of(event: Event, related: Iterable[Event]) -> list[Event]:
    """Return the edits that count, in the order of the archive."""
    return [later for later in related if edited_by(later) == event.event_id and later.sender == event.sender]


def reactions_to(event: Event, related: Iterable[Event], redactions: Sequence[Event]) -> tuple[Reaction, ...]:
    """Return the reactions, with those that were taken back, in the order of the archive."""
    found = [
        (later, key)
        for later in related
        if _relation(later).get("rel_type") == _ANNOTATION
        and _relation(later).get("event_id") == event.event_id
        and isinstance(key := _relation(later).get("key"), str)
    ]
    return tuple(Reaction(key, version_of(later, redactions)) for later, key in found)


def replies_to(event: Event, related: Iterable[Event]) -> tuple[EventId, ...]:
    """Return the answers to the event itself; what a thread adds for clients that know no threads is none."""
    return tuple(later.event_id for later in related if _answered(later) == event.event_id)


def thread_of(event: Event, related: Iterable[Event]) -> tuple[EventId, ...]:
    """Return the messages of the thread that begins with the event."""
    return tuple(
        later.event_id
        for later in related
        if _relation(later).get("rel_type") == _THREAD and _relation(later).get("event_id") == event.event_id
    )


def _answered(event: Event) -> object:
    relation = _relation(event)
    reply = relation.get("m.in_reply_to")
    is_fallback = relation.get("rel_type") == _THREAD and relation.get("is_falling_back") is True
    return reply.get("event_id") if isinstance(reply, dict) and not is_fallback else None


def _relation(event: Event) -> dict[str, Any]:
    relation = event.content.get("m.relates_to")
    return relation if isinstance(relation, dict) else {}
