"""Are the events filed as what they are: do the columns by which they are found say what the archived bytes say?

The ledger covers the bytes alone. Whoever changes a column hides an event from those who search and look, without
changing what is proven. What was disposed of has no bytes any more, and its columns are believed. Reading is left to
`verify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.archive.batch import columns_of
from bridge.archive.ledger import SALT_SIZE
from bridge.homeserver import wire

COLUMNS = ("origin_ts", "event_id", "room_id", "type", "sender", "state_key", "relates_to")


@dataclass(frozen=True, slots=True)
class Filed:
    """An event and the columns beside it, in the order of `COLUMNS`."""

    seq: int
    columns: tuple[int | str | None, ...]
    body: bytes


def first_misfiled(rows: Sequence[Filed]) -> tuple[int, str] | None:
    """Return the first position, and its first column, where a column is not what archiving would make of the event."""
    made = columns_of([_read(row.body) for row in rows], bytes(SALT_SIZE * len(rows)))
    lists = (made.timestamps, made.event_ids, made.room_ids, made.types, made.senders, made.state_keys, made.relates_to)
    for row, right in zip(rows, zip(*lists, strict=True), strict=True):
        if row.columns != right:
            return row.seq, next(
                name for name, one, other in zip(COLUMNS, row.columns, right, strict=True) if one != other
            )
    return None


def _read(body: bytes) -> dict[str, Any]:
    """Return the event; what archiving never wrote agrees with no column."""
    try:
        event = wire.decode(body)
    except ValueError:
        event = None
    return event if isinstance(event, dict) and isinstance(event.get("event_id"), str) else {"event_id": ""}
