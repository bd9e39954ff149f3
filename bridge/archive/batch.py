"""Events on their way into the archive: what is archived, what is kept for later, what is set aside.

`sort_out` divides the entries of a transaction; `columns_of` turns events into the columns of one INSERT. Both are
total: no entry, whatever its shape, stops the others. Known events, positions and the tree are left to `ingest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.archive import canonical
from bridge.archive.entry import PREFIX
from bridge.archive.ledger import SALT_SIZE, leaf_hash

_LONGEST_ID = 255
"""Bytes (Matrix specification, "Size limits")."""
_LATEST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Malformed:
    """An entry that is no event."""

    body: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The entries of a transaction, divided; every event once, in the order of arrival."""

    events: Mapping[str, Mapping[str, Any]]
    """To be archived, by event ID."""
    redacted: Mapping[str, Mapping[str, Any]]
    """Arrived without their content: the original is to be fetched first."""
    stripped: Mapping[str, Mapping[str, Any]]
    """Of the events to be archived, state that arrived without what its redaction took."""
    malformed: Sequence[Malformed]


@dataclass(frozen=True, slots=True)
class Columns:
    """Events as columns of the table `event`, equally long; texts hold no control characters."""

    timestamps: Sequence[int]
    event_ids: Sequence[str]
    room_ids: Sequence[str]
    types: Sequence[str]
    senders: Sequence[str]
    state_keys: Sequence[str | None]
    relates_to: Sequence[str | None]
    """The event that it edits, redacts, reacts or answers to, or whose thread it is in."""
    salts: Sequence[bytes]
    leaves: Sequence[bytes]
    bodies: Sequence[bytes]


def sort_out(entries: Sequence[object], *, keep_redacted: bool = True) -> Arrivals:
    """Divide what was delivered; of an event that comes twice the first counts.

    With `keep_redacted`, messages without their content are kept apart. State is not: it keeps in redacted form what
    rooms live by (membership, power), which must not wait for the original.
    """
    events: dict[str, Mapping[str, Any]] = {}
    redacted: dict[str, Mapping[str, Any]] = {}
    stripped: dict[str, Mapping[str, Any]] = {}
    malformed: list[Malformed] = []
    for entry in entries:
        if not isinstance(entry, dict):
            malformed.append(_malformed(entry, f"expected an object, got {type(entry).__name__}"))
            continue
        event_id = entry.get("event_id")
        if not isinstance(event_id, str) or not _is_id(event_id):
            malformed.append(_malformed(entry, "expected an event_id of 1 to 255 bytes without control characters"))
        elif event_id.startswith(PREFIX):
            malformed.append(
                _malformed(entry, f"expected an event's ID, got one that begins with {PREFIX}, an entry's")
            )
        elif not (keep_redacted and is_redacted(entry)):
            events.setdefault(event_id, entry)
        elif "state_key" in entry:
            stripped[event_id] = events.setdefault(event_id, entry)
        else:
            redacted.setdefault(event_id, entry)
    return Arrivals(events, redacted, stripped, malformed)


def is_redacted(event: Mapping[str, Any]) -> bool:
    """Return whether the homeserver gave the event without what was redacted."""
    unsigned = event.get("unsigned")
    return isinstance(unsigned, dict) and "redacted_because" in unsigned


def columns_of(events: Sequence[Mapping[str, Any]], salts: bytes) -> Columns:
    """Hash the events and lay them out; `salts` holds `SALT_SIZE` random bytes for each."""
    bodies = [canonical.encode(event) for event in events]
    parts = [salts[place : place + SALT_SIZE] for place in range(0, len(bodies) * SALT_SIZE, SALT_SIZE)]
    return Columns(
        timestamps=[_timestamp(event.get("origin_server_ts")) for event in events],
        event_ids=[event["event_id"] for event in events],
        room_ids=room_columns(events),
        types=[as_column(event.get("type")) for event in events],
        senders=[as_column(event.get("sender")) for event in events],
        state_keys=[as_column(event["state_key"]) if "state_key" in event else None for event in events],
        relates_to=[_related_to(event) for event in events],
        salts=parts,
        leaves=[leaf_hash(salt, body) for salt, body in zip(parts, bodies, strict=True)],
        bodies=bodies,
    )


def room_columns(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the events' rooms as a column holds them."""
    return [as_column(event.get("room_id")) for event in events]


def storable(text: str, length: int) -> str:
    """Return at most `length` characters, with a stand-in for what PostgreSQL's text cannot hold."""
    return text[:length].replace("\0", "�").encode("utf-8", "replace").decode()


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and len(text.encode()) <= _LONGEST_ID


def _malformed(entry: object, reason: str) -> Malformed:
    return Malformed(canonical.encode_value(entry), reason)


def fits_column(text: str) -> bool:
    """Return whether a column holds the text as it is; a name that none holds so is nobody's."""
    return as_column(text) == text


def as_column(value: object) -> str:
    """Return the text, shortened, with stand-ins for control characters; the body keeps what was received."""
    if not isinstance(value, str):
        return ""
    if value.isprintable() and len(value) <= _LONGEST_ID:
        return value
    return "".join(one if one.isprintable() else "�" for one in value[:_LONGEST_ID])


def _timestamp(value: object) -> int:
    return value if type(value) is int and 0 <= value <= _LATEST else 0


def _related_to(event: Mapping[str, Any]) -> str | None:
    """Return what it redacts, else what its relation names (specification, "Forming relationships between events")."""
    content = event.get("content")
    if not isinstance(content, dict):
        content = {}
    target: object = None
    if event.get("type") == "m.room.redaction":
        target = event.get("redacts") or content.get("redacts")
    elif "m.relates_to" in content:
        relation = content["m.relates_to"]
        if isinstance(relation, dict):
            reply = relation.get("m.in_reply_to")
            target = relation.get("event_id") or (reply.get("event_id") if isinstance(reply, dict) else None)
    return target if isinstance(target, str) and _is_id(target) else None
