"""The archive's device and what it read, as text for a terminal and as JSON for scripts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bridge.archive.encrypted import EncryptedRoom, Encryption
from bridge.archive.rendering import printable

_GROUP = 4


def encryption_as_text(found: Encryption, *, can_decrypt: bool) -> str:
    """Return the device with its fingerprint in groups of four, as Element shows it, and each room with its figures."""
    lines = list(_device_lines(found, can_decrypt=can_decrypt))
    for room in found.rooms:
        lines += ["", *_room_lines(room)]
    if not found.rooms:
        lines += ["", "No room is encrypted."]
    return "\n".join(lines)


def encryption_as_json(found: Encryption) -> dict[str, Any]:
    """Return the same as JSON."""
    rooms = [
        {"room_id": room.room_id, "required": room.required, "read": room.read, "unread": dict(room.unread)}
        for room in found.rooms
    ]
    return {"device": asdict(found.device) if found.device else None, "rooms": rooms}


def _device_lines(found: Encryption, *, can_decrypt: bool) -> Iterator[str]:
    if not can_decrypt:
        yield 'Nothing reads encrypted rooms: pip install "muster[e2ee]", and restart Muster.'
    if found.device is None:
        yield "No device yet; `muster run` makes it once a room is encrypted."
        return
    key = found.device.fingerprint
    yield f"account      {found.device.user_id}"
    yield f"session      {found.device.device_id}"
    yield f"session key  {' '.join(key[place : place + _GROUP] for place in range(0, len(key), _GROUP))}"
    yield f"verified     {'by its account' if found.device.published else 'not published yet'}"


def _room_lines(room: EncryptedRoom) -> Iterator[str]:
    yield f"{printable(room.room_id)}{'' if room.required else '  (not encrypted by the policy)'}"
    yield f"  read      {room.read:,}"
    if room.unread:
        yield f"  not read  {sum(room.unread.values()):,}"
    for reason, count in sorted(room.unread.items(), key=lambda each: (-each[1], each[0])):
        yield f"    {count:>7,}  {printable(reason)}"
