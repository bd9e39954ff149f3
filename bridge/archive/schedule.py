"""What of which room is over: the policy's periods and days, applied to rooms as the archive knows them. Pure.

What a rule of the policy says holds for its rooms, `direct` and `unmanaged` for those that people made. Messages and
all that is no state are over one by one. State is what a room lives by (who is in it, who has power, its name): it
stays as long as the room has anything, or anybody, or heard of anything since. Days are those of UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from bridge.ids import RoomId, RoomKey
from bridge.policy.period import FOR_EVER, Period
from bridge.policy.retention import DIRECT, UNMANAGED, retention_of
from bridge.policy.schema import Keep, Policy

_NIGHT = 2
"""o'clock."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room of which something is archived."""

    room_id: RoomId
    key: RoomKey | None
    """None for a room that people made."""
    direct: bool
    """Whether it is a talk of two, as search has it."""
    newest: datetime
    """When its last event was sent, state included."""
    speaks: bool
    """Whether anything is left that is no state."""
    inhabited: bool
    """Whether somebody is in it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What of a room is over."""

    room_id: RoomId
    cutoff: datetime
    """What was sent before."""
    whole: bool
    """State too."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the policy says of a room."""

    name: str
    """Of the rule, or `direct` or `unmanaged`."""
    period: Period | None
    keep: Keep

    def __str__(self) -> str:
        """Return the rule as a person reads it: `lunch, kept 30d, from 2024-01-01`."""
        begins = f", from {self.keep.begins}" if self.keep.begins else ""
        ends = f", until {self.keep.ends}" if self.keep.ends else ""
        return f"{self.name}, kept {self.period or FOR_EVER}{begins}{ends}"


def rule_for(policy: Policy, room: Room) -> Rule:
    """Return what holds for a room."""
    name = room.key.partition("/")[0] if room.key else DIRECT if room.direct else UNMANAGED
    return Rule(name, retention_of(policy, room.key, direct=room.direct), policy.retention.keep.get(name, Keep()))


def cutoff(rule: Rule, today: date) -> datetime | None:
    """Return the moment before which everything is over on that day; None when nothing is."""
    if rule.keep.ends and today < rule.keep.ends:
        return None
    over = [] if rule.period is None else [rule.period.before(_midnight(today))]
    if rule.keep.begins:
        over.append(min(_midnight(rule.keep.begins), _midnight(today)))
    return max(over, default=None)


def limits(policy: Policy, rooms: Iterable[Room], today: date) -> Iterator[tuple[Rule, Limit]]:
    """Yield what is over of each room of which anything may be."""
    for room in rooms:
        rule = rule_for(policy, room)
        if (before := cutoff(rule, today)) is not None:
            whole = not (room.speaks or room.inhabited) and room.newest < before
            yield rule, Limit(room.room_id, before, whole)


@dataclass(frozen=True, slots=True)
class Share:
    """What of one room would go."""

    rule: Rule
    limit: Limit
    name: str
    """What the room is called: its key, or its ID."""
    count: int
    """Records that are over, those on hold included."""
    held: int
    """Of them, on hold."""
    oldest: datetime
    newest: datetime
    size: int
    """Bytes of events."""
    positions: bytes
    """SHA-256 of the positions that are over."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go on a day."""

    today: date
    upto: int
    """Position behind which nothing was looked at."""
    there: int
    """Events of rooms that are there now."""
    shares: Sequence[Share]

    @property
    def going(self) -> int:
        """How many records would go."""
        return sum(share.count - share.held for share in self.shares)

    @property
    def digest(self) -> str:
        """What names exactly this, whenever it is looked at on the same day."""
        named = [
            [
                *(one.rule.name, one.limit.room_id, one.limit.cutoff.isoformat(), one.limit.whole),
                *(one.count, one.held, one.positions.hex()),
            ]
            for one in self.shares
        ]
        return sha256(json.dumps(named).encode()).hexdigest()

    def by_rule(self) -> Mapping[Rule, Sequence[Share]]:
        """Return the shares of each rule, the largest first."""
        found: dict[Rule, list[Share]] = {}
        for share in sorted(self.shares, key=lambda one: (one.rule.name, -one.count, one.limit.room_id)):
            found.setdefault(share.rule, []).append(share)
        return found

    def is_too_much(self, fraction: float) -> bool:
        """Return whether more than this part of what is there would go at once."""
        return self.going > fraction * self.there


def seconds_to_night(now: datetime, timezone: str) -> float:
    """Return how long it is until it is next two o'clock at night there."""
    here = now.astimezone(ZoneInfo(timezone))
    night = here.replace(hour=_NIGHT, minute=0, second=0, microsecond=0)
    if night <= here:
        night += timedelta(days=1)
    return (night.astimezone(UTC) - now).total_seconds()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
