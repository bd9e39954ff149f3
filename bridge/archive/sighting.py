"""Where a file went and who could see it, from what was read; reading is left to `trace`, showing to `trace_text`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.archive.audience import RoomPast, audience_of
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
class Mention:
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


@dataclass(frozen=True, slots=True)
class Sighting:
    """Such an event, and how many could see it."""

    mention: Mention
    visibility: str
    """`joined`, `invited`, `shared` or `world_readable`."""
    then: int
    later: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who could see the file, or sent it."""

    user_id: UserId
    since: datetime
    """When they first could."""
    rooms: tuple[RoomId, ...]
    """Where, sorted."""


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
    viewers: tuple[Viewer, ...]
    """By user ID."""
    unknown: int
    """Links whose files are not there, any of which could be this one."""

    @property
    def rooms(self) -> frozenset[RoomId]:
        """Where it was."""
        return frozenset(sighting.mention.room_id for sighting in self.sightings)

    @property
    def people(self) -> tuple[UserId, ...]:
        """Who could see it, sorted."""
        return tuple(viewer.user_id for viewer in self.viewers)


def sightings_of(
    mentions: Sequence[Mention], pasts: Mapping[RoomId, RoomPast]
) -> tuple[tuple[Sighting, ...], tuple[Viewer, ...]]:
    """Return how many could see each event, and who any, with the pasts of the events' rooms."""
    sightings = []
    since: dict[UserId, datetime] = {}
    rooms: dict[UserId, set[RoomId]] = {}
    for mention in mentions:
        audience = audience_of(mention.at, pasts[mention.room_id])
        sightings.append(Sighting(mention, audience.visibility, len(audience.then), len(audience.later)))
        seen = [(user, mention.at) for user in (*audience.then, mention.sender)]
        for user, at in (*seen, *((one.user_id, one.since) for one in audience.later)):
            since[user] = min(at, since.get(user, at))
            rooms.setdefault(user, set()).add(mention.room_id)
    return tuple(sightings), tuple(Viewer(user, since[user], tuple(sorted(rooms[user]))) for user in sorted(since))
