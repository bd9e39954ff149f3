"""How far an announcement has come (pure): its name, what counts as an acknowledgement, and the report."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: nothing that is read or dictated as something else."""
_ID = re.compile(f"[{_LETTERS}]{{8}}")
_EVENT_ID = re.compile(r"\$[!-~]{1,254}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody an announcement is for."""

    user_id: UserId
    name: str
    """The display name; the user ID when there is none."""
    delivered_at: datetime | None
    acknowledged_at: datetime | None


@dataclass(frozen=True, slots=True)
class RoomDelivery:
    """How an announcement fared in one room."""

    room_id: RoomId | None
    """None while a person's room is not made."""
    name: str
    """The room's; of a person's room the person's."""
    state: str
    """`waiting`, `delivered` or `failed`."""
    event_id: EventId | None
    attempts: int
    error: str | None
    user_id: UserId | None = None
    """Whose own room it is; None for a room of several people."""


@dataclass(frozen=True, slots=True)
class Report:
    """Who got an announcement and who has acknowledged it, in people."""

    targeted: int
    delivered: int
    acknowledged: int
    missing: tuple[UserId, ...]
    """Those who have not acknowledged it, delivered or not, sorted."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One announcement in a list of them."""

    id: str
    desk: str
    author: UserId
    author_name: str
    text: str
    """What the author wrote; for files the name."""
    created_at: datetime
    targeted: int
    delivered: int
    acknowledged: int


def report(recipients: Iterable[Recipient]) -> Report:
    """Count the recipients."""
    everyone = tuple(recipients)
    missing = sorted(recipient.user_id for recipient in everyone if recipient.acknowledged_at is None)
    return Report(
        targeted=len(everyone),
        delivered=sum(recipient.delivered_at is not None for recipient in everyone),
        acknowledged=len(everyone) - len(missing),
        missing=tuple(missing),
    )


def announcement_id(seed: bytes) -> str:
    """Return a name such as `7kq2-m9xd`, always the same for the same seed (40 bits of SHA-256)."""
    number = int.from_bytes(sha256(seed).digest()[:5])
    letters = "".join(_LETTERS[number >> shift & 31] for shift in range(35, -1, -5))
    return f"{letters[:4]}-{letters[4:]}"


def read_id(typed: str) -> str | None:
    """Return the id that somebody typed, in capitals or without the hyphen; None when it cannot be one."""
    letters = typed.strip().lower().replace("-", "")
    return f"{letters[:4]}-{letters[4:]}" if _ID.fullmatch(letters) else None


def acknowledged_event(event: Event) -> EventId | None:
    """Return the event that this one acknowledges: any reaction does, whatever the emoji (spec "Event annotations")."""
    relation = event.content.get("m.relates_to") if event.type == "m.reaction" else None
    if not isinstance(relation, dict) or relation.get("rel_type") != "m.annotation":
        return None
    return valid_event_id(relation.get("event_id"))


def valid_event_id(value: object) -> EventId | None:
    """Return the value when it may be an event ID; people can write anything where one belongs."""
    return EventId(value) if isinstance(value, str) and _EVENT_ID.fullmatch(value) else None
