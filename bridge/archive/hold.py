"""A legal hold: what must be kept, whatever retention and erasure say, and who was told so. Pure.

A hold on a person keeps what they sent and what was said in rooms while they were there, also what comes after the
hold was placed. Custodians are the people whom its scope names. Placing and releasing are left to `holds`, telling the
custodians to `bridge.selfservice.hold_notices`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.archive.scope import Scope
from bridge.ids import EventId, UserId

_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""Matrix specification, "Matrix Content (mxc://) URIs"."""
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


def media_ids(content: Mapping[str, Any], server_name: str) -> frozenset[str]:
    """Return the IDs of the server's own media that an event's content links to, wherever it does so."""
    prefix = f"mxc://{server_name}/"
    found: set[str] = set()
    waiting: list[Any] = [content]
    while waiting:  # content may be nested deeper than Python calls
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and value.startswith(prefix) and _MEDIA_ID.fullmatch(value[len(prefix) :]):
            found.add(value[len(prefix) :])
    return frozenset(found)
