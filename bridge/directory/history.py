"""What was true of a person when, as known when: bitemporal reading of the states somebody has had. Pure.

A state is true from `valid_from` on until a state that was recorded later takes its place. So a correction that comes
late changes what is known now of the past, and nothing of what was known then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from bridge.directory.person import Person


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One state a person has had."""

    version: int
    recorded_at: datetime
    source: str
    """Who said so: `scim:<source>` or `csv:<file name>`."""
    action: str
    """`created`, `changed`, `deleted`, or `groups` when only the groups changed."""
    valid_from: date
    """The first day of which it says something: the earliest day of an employment that it adds, moves or takes away;
    at the latest the day of recording."""
    person: Person
    """As of then; without the manager's name."""


def state_at(
    history: Iterable[HistoryEntry], day: date, *, as_known: date | None = None, zone: tzinfo = UTC
) -> HistoryEntry | None:
    """Return the state that was true on a day, as known now, or as known at the end of another day in that zone.

    None when nothing was known of that day. Which employments it has on the day is `person.attributes_of`.
    """
    known = (each for each in history if as_known is None or each.recorded_at.astimezone(zone).date() <= as_known)
    return max((each for each in known if each.valid_from <= day), key=lambda each: each.version, default=None)
