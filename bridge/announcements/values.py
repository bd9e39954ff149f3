"""What the parts of announcing pass to one another (pure): priorities, states, whom something is for, what goes out.

A writer puts `Outgoing` rows through `outbox_store.put` and leaves the saying to the postman.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from bridge.directory.selector import Selector, parse
from bridge.ids import EventId, RoomId, UserId
from bridge.policy.schema import RuleId


class Priority(IntEnum):
    """What goes first; also the rank of what is said for it."""

    EMERGENCY = 0
    URGENT = 1
    IMPORTANT = 2
    NORMAL = 3


class State(StrEnum):
    """How far an announcement has come."""

    DRAFT = "draft"
    """Shown to its author, and not confirmed yet."""
    SCHEDULED = "scheduled"
    OPEN = "open"
    OVER = "over"
    RETRACTED = "retracted"
    DISCARDED = "discarded"
    """A draft that nobody confirmed, or that its author withdrew."""


class Role(StrEnum):
    """What something that goes out is to the announcement."""

    COPY = "copy"
    """The announcement itself, in a room or for a person."""
    POLL = "poll"
    REMINDER = "reminder"
    BOARD = "board"
    ANSWER = "answer"
    """To something that was written in a room."""
    NOTE = "note"


class Act(StrEnum):
    """What is done on Matrix; all but `SEND` are done to the event of another row."""

    SEND = "send"
    EDIT = "edit"
    REDACT = "redact"
    PIN = "pin"
    UNPIN = "unpin"


@dataclass(frozen=True, slots=True)
class Whom:
    """For whom an announcement is: the rooms of some rules, or people, each in the room of their own."""

    rooms: tuple[RuleId, ...] = ()
    people: Selector | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the column `announcement.audience` holds it."""
        return {"people": self.people.text} if self.people is not None else {"rooms": list(self.rooms)}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Whom:
        """Return what `as_json` wrote."""
        if "people" in stored:
            return cls(people=parse(stored["people"]))
        return cls(rooms=tuple(stored["rooms"]))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Something that the bot is to say, change or take back, as a writer puts it; exactly one of room and user."""

    key: str
    """What it is. Putting the same key again is the same row; what is said repeatedly has a key for each time."""
    act: Act
    role: Role
    rank: int
    """A `Priority`: lower goes first, whatever is queued."""
    due_at: datetime
    room_id: RoomId | None = None
    user_id: UserId | None = None
    """In that person's room for announcements, which is made when it is first needed."""
    event_type: str = "m.room.message"
    """Of `SEND`."""
    content: Mapping[str, Any] | None = None
    """Of `SEND`, and of `EDIT` what stands there from now on (`m.new_content`); `None` for all others."""
    target: str | None = None
    """Of all but `SEND`: the key of the row whose event is meant."""
    announcement: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What stands in a room, by the event that it became."""

    announcement: str | None
    version: int | None
    role: Role
    room_id: RoomId
    user_id: UserId | None
    """Whose personal room it is; None in a room of several people."""
    key: str


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of an announcement, for a room or a person."""

    key: str
    rank: int
    room_id: RoomId | None
    user_id: UserId | None
    state: str
    """`waiting`, `done` or `failed`."""
    event_id: EventId | None


def copy_key(announcement: str, place: RoomId | UserId) -> str:
    """Return the key of the copy of an announcement in a room, or for a person."""
    return f"{announcement}/copy/{place}"


def answer_key(event_id: EventId) -> str:
    """Return the key of the answer to an event; an event with an answer has been decided on."""
    return f"answer/{event_id}"
