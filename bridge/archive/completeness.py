"""How complete the archive is for a room, as a value: what it has, what it has not and why.

A statement holds as far as the room was compared with the homeserver, at `checked_at`; what came later is as it was
delivered. Reading is left to `completeness_store`, comparing to `backfill`, showing to `completeness_text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.archive.values import MediaFigures
from bridge.ids import RoomId

EXPIRED = "redacted and expired"
"""Somebody deleted it, and the homeserver had erased its content before we could ask."""
STRIPPED = "state delivered redacted"
"""A deleted state event came without what redaction takes; it could not wait for its original."""
AWAITED = "redacted; the original is still to be fetched"
BEGINNING = "the homeserver has not the room's beginning"
UNCOMPARED = "not compared with the homeserver yet"


class Standing(StrEnum):
    """What a statement comes to."""

    COMPLETE = "complete"
    """Every event up to the comparison is archived as it was sent."""
    INCOMPLETE = "incomplete"
    """Something is missing, for a reason that is named."""
    FROZEN = "frozen"
    """The homeserver has nothing of the room any more; what is archived is all that there will be."""
    UNCOMPARED = "uncompared"
    """Never compared: whether something is missing is not known."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that the archive has not."""

    reason: str
    events: int | None
    """How many; None when nobody knows."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a room cannot be compared."""

    is_gone: bool
    """The homeserver has nothing of it any more; otherwise it refused."""
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """How complete the archive is for one room."""

    room_id: RoomId
    seen_live: int = 0
    """Events that the homeserver delivered."""
    backfilled: int = 0
    """Events that were fetched afterwards."""
    encrypted: int = 0
    """Of both, events whose content only the people in the room can read."""
    first: datetime | None = None
    """When the oldest event was sent; None when there is none."""
    last: datetime | None = None
    is_whole: bool = False
    """Whether the room's creation is archived."""
    checked_at: datetime | None = None
    """When everything was compared with the homeserver; None when it never was."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """Reason → events that are archived without their content."""
    media: MediaFigures = field(default_factory=MediaFigures)
    """The files that its events refer to."""
    awaited: int = 0
    """Events whose original is still to be fetched."""
    obstacle: Obstacle | None = None

    @property
    def events(self) -> int:
        """How many are archived."""
        return self.seen_live + self.backfilled

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What is not there, each with its reason."""
        found = [Missing(reason, count) for reason, count in sorted(self.lost.items())]
        found += [Missing(AWAITED, self.awaited)] if self.awaited else []
        found += [Missing(BEGINNING, None)] if self.events and not self.is_whole else []
        found += [Missing(UNCOMPARED, None)] if self.checked_at is None else []
        if self.obstacle and not self.obstacle.is_gone:
            found.append(Missing(f"the homeserver refused to show the room: {self.obstacle.reason}", None))
        return tuple(found)

    @property
    def standing(self) -> Standing:
        """What it comes to."""
        if self.obstacle and self.obstacle.is_gone:
            return Standing.FROZEN
        if self.checked_at is None and self.obstacle is None:
            return Standing.UNCOMPARED
        return Standing.INCOMPLETE if self.missing else Standing.COMPLETE


@dataclass(frozen=True, slots=True)
class Summary:
    """The statements of all rooms together."""

    standings: Mapping[Standing, int]
    """How many rooms stand how; those that are not named have none."""
    seen_live: int
    backfilled: int
    encrypted: int
    lost: Mapping[str, int]
    """Reason → events that are archived without their content."""


def summarise(statements: Iterable[Statement]) -> Summary:
    """Add statements up."""
    standings: dict[Standing, int] = {}
    lost: dict[str, int] = {}
    seen_live = backfilled = encrypted = 0
    for statement in statements:
        standings[statement.standing] = standings.get(statement.standing, 0) + 1
        seen_live += statement.seen_live
        backfilled += statement.backfilled
        encrypted += statement.encrypted
        for reason, count in statement.lost.items():
            lost[reason] = lost.get(reason, 0) + count
    return Summary(standings, seen_live, backfilled, encrypted, lost)
