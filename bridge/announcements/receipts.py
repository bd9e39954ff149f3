"""Receipts in the ephemeral data of a transaction (pure): a hint of who may have seen what.

Only public ones (`m.read`) are read; private ones are dropped (specification, "Receipts"). What they mean for an
announcement is `heard_store`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from bridge.announcements.tracking import valid_event_id
from bridge.ids import EventId, RoomId, UserId

_LATEST = 2**53 - 1
_LONGEST_ID = 255


@dataclass(frozen=True, slots=True)
class Receipt:
    """Somebody has read a room up to an event."""

    room_id: RoomId
    user_id: UserId
    event_id: EventId
    timestamp: int
    """Milliseconds since 1970."""


def read_receipts(ephemeral: Iterable[object]) -> list[Receipt]:
    """Return the newest public receipt of each person in each room; whatever has another shape is passed over."""
    newest: dict[tuple[RoomId, UserId], Receipt] = {}
    for receipt in _all(ephemeral):
        known = newest.get((receipt.room_id, receipt.user_id))
        if known is None or known.timestamp <= receipt.timestamp:
            newest[receipt.room_id, receipt.user_id] = receipt
    return list(newest.values())


def _all(ephemeral: Iterable[object]) -> Iterator[Receipt]:
    for each in ephemeral:
        if not isinstance(each, dict) or each.get("type") != "m.receipt":
            continue
        room_id, content = each.get("room_id"), each.get("content")
        if _is_id(room_id) and isinstance(content, dict):
            for event, kinds in content.items():
                if event_id := valid_event_id(event):
                    yield from _public(RoomId(room_id), event_id, kinds)


def _public(room_id: RoomId, event_id: EventId, kinds: object) -> Iterator[Receipt]:
    read = kinds.get("m.read") if isinstance(kinds, dict) else None
    for user, details in _items(read):
        at = details.get("ts") if isinstance(details, dict) else None
        if _is_id(user) and isinstance(at, int) and not isinstance(at, bool) and 0 <= at <= _LATEST:
            yield Receipt(room_id, UserId(user), event_id, at)


def _items(value: object) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, Mapping) else ()


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()
