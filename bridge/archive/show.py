"""Showing an event: as it was sent, each edit, who took what back, who reacted, and who could see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive import store
from bridge.archive.audience import Audience, audience_of, past_of
from bridge.archive.state_store import EVER, read_memberships, read_rooms_state
from bridge.archive.values import Story
from bridge.archive.versions import edits_of, reactions_to, replies_to, thread_of, version_of
from bridge.errors import UnknownNameError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def show(pool: Pool, event_id: EventId) -> Story:
    """Return an event and what became of it, as of one moment; raises `UnknownNameError`."""
    async with store.snapshot(pool) as connection:
        row = await store.read_record(connection, event_id)
        if row is None:
            if await store.is_awaiting_original(connection, event_id):
                raise UnknownNameError(
                    f"{event_id} arrived without its content; its original is still to be fetched from the homeserver"
                )
            raise UnknownNameError(f"there is no event {event_id} in the archive")
        event = _event(row)
        related = [later for later in await _related(connection, [event_id]) if later.room_id == event.room_id]
        # What was taken back is an event of its own, also of an edit or a reaction.
        redactions = [*related, *await _related(connection, [later.event_id for later in related])]
        return Story(
            original=version_of(event, redactions),
            edits=tuple(version_of(edit, redactions) for edit in edits_of(event, related)),
            sent_at=row["sent_at"],
            received_at=row["received_at"],
            backfilled=row["backfilled"],
            reactions=reactions_to(event, related, redactions),
            replies=replies_to(event, related),
            thread=thread_of(event, related),
            audience=await _audience(connection, event, row["sent_at"]) if event.room_id else None,
            trust=row["trust"] or "",
            unread=row["unread"] or "",
        )


async def _audience(connection: Connection, event: Event, at: datetime) -> Audience:
    memberships = await read_memberships(connection, EVER, room_id=event.room_id)
    visibilities = await read_rooms_state(connection, ["m.room.history_visibility"], at, [event.room_id])
    return audience_of(at, past_of(memberships, visibilities))


async def _related(connection: Connection, event_ids: Sequence[EventId]) -> list[Event]:
    return [_event(row) for row in await store.read_related(connection, event_ids)]


def _event(row: store.Row) -> Event:
    return Event.of(wire.decode(row["body"]), row["seq"])
