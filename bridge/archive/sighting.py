"""Where a file went, as values. Finding it is left to `trace`, showing it to `trace_text`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.archive.audience import Audience
from bridge.archive.media import Place
from bridge.ids import EventId, RoomId, UserId


@dataclass(frozen=True, slots=True)
class Target:
    """What is looked for: a file by its hash, or a link."""

    sha256: bytes | None = None
    mxc: str | None = None

    def __str__(self) -> str:
        """Return it as a person writes it."""
        return self.mxc or (self.sha256 or b"").hex()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that the archive holds."""

    sha256: bytes
    size: int
    mimetype: str
    """As the homeserver said; empty when unknown."""
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event that refers to the file."""

    event_id: EventId
    room_id: RoomId
    sender: UserId
    type: str
    at: datetime
    place: Place
    name: str
    """As its sender calls the file; may be empty."""
    mxc: str
    audience: Audience


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a file went."""

    target: Target
    file: StoredFile | None
    """None when no link to it was fetched."""
    links: Mapping[str, str]
    """Each link to it → why it is not there, or empty."""
    sightings: tuple[Sighting, ...]
    """In the order in which they were sent."""
    unknown: int
    """Links whose files are not there, any of which could be this one."""

    @property
    def rooms(self) -> frozenset[RoomId]:
        """Where it was."""
        return frozenset(sighting.room_id for sighting in self.sightings)

    @property
    def people(self) -> tuple[UserId, ...]:
        """Who could see it, then or since, sorted; whoever sent it is among them."""
        audiences = [sighting.audience for sighting in self.sightings]
        seen = {user for audience in audiences for user in audience.then}
        late = {one.user_id for audience in audiences for one in audience.later}
        return tuple(sorted(seen | late | {sighting.sender for sighting in self.sightings}))
