"""One row of the queue, carried out on Matrix: said, edited, redacted, pinned or unpinned.

An errand may have been carried out before without anybody's having recorded it: what is said is looked for in its
room first, and the other acts change nothing when they are done again. Which errand is next, and what becomes of its
row, is left to `postman`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.announcements.marker import editing, read_mark, sending, transaction_id
from bridge.announcements.values import Act
from bridge.homeserver.event import Event
from bridge.homeserver.voice import Voice
from bridge.ids import EventId, RoomId, UserId

_PINNED = "m.room.pinned_events"


class Homeserver(Voice, Protocol):
    """What the acts ask of the homeserver."""

    bot: UserId

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of raw events, newest first."""
        ...

    async def redact(self, room_id: RoomId, event_id: EventId, *, transaction_id: str) -> EventId:
        """Take an event of the bot's back."""
        ...

    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None:
        """Return the content of a piece of state, or None."""
        ...

    async def send_state(
        self,
        room_id: RoomId,
        event_type: str,
        state_key: str,
        content: Mapping[str, object],
        *,
        as_user: UserId | None = None,
    ) -> EventId:
        """Put a piece of state."""
        ...


@dataclass(frozen=True, slots=True)
class Errand:
    """A row of `outgoing` that is under way."""

    id: int
    key: str
    turn: int
    act: Act
    lane: str
    room_id: RoomId | None
    user_id: UserId | None
    event_type: str | None
    content: Mapping[str, Any] | None
    attempts: int
    """Earlier ones; above 0 the homeserver may have it already."""
    target_event: EventId | None
    """None also when the target was never said."""
    target_room: RoomId | None
    enabled: bool
    """Whether the person's account is; true in a room of several people."""


async def carry_out(homeserver: Homeserver, errand: Errand, room_id: RoomId) -> EventId | None:
    """Do the act in the room, and return the event that says it; None for what says nothing.

    Nothing is done to what was never said. Raises `HomeserverError`.
    """
    if errand.act is Act.SEND:
        return await _send(homeserver, errand, room_id)
    if errand.target_event is None:
        return None
    if errand.act is Act.EDIT:
        return await _edit(homeserver, errand, room_id, errand.target_event)
    if errand.act is Act.REDACT:
        name = transaction_id(errand.key, errand.turn, {})
        await homeserver.redact(room_id, errand.target_event, transaction_id=name)
    else:
        await _pin(homeserver, room_id, errand.target_event, pinned=errand.act is Act.PIN)
    return None


async def _send(homeserver: Homeserver, errand: Errand, room_id: RoomId) -> EventId:
    content = errand.content or {}
    found = await _find(homeserver, errand, room_id) if errand.attempts else None
    if found is None:
        return await _say(homeserver, errand, room_id, sending(content, errand.key, errand.turn))
    event_id, said = found
    if said != content:  # it was put anew while it was under way
        await _edit(homeserver, errand, room_id, event_id)
    return event_id


async def _edit(homeserver: Homeserver, errand: Errand, room_id: RoomId, target: EventId) -> EventId:
    content = errand.content or {}
    return await _say(homeserver, errand, room_id, editing(content, target, errand.key, errand.turn))


async def _say(homeserver: Homeserver, errand: Errand, room_id: RoomId, content: Mapping[str, Any]) -> EventId:
    name = transaction_id(errand.key, errand.turn, content)
    return await homeserver.send(room_id, errand.event_type or "m.room.message", content, transaction_id=name)


async def _find(homeserver: Homeserver, errand: Errand, room_id: RoomId) -> tuple[EventId, Mapping[str, Any]] | None:
    """Look for what was said among the newest events of the room; return it with what it says."""
    events, _ = await homeserver.messages(room_id, before=None)
    for event in map(Event.of, events):
        mark = read_mark(event.content) if event.sender == homeserver.bot else None
        if mark and (mark.key, mark.turn) == (errand.key, errand.turn) and not mark.edits:
            return event.event_id, mark.content
    return None


async def _pin(homeserver: Homeserver, room_id: RoomId, event_id: EventId, *, pinned: bool) -> None:
    """Add the event to what is pinned in the room, or take it out; everything else stays in its order."""
    content = await homeserver.state_event(room_id, _PINNED) or {}
    before = [other for other in content.get("pinned", ()) if isinstance(other, str)]
    if (event_id in before) is pinned:
        return
    after = [*before, event_id] if pinned else [other for other in before if other != event_id]
    await homeserver.send_state(room_id, _PINNED, "", {"pinned": after})
