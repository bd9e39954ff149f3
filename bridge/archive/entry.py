"""What was done with the archive, as leaves of the same ledger: who searched, looked, exported, held, disposed.

An entry is laid out like an event, so that everything that proves an event proves an entry: its type is `muster.` and
what was done, its sender whoever did it, its room none. Its ID begins with `muster:`, which no homeserver's event can
(`batch` sets such aside), followed by its time, so that IDs sort as time does. Storing is left to `log`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.homeserver.event import Event
from bridge.ids import EventId

PREFIX = "muster:"
"""Of the IDs of entries."""
_TYPE = "muster."


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it."""

    name: str
    """userName of the person whom the command names, else the operating system's user name."""
    os_user: str
    """Who ran the command, as the operating system says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done."""

    deed: str
    """One word: `search`, `view`, `prove`, …"""
    actor: Actor
    details: Mapping[str, Any] = field(default_factory=dict)
    """What a reader must know to repeat or to judge it; JSON values without floats."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands in the ledger."""

    seq: int
    entry_id: EventId
    timestamp: int
    """Milliseconds since 1970, by Muster's clock."""
    entry: Entry


def entry_event(entry: Entry, at: datetime, nonce: str) -> dict[str, Any]:
    """Return the entry as the event that is archived; `nonce` tells two of one millisecond apart."""
    milliseconds = int(at.timestamp() * 1000)
    return {
        "event_id": f"{PREFIX}{milliseconds:013d}-{nonce}",
        "room_id": "",
        "type": f"{_TYPE}{entry.deed}",
        "sender": entry.actor.name,
        "origin_server_ts": milliseconds,
        "content": {"os_user": entry.actor.os_user, "details": dict(entry.details)},
    }


def entry_of(event: Event) -> Recorded | None:
    """Return the entry that the archived event is, None for what came from the homeserver."""
    if not event.event_id.startswith(PREFIX):
        return None
    details = event.content.get("details")
    entry = Entry(
        deed=event.type.removeprefix(_TYPE),
        actor=Actor(str(event.sender), str(event.content.get("os_user", ""))),
        details=details if isinstance(details, dict) else {},
    )
    return Recorded(event.seq, event.event_id, event.timestamp, entry)
