"""What of encrypted rooms could not be read, and why. Works without the extra `e2ee`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.archive import crypto_store
from bridge.ids import RoomId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


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


async def undecryptable_by_room(db: Connection | Pool) -> Mapping[RoomId, Mapping[str, int]]:
    """Return how many encrypted events of each room could not be read, by reason."""
    found: defaultdict[RoomId, Counter[str]] = defaultdict(Counter)
    for row in await crypto_store.read_undecrypted(db):
        reason = row["reason"] or Reason.NOT_TRIED
        if row["code"] is not None and reason == Reason.NO_KEY:
            reason = f"the sender's client gave no key ({row['code']})"
        found[RoomId(row["room_id"])][str(reason)] += row["events"]
    return found
