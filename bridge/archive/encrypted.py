"""What the archive has of encrypted rooms, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bridge.ids import RoomId, UserId

DEVICE_KEY = "archive-device.key"
"""The file in the data folder that opens the keys of encrypted rooms."""


class Reason(StrEnum):
    """Why an encrypted event cannot be read."""

    NOT_TRIED = "not tried yet"
    NO_KEY = "no key came"
    TOO_EARLY = "said before the key begins"
    BROKEN = "does not open with its key"
    REPLAYED = "the same message again"
    ELSEWHERE = "meant for another room"
    UNKNOWN = "unknown kind of encryption"
    SHAPELESS = "nothing readable inside"


@dataclass(frozen=True, slots=True)
class Device:
    """The archive's own device."""

    user_id: UserId
    device_id: str
    fingerprint: str
    """Its Ed25519 key in unpadded base64, which clients show as the session key."""
    published: bool
    """Whether its keys are published, signed by its account's own identity."""


@dataclass(frozen=True, slots=True)
class EncryptedRoom:
    """What became of a room's encrypted events."""

    room_id: RoomId
    required: bool
    """Whether the policy encrypts it."""
    read: int
    unread: Mapping[str, int]
    """By reason."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """What the archive has of encrypted rooms."""

    device: Device | None
    rooms: tuple[EncryptedRoom, ...]
