"""What of encrypted rooms could be read and what could not, and why. Works without the extra `e2ee`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bridge.archive import crypto_store, store
from bridge.archive.encrypted import Device, EncryptedRoom, Encryption, Reason
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def undecryptable_by_room(db: Connection | Pool) -> Mapping[RoomId, Mapping[str, int]]:
    """Return how many encrypted events of each room could not be read, by reason."""
    found: defaultdict[RoomId, Counter[str]] = defaultdict(Counter)
    for row in await crypto_store.read_undecrypted(db):
        reason = row["reason"] or Reason.NOT_TRIED
        if row["code"] is not None and reason == Reason.NO_KEY:
            reason = f"the sender's client gave no key ({row['code']})"
        found[RoomId(row["room_id"])][str(reason)] += row["events"]
    return {room_id: dict(reasons) for room_id, reasons in found.items()}


async def as_said(db: Connection | Pool, events: Sequence[Event]) -> Sequence[Event]:
    """Return the events with what those say that were encrypted and could be read by now in their place."""
    encrypted = [event.seq for event in events if event.type == "m.room.encrypted"]
    if not encrypted:
        return events
    said = await crypto_store.read_plaintexts(db, encrypted)
    return [Event.of(wire.decode(said[event.seq]), event.seq) if event.seq in said else event for event in events]


async def read_encryption(pool: Pool) -> Encryption:
    """Return the archive's device, and every room that is to be encrypted or holds encrypted events."""
    async with store.snapshot(pool) as connection:
        row = await crypto_store.read_device(connection)
        required = await crypto_store.read_encrypted_rooms(connection)
        read = await crypto_store.count_plaintexts(connection)
        unread = await undecryptable_by_room(connection)
    device = Device(UserId(row["user_id"]), row["device_id"], row["fingerprint"], row["ready"]) if row else None
    rooms = sorted({*required, *read, *unread})
    return Encryption(
        device,
        tuple(EncryptedRoom(room, room in required, read.get(room, 0), unread.get(room, {})) for room in rooms),
    )
