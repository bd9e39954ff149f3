"""A slice as it was read: its records, what amends them, who sent them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bridge.archive.export.conversation import amended_by
from bridge.archive.export.values import Known, Record
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId

KnownThen = Mapping[tuple[UserId, date], Known]
"""(user, day) → what the directory knew of them."""


@dataclass(frozen=True, slots=True)
class Portion:
    """A slice as it was read."""

    records: Sequence[Record]
    following: Sequence[Event]
    """What amends its events, or those that its edits amend."""
    known: KnownThen

    @property
    def about(self) -> Mapping[EventId, Sequence[Event]]:
        """Event → what edits, redacts or reacts to it."""
        found: defaultdict[EventId, list[Event]] = defaultdict(list)
        for event in self.following:
            target = amended_by(event)
            if target:
                found[target].append(event)
        return found
