"""Which part of the archive something is about: a case, a legal hold, an export, a disposition.

    rooms     everything in them
    people    custodians: what they sent, and everything in a room while they were joined to it
    neither   everything

and of that what was sent from `since` on and before `until`. Rooms and people add up: a scope of a room and a person
is what either alone would be. Entries of the archive's own log are in no scope. What was sent when the sender's server
does not say counts as sent when it arrived. Reading is left to `scope_store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from bridge.archive.values import StateEvent
from bridge.errors import InputError
from bridge.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of the archive."""

    rooms: frozenset[RoomId] = frozenset()
    people: frozenset[UserId] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a scope that ends before it begins."""
        if self.since and self.until and self.until <= self.since:
            raise InputError(
                f"Expected an end after the beginning, came {self.since.isoformat()} until {self.until.isoformat()}."
            )

    def as_json(self) -> dict[str, Any]:
        """Return the scope as JSON, for tables and entries; `of_json` reads it."""
        return {
            "rooms": sorted(self.rooms),
            "people": sorted(self.people),
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
        }

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Self:
        """Return the scope that `as_json` wrote."""
        since, until = value["since"], value["until"]
        return cls(
            frozenset(map(RoomId, value["rooms"])),
            frozenset(map(UserId, value["people"])),
            since and datetime.fromisoformat(since),
            until and datetime.fromisoformat(until),
        )


@dataclass(frozen=True, slots=True)
class Stay:
    """A time during which somebody was joined to a room."""

    user_id: UserId
    room_id: RoomId
    begins: datetime
    ends: datetime | None
    """When they left or were removed; that event is part of the stay. None while it lasts."""


def stays_of(memberships: Iterable[StateEvent]) -> Iterator[Stay]:
    """Yield the stays that membership events, in the order in which they counted, amount to."""
    joined: dict[tuple[UserId, RoomId], datetime] = {}
    for member in memberships:
        who = UserId(member.event.state_key or ""), member.event.room_id
        if member.event.content.get("membership") == "join":
            joined.setdefault(who, member.at)
        elif who in joined:
            yield Stay(*who, joined.pop(who), member.at)
    for (user_id, room_id), begins in joined.items():
        yield Stay(user_id, room_id, begins, None)
