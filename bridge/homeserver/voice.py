"""What saying something in a room asks of the homeserver; everybody who talks declares to need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

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
