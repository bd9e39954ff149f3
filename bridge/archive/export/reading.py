"""Reading the slices of an export, with whatever is told about their events.

Everything is read as of the order: what came into the archive behind its checkpoint does not count, and people are
called as the directory called them at the end of the day on which something was sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bridge.archive.export import slice_store
from bridge.archive.export.attachments import attachment_of
from bridge.archive.export.conversation import Surroundings, amended_by, people_in
from bridge.archive.export.order import Order
from bridge.archive.export.portion import Portion
from bridge.archive.export.values import ENCRYPTED, Known, People, Record, Slice
from bridge.archive.scope import stays_of
from bridge.archive.scope_store import Bounds
from bridge.archive.state_store import read_memberships, read_people_memberships, read_rooms_state
from bridge.archive.values import StateEvent, edited_by
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.archive.access import Passing
    from bridge.archive.store import Row
    from bridge.database import Connection

_NAME = "m.room.name"
_AT_ONCE = 10_000
"""Events that the gate judges at once."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything that is read for a slice."""

    piece: Slice
    portion: Portion
    around: Surroundings | None
    """None when the form is not by conversation."""


@dataclass(slots=True)
class Reader:
    """Reads one export, slice after slice."""

    connection: Connection
    order: Order
    people: People
    _room: RoomId | None = None
    _memberships: Sequence[StateEvent] = ()
    _names: Sequence[StateEvent] = ()
    _size: int = field(init=False)

    def __post_init__(self) -> None:
        self._size = self.order.size

    async def cut(self, passing: Passing) -> tuple[list[Slice], int]:
        """Cut what was ordered and may be seen into slices; return them, and how many events may not be seen."""
        scope = self.order.scope
        memberships = await read_people_memberships(self.connection, scope.people) if scope.people else []
        bounds = Bounds(scope, tuple(stays_of(self._known_then(memberships))))
        await slice_store.cut(self.connection, bounds, self._size, by_conversation=self.order.format.is_by_conversation)
        closed = await self._leave_out_closed(passing)
        return await slice_store.read_slices(self.connection), closed

    async def _leave_out_closed(self, passing: Passing) -> int:
        closed = after = 0
        while some := await slice_store.read_some_positions(self.connection, after, _AT_ONCE):
            if refused := set(some) - await passing(self.connection, some):
                await slice_store.leave_out(self.connection, refused)
            closed, after = closed + len(refused), some[-1]
        return closed

    async def read_whole(self, piece: Slice) -> Whole:
        """Return a slice, with what its form needs."""
        portion = await self._read(piece)
        is_whole = not self.order.format.is_by_conversation
        return Whole(piece, portion, None if is_whole else await self._read_around(piece, portion))

    async def _read(self, piece: Slice) -> Portion:
        """Return the events of a slice, with what amends them and who sent them."""
        records = [_record(row) for row in await slice_store.read_slice(self.connection, piece.number)]
        said = await self._said(record.event for record in records)
        records = [_as_said(record, said[record.seq]) if record.seq in said else record for record in records]
        asked = {record.event.event_id for record in records}
        asked |= {target for record in records if (target := edited_by(record.event))}
        following = await self._following(asked)
        senders: defaultdict[date, set[UserId]] = defaultdict(set)
        for record in records:
            senders[record.sent_at.date()].add(record.event.sender)
        known: dict[tuple[UserId, date], Known] = {}
        for day, users in senders.items():
            known |= {(user, day): one for user, one in (await self._people(users, day)).items()}
        return Portion(records, following, known)

    async def _read_around(self, piece: Slice, portion: Portion) -> Surroundings:
        """Return what else a conversation needs: who was in the room, what amends the amendments, who everybody is."""
        if piece.room_id != self._room:
            room, until = piece.room_id, datetime.max.replace(tzinfo=UTC)
            self._memberships = self._known_then(await read_memberships(self.connection, until, room_id=room))
            self._names = self._known_then(await read_rooms_state(self.connection, [_NAME], until, [room]))
            self._room = room
        seen = {record.event.event_id for record in portion.records}
        further = await self._following({event.event_id for event in portion.following} - seen)
        targets = {target for record in portion.records if (target := amended_by(record.event))}
        around = Surroundings(
            following=[*portion.following, *further],
            chosen=await slice_store.read_chosen(self.connection, targets),
            memberships=self._memberships,
            names=self._names,
            known={},
        )
        return replace(around, known=await self._people(people_in(portion.records, around), piece.day))

    async def _following(self, event_ids: Collection[str]) -> list[Event]:
        rows = await slice_store.read_following(self.connection, event_ids, self._size) if event_ids else []
        events = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]
        said = await self._said(events)
        return [Event.of(wire.decode(said[event.seq]), event.seq) if event.seq in said else event for event in events]

    async def _said(self, events: Iterable[Event]) -> Mapping[int, bytes]:
        """Return what those say that came encrypted and had been read when this was ordered."""
        encrypted = [event.seq for event in events if event.type == ENCRYPTED]
        return await slice_store.read_said(self.connection, encrypted, self.order.at) if encrypted else {}

    async def _people(self, users: Collection[UserId], day: date) -> Mapping[UserId, Known]:
        ends = datetime.combine(day, time(), UTC) + timedelta(days=1)
        return await self.people(users, min(ends, self.order.at))

    def _known_then(self, states: Iterable[StateEvent]) -> list[StateEvent]:
        return [each for each in states if each.event.seq <= self._size]


def _as_said(record: Record, said: bytes) -> Record:
    event = Event.of(wire.decode(said), record.seq)
    return replace(record, event=event, said=said, attachment=attachment_of(event))


def _record(row: Row) -> Record:
    seq, event_id, room_id, sent_at, received_at, backfilled, salt, leaf, body = row
    if body is None:
        event = Event(seq, EventId(event_id), RoomId(room_id), "", UserId(""), None, {}, 0, None)
    else:
        event = Event.of(wire.decode(body), seq)
    return Record(seq, event, body, salt, leaf, sent_at, received_at, backfilled, attachment_of(event))
