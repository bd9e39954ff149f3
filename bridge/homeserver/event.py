"""A Matrix event as the rest of Muster sees it.

`Event.of` never fails: what is missing or ill-typed becomes empty, because anybody in a room can send an event of any
shape. What an event means is left to those who read it; the bytes as received are kept by `bridge.archive`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bridge.ids import EventId, RoomId, UserId

_LATEST = 2**53 - 1  # the largest integer of canonical JSON (Matrix specification, appendix "Canonical JSON")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a room."""

    seq: int
    """Its position in the archive, from 1; 0 when it is not archived."""
    event_id: EventId
    room_id: RoomId
    type: str
    sender: UserId
    state_key: str | None
    """None for what is not a state event."""
    content: Mapping[str, Any]
    timestamp: int
    """`origin_server_ts`, milliseconds since 1970, as the sender's server claims; 0 when unreadable."""
    redacts: EventId | None
    """The event that this `m.room.redaction` takes back."""

    @classmethod
    def of(cls, raw: Mapping[str, Any], seq: int = 0) -> Self:
        """Read an event from its JSON object; whatever is missing or of the wrong type becomes empty."""
        content = raw.get("content")
        content = content if isinstance(content, dict) else {}
        return cls(
            seq=seq,
            event_id=EventId(_text(raw.get("event_id"))),
            room_id=RoomId(_text(raw.get("room_id"))),
            type=_text(raw.get("type")),
            sender=UserId(_text(raw.get("sender"))),
            state_key=raw["state_key"] if isinstance(raw.get("state_key"), str) else None,
            content=content,
            timestamp=_moment(raw.get("origin_server_ts")),
            redacts=_redacted_by(raw, content),
        )


def _redacted_by(raw: Mapping[str, Any], content: Mapping[str, Any]) -> EventId | None:
    """Return `redacts` from the top level (room versions 1 to 10) or from the content (11 and later)."""
    if raw.get("type") != "m.room.redaction":
        return None
    for place in (raw, content):
        target = place.get("redacts")
        if isinstance(target, str) and target:
            return EventId(target)
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LATEST:
        return value
    return 0
