"""What a request for erasure takes, and what must stay, and why (GDPR Articles 17 and 17(3)). Pure.

Messages go: their text and salt. What is on hold stays, and what stands in rooms whose records the law requires or the
policy keeps until a day. State stays, because without it nobody can tell who could see what.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from bridge.archive.disposition import spans_of
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.policy.schema import Keep

ON_HOLD = "on legal hold"
STATE = "state of the room: who was in it and what it was called, without which nobody can tell who could see what"


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the person sent."""

    seq: int
    room_id: RoomId
    is_state: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of a room, and why."""

    room_id: RoomId
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """A decision on a request."""

    person: PersonId
    accounts: Sequence[UserId]
    going: Sequence[int]
    """Positions, in order."""
    rooms: Mapping[RoomId, int]
    """How many go of each room."""
    kept: Sequence[Kept]

    @property
    def digest(self) -> str:
        """What names exactly this decision."""
        kept = [[one.room_id, one.reason, one.count] for one in self.kept]
        named = [self.person, list(self.accounts), spans_of(self.going), kept]
        return sha256(json.dumps(named).encode()).hexdigest()


def required_by_policy(keys: Mapping[RoomId, RoomKey], keep: Mapping[str, Keep], today: date) -> dict[RoomId, str]:
    """Return the managed rooms that the policy keeps until a day that has not come, and in which words."""
    found = {}
    for room_id, key in keys.items():
        ends = keep.get(key.partition("/")[0], Keep()).ends
        if ends and today < ends:
            found[room_id] = f"the policy keeps {key} until {ends}"
    return found


def decide(
    person: PersonId,
    accounts: Sequence[UserId],
    said: Iterable[Said],
    held: Collection[int],
    required: Mapping[RoomId, str],
) -> Erasure:
    """Return what goes and what stays of what a person said; `required` are rooms that the law keeps, with the reason.

    What is on hold stays for that reason, whatever else holds for it.
    """
    going: list[int] = []
    rooms, kept = Counter[RoomId](), Counter[tuple[RoomId, str]]()
    for one in said:
        reason = ON_HOLD if one.seq in held else STATE if one.is_state else required.get(one.room_id)
        if reason is None:
            going.append(one.seq)
            rooms[one.room_id] += 1
        else:
            kept[one.room_id, reason] += 1
    stays = [Kept(room_id, reason, count) for (room_id, reason), count in sorted(kept.items())]
    return Erasure(person, accounts, going, dict(sorted(rooms.items())), stays)
