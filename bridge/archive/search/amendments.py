"""What was edited or deleted is found by that as well, whichever came first: the message, or what amends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.archive.batch import fits_column
from bridge.archive.search import store
from bridge.archive.search.lexemes import DELETED, EDITED
from bridge.archive.store import known_events
from bridge.archive.values import edited_by
from bridge.homeserver.event import Event
from bridge.ids import EventId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_Target = tuple[str, str, str]
"""Event ID, room ID, and who alone may amend it; empty for anybody."""


@dataclass(frozen=True, slots=True)
class Amendments:
    """What some events do to others, and what was done to them."""

    flagged: Sequence[tuple[int, str]] = ()
    """Position of what was amended, one of them or an earlier one, and by what it is found therefore."""
    ahead: Mapping[str, Sequence[_Target]] = field(default_factory=dict)
    """Flag → what they amend that has not been archived yet."""
    arrived: Sequence[str] = ()
    """Those of them that were waited for."""

    async def write(self, connection: Connection) -> None:
        """Store what will be asked for when the rest is archived."""
        for flag, targets in self.ahead.items():
            await store.add_pending(connection, targets, flag)
        if self.arrived:
            await store.drop_pending(connection, self.arrived)


async def read_amendments(db: Connection | Pool, events: Sequence[Event], *, pending: bool) -> Amendments:
    """Return what the events amend and how they were amended; `pending` says whether any are waited for."""
    relating = [event for event in events if "m.relates_to" in event.content]
    edits = {event.event_id: target for event in relating if (target := edited_by(event)) and fits_column(target)}
    redactions = [event for event in events if event.redacts]
    if not (edits or redactions or pending):
        return Amendments()
    redacted = await _redacted(db, set(edits.values()))
    flagged = [(event.seq, EDITED) for event in events if event.event_id in edits]
    flagged += [(event.seq, DELETED) for event in events if (edits.get(event.event_id), event.room_id) in redacted]
    waited_for = await _waited_for(db, events) if pending else {}
    for found in waited_for.values():
        flagged += found
    ahead: dict[str, Sequence[_Target]] = {}
    deleting: list[_Target] = [(event.redacts or "", event.room_id, "") for event in redactions]
    editing: list[_Target] = [
        (edits[event.event_id], event.room_id, event.sender) for event in events if event.event_id in edits
    ]
    for flag, targets in ((DELETED, deleting), (EDITED, editing)):
        if storable := [each for each in targets if all(map(fits_column, each))]:
            flagged += [(seq, flag) for seq in await store.read_flagged(db, storable)]
            known = await known_events(db, [target for target, _, _ in storable])
            ahead[flag] = [each for each in storable if each[0] not in known]
    return Amendments(flagged, ahead, list(waited_for))


async def _redacted(db: Connection | Pool, event_ids: set[EventId]) -> set[tuple[str | None, str]]:
    """Return (event ID, room ID) of those that were redacted."""
    return set(await store.read_redacted(db, event_ids)) if event_ids else set()


async def _waited_for(db: Connection | Pool, events: Sequence[Event]) -> dict[str, list[tuple[int, str]]]:
    """Return those events that were waited for, with their flags, as far as who amended them may do so."""
    given = {event.event_id: event for event in events if fits_column(event.event_id)}
    found: dict[str, list[tuple[int, str]]] = {}
    for row in await store.read_pending(db, given):
        event = given[row["event_id"]]
        flags = found.setdefault(event.event_id, [])
        if row["room_id"] == event.room_id and row["sender"] in ("", event.sender):
            flags.append((event.seq, row["flag"]))
    return found
