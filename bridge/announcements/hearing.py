"""From events to answers (pure): who answered what, as of which version of the text, and whether it counts.

What an event says to a form is `form`'s; writing answers down and letting the newest text count is `heard_store`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.announcements.form import ANSWERS, Form, Kind, answer_of, answered_event, counts
from bridge.announcements.tracking import valid_event_id
from bridge.announcements.values import Act, Outgoing, Priority, Role, Sent
from bridge.clock import from_milliseconds
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId

ANSWERABLE = frozenset({Role.COPY, Role.POLL, Role.REMINDER})
"""What may be answered; a note to a manager or a board is not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A text of an announcement that stands in a room."""

    announcement: str
    room_id: RoomId
    version: int
    done_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What an announcement asks, and until when."""

    form: Form
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered to an announcement."""

    event_id: EventId
    announcement: str
    user_id: UserId
    at: datetime
    version: int
    """Of the text that stood there when it was answered."""
    text: str
    counts: bool
    """Whether it acknowledges; the wrong answer of a quiz does not."""
    room_id: RoomId


@dataclass(frozen=True, slots=True)
class Pointing:
    """Events of a batch that may matter, before it is known whether what they point at is ours."""

    answers: tuple[tuple[EventId, Event], ...]
    """What is answered, and the event that does."""
    taken_back: tuple[EventId, ...]
    """Events that a redaction took back."""


def pointing(events: Iterable[Event], bot: UserId) -> Pointing:
    """Return which events refer to another in a way that may answer it, and which take an event back."""
    answers, taken_back = [], []
    for event in events:
        if event.type == "m.room.redaction":
            if target := valid_event_id(event.redacts):
                taken_back.append(target)
        elif event.type in ANSWERS and event.sender != bot and (target := answered_event(event)):
            answers.append((target, event))
    return Pointing(tuple(answers), tuple(taken_back))


def read_answers(
    pointed: Sequence[tuple[EventId, Event]],
    sent: Mapping[EventId, Sent],
    asked: Mapping[str, Asked],
    standing: Iterable[Standing],
    now: datetime,
) -> list[Answer]:
    """Return what the events answer, in their order; of no event is it believed that it comes from the future.

    An event counts only in the room in which what it answers was said. Whoever acknowledges late still has heard; a
    vote in a survey that is over comes too late.
    """
    texts: dict[tuple[str, RoomId], list[Standing]] = {}
    for text in standing:
        texts.setdefault((text.announcement, text.room_id), []).append(text)
    found = []
    for target, event in pointed:
        to = sent.get(target)
        if to is None or to.announcement is None or to.role not in ANSWERABLE or to.room_id != event.room_id:
            continue
        form, ended_at = asked[to.announcement].form, asked[to.announcement].ended_at
        words = answer_of(form, event)
        at = _moment(event, now)
        if words is None or (form.kind == Kind.SURVEY and ended_at is not None and at > ended_at):
            continue
        found.append(
            Answer(
                event_id=event.event_id,
                announcement=to.announcement,
                user_id=event.sender,
                at=at,
                version=_version(to, texts.get((to.announcement, to.room_id), ()), at),
                text=words,
                counts=counts(form, words),
                room_id=to.room_id,
            )
        )
    return found


def corrections(answers: Iterable[Answer], asked: Mapping[str, Asked], now: datetime) -> list[Outgoing]:
    """Return what those are told who answered a quiz wrong, each in the own room, so that nobody else sees it."""
    return [
        Outgoing(
            key=f"{answer.announcement}/wrong/{answer.event_id}",
            act=Act.SEND,
            role=Role.NOTE,
            rank=Priority.NORMAL,
            due_at=now,
            user_id=answer.user_id,
            content={
                "msgtype": "m.text",
                "body": f"“{answer.text}” is not right, try again: {asked[answer.announcement].form.question}",
                "m.mentions": {},
            },
            announcement=answer.announcement,
            version=answer.version,
        )
        for answer in answers
        if asked[answer.announcement].form.kind == Kind.QUIZ and not answer.counts
    ]


def _moment(event: Event, now: datetime) -> datetime:
    return from_milliseconds(min(event.timestamp, int(now.timestamp() * 1000)))


def _version(to: Sent, texts: Sequence[Standing], at: datetime) -> int:
    """Return the newest version that stood in the room when the answer was given; what is answered stood there."""
    return max([to.version or 1, *(text.version for text in texts if text.done_at <= at)])
