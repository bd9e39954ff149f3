"""What an export is made of, as values: records, the messages that they amount to, and conversations.

Reading them is left to `reading`, laying them out to one module for each form.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from bridge.archive.export.file_key import FileKey
from bridge.archive.values import Reaction, Version
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId

ENCRYPTED = "m.room.encrypted"


@dataclass(frozen=True, slots=True)
class Known:
    """What the directory knew of a person at the time."""

    user_name: str
    name: str
    department: str = ""
    email: str = ""


People = Callable[[Collection[UserId], datetime], Awaitable[Mapping[UserId, Known]]]
"""Returns what the directory knew by a moment of the people behind accounts; whom it did not know is missing."""


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of a file that came with an event."""

    sha256: bytes | None
    """None when it is not archived."""
    problem: str = ""
    """Why not."""


class Media(Protocol):
    """Where files are kept."""

    async def find(self, seqs: Collection[int]) -> Mapping[tuple[int, str], Filed]:
        """Return what became of the files of the events at these positions, by position and mxc URI."""

    def read(self, sha256: bytes) -> AsyncIterator[bytes]:
        """Yield a file's content; raises a `MusterError` when it is away, or is not what its hash says."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message."""

    name: str
    """As the sender called it."""
    mimetype: str
    mxc: str
    sha256: str = ""
    """Hexadecimal; empty when it is not archived."""
    path: str = ""
    """In the export; empty when it is not there."""
    size: int = 0
    """Bytes, when it is there."""
    problem: str = ""
    """Why it is not."""
    is_encrypted: bool = False
    """As it came; in the export it is opened."""
    key: FileKey | None = None
    """What opens it; None when it is not encrypted, or the message brings no key."""


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it stands in the ledger."""

    seq: int
    event: Event
    """As it was meant, when it came encrypted and was read; without content when the record was disposed of."""
    body: bytes | None
    """Canonical bytes; None when it was disposed of."""
    salt: bytes | None
    leaf: bytes
    sent_at: datetime
    received_at: datetime
    backfilled: bool
    attachment: Attachment | None = None
    said: bytes | None = None
    """What it said, as canonical JSON, when it came encrypted and was read."""

    @property
    def came_as(self) -> str:
        """The type of the event as it was archived."""
        return self.event.type if self.said is None else ENCRYPTED


@dataclass(frozen=True, slots=True)
class Slice:
    """What is read, written and noted as done at once."""

    number: int
    """From 1."""
    events: int
    room_id: RoomId
    """And the day; of any of its events when it is not cut by room and day."""
    day: date
    """Of UTC."""


class Kind(StrEnum):
    """What an entry of a conversation is."""

    MESSAGE = "message"
    JOIN = "join"
    LEAVE = "leave"
    OTHER = "other"
    """A change of the room's state, or what amends a message that is not in the export."""


@dataclass(frozen=True, slots=True)
class Message:
    """An entry of a conversation, with what became of it."""

    record: Record
    kind: Kind
    user_id: UserId
    """Who said it, joined or left."""
    text: str
    edits: tuple[Version, ...] = ()
    redaction: Event | None = None
    reactions: tuple[Reaction, ...] = ()
    reply_to: EventId | None = None
    thread: EventId | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in a conversation."""

    user_id: UserId
    display_name: str
    """In the room, then; empty when the room did not know one."""
    known: Known | None = None

    @property
    def name(self) -> str:
        """What to call them: as the directory did, else as the room did, else the user ID."""
        return (self.known and self.known.name) or self.display_name or self.user_id

    @property
    def title(self) -> str:
        """Name, department and user ID."""
        department = f" ({self.known.department})" if self.known and self.known.department else ""
        return f"{self.name}{department} {self.user_id}" if self.name != self.user_id else self.user_id


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said in a room on a day, or a part of it when that is much."""

    number: int
    """Of the slice."""
    room_id: RoomId
    room_name: str
    day: date
    begins: datetime
    ends: datetime
    """When the first and the last of its entries were sent."""
    messages: tuple[Message, ...]
    """In the order in which they were sent."""
    participants: Mapping[UserId, Participant]
    """Whoever is named in it, or was in the room, sorted."""
    present: frozenset[UserId] = frozenset()
    """Who was in the room when it begins."""
    content: Mapping[str, bytes] = field(default_factory=dict)
    """Path of an attachment → its bytes, of those that are small enough to be put into the file of the conversation."""

    @property
    def name(self) -> str:
        """The beginning of the names of its files."""
        return f"{self.number:06d}-{self.day.isoformat()}"

    def participant(self, user_id: UserId) -> Participant:
        """Return who that is."""
        return self.participants.get(user_id) or Participant(user_id, "")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation, laid out."""

    files: Mapping[str, bytes]
    """Path in the export → content."""
    index: Mapping[str, Any] = field(default_factory=dict)
    """What the form needs of it, as JSON, when all are laid out and are joined into tables of contents."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file of an export."""

    path: str
    """Below the export's folder, without what encryption adds."""
    sha256: str
    """Hexadecimal, of the content."""
    size: int
    """Bytes of the content."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that is not in the export."""

    event_id: str
    name: str
    mxc: str
    problem: str
