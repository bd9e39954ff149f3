"""What saying something in a room, or of it, asks of the homeserver; whoever does so declares to need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId


class Voice(Protocol):
    """Who can say something in a room."""

    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId:
        """Send an event, as the bot unless it says otherwise; the same `transaction_id` again is the same event."""
        ...


class StateVoice(Protocol):
    """Who can read and change the state of a room."""

    async def state(self, room_id: RoomId) -> list[Event]:
        """Return every event of the room's state."""
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
        """Put an event into the room's state, as the bot unless it says otherwise."""
        ...
