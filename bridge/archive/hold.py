"""A legal hold: what must be kept, whatever retention and erasure say, and who was told so. Pure.

A hold on a person keeps what they sent and what was said in rooms while they were there, also what comes after the
hold was placed. Custodians are the people whom its scope names. Placing and releasing are left to `holds`, telling the
custodians to `bridge.selfservice.hold_notices`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.archive.scope import Scope
from bridge.ids import EventId, UserId

REMIND = timedelta(days=7)
"""After so long a custodian who has not acknowledged is reminded, unless the hold says otherwise."""


@dataclass(frozen=True, slots=True)
class Release:
    """That a hold is over."""

    by: str
    at: datetime
    entry: EventId
    """Of the ledger."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What must be kept, and why."""

    number: str
    reason: str
    scope: Scope
    placed_by: str
    since: datetime
    """When it was placed."""
    entry: EventId
    """Of the ledger, about placing it."""
    case: str | None = None
    silent: bool = False
    """Custodians are not told."""
    remind: timedelta = REMIND
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class Custodian:
    """Somebody whom a hold names."""

    user_id: UserId
    told: int
    """How often they were told of it."""
    acknowledged_at: datetime | None
