"""What is left of a record that was disposed of, as text for a terminal and as JSON for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.archive.rendering import printable, short, wrapped, writable


@dataclass(frozen=True, slots=True)
class Remains:
    """What the archive still says of it."""

    event_id: str
    seq: int
    room_id: str
    type: str
    sender: str
    sent_at: datetime
    at: datetime
    """When it was disposed of."""
    reason: str
    entry_id: str
    """The entry of the archive's log that says so."""


def remains_as_text(remains: Remains, width: int) -> str:
    """Return them, one a line."""
    head = {
        "event": remains.event_id,
        "room": remains.room_id,
        "type": remains.type,
        "sender": remains.sender,
        "sent": short(remains.sent_at),
        "disposed": f"{short(remains.at)} of what stood at position {remains.seq}",
    }
    lines = [f"{name:<10}{printable(value)}" for name, value in head.items()]
    why = wrapped(f"{remains.reason}; decided in {remains.entry_id}", width, indent="  ")
    return "\n".join([*lines, "", *why, "Its leaf is in the ledger still: `muster archive prove` proves that."])


def remains_as_json(remains: Remains) -> dict[str, Any]:
    """Return them as JSON."""
    found: dict[str, Any] = writable(
        {
            "event_id": remains.event_id,
            "seq": remains.seq,
            "room_id": remains.room_id,
            "type": remains.type,
            "sender": remains.sender,
            "sent": remains.sent_at.isoformat(),
            "disposed": {"at": remains.at.isoformat(), "reason": remains.reason, "entry": remains.entry_id},
        }
    )
    return found
