"""What was said in a room on a day, from the records: who was there, what was edited, taken back and answered. Pure.

What amends a message of the export is told with that message and does not stand for itself; what amends one that is
not in the export stands for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.archive import canonical
from bridge.archive.export.values import Conversation, Kind, Known, Message, Participant, Record, Slice
from bridge.archive.scope import stays_of
from bridge.archive.values import StateEvent, edited_by, text_of
from bridge.archive.versions import edits_of, reactions_to, version_of
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId

_ANNOTATION, _THREAD = "m.annotation", "m.thread"
_SAID = ("m.room.message", "m.sticker", "m.room.encrypted", "m.poll.start", "org.matrix.msc3381.poll.start")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around the records of a slice."""

    following: Sequence[Event]
    """What amends or answers to its events, and what amends that, in the archive's order."""
    chosen: frozenset[str]
    """IDs of the events of the export among those that the slice's events amend."""
    memberships: Sequence[StateEvent]
    """Of the room, in the order in which they counted."""
    names: Sequence[StateEvent]
    """`m.room.name` of the room, in the order in which they counted."""
    known: Mapping[UserId, Known]


def amended_by(event: Event) -> EventId | None:
    """Return the event that this one edits, redacts or reacts to, None when it stands for itself."""
    if event.redacts:
        return event.redacts
    relation = _relation(event)
    target = relation.get("event_id")
    is_reaction = relation.get("rel_type") == _ANNOTATION
    return edited_by(event) or (EventId(target) if is_reaction and isinstance(target, str) and target else None)


def people_in(records: Iterable[Record], around: Surroundings) -> frozenset[UserId]:
    """Return everybody who may be named in the conversation of these records."""
    there = {UserId(each.event.state_key or "") for each in around.memberships}
    senders = {record.event.sender for record in records}
    return frozenset(there | senders | {event.sender for event in around.following}) - {UserId("")}


def conversation_of(piece: Slice, records: Sequence[Record], around: Surroundings) -> Conversation:
    """Return what was said, in the order in which it was sent; `records` is not empty."""
    ordered = sorted(records, key=lambda record: (record.sent_at, record.seq))
    begins, ends = ordered[0].sent_at, ordered[-1].sent_at
    stays = list(stays_of(around.memberships))
    present = frozenset(
        stay.user_id for stay in stays if stay.begins < begins and (stay.ends is None or begins <= stay.ends)
    )
    messages = tuple(_messages(ordered, around, present))
    named = present.union(_named(messages))
    shown = _display_names(around.memberships, messages)
    return Conversation(
        number=piece.number,
        room_id=piece.room_id,
        room_name=_room_name(around.names, ends.timestamp()),
        day=piece.day,
        begins=begins,
        ends=ends,
        messages=messages,
        participants={
            user: Participant(user, shown.get(user, ""), around.known.get(user)) for user in sorted(named) if user
        },
        present=present,
    )


def _messages(records: Iterable[Record], around: Surroundings, present: frozenset[UserId]) -> Iterator[Message]:
    about: defaultdict[EventId, list[Event]] = defaultdict(list)
    for event in around.following:
        target = amended_by(event)
        if target:
            about[target].append(event)
    there = set(present)
    for record in records:
        if amended_by(record.event) not in around.chosen:
            yield _message(record, about, there)


def _message(record: Record, about: Mapping[EventId, list[Event]], there: set[UserId]) -> Message:
    """Return the message, and note who is there after it."""
    event = record.event
    related = [later for later in about.get(event.event_id, ()) if later.room_id == event.room_id]
    taken_back = [*related, *(later for one in related for later in about.get(one.event_id, ()))]
    kind, user_id = _kind(event, there)
    relation = _relation(event)
    reply = relation.get("m.in_reply_to")
    return Message(
        record=record,
        kind=kind,
        user_id=user_id,
        text=_text(record, kind),
        edits=tuple(version_of(edit, taken_back) for edit in edits_of(event, related)),
        redaction=version_of(event, related).redaction,
        reactions=reactions_to(event, related, taken_back),
        reply_to=_id(reply.get("event_id")) if isinstance(reply, dict) else None,
        thread=_id(relation.get("event_id")) if relation.get("rel_type") == _THREAD else None,
    )


def _kind(event: Event, there: set[UserId]) -> tuple[Kind, UserId]:
    if event.type == "m.room.member" and event.state_key is not None:
        user, membership = UserId(event.state_key), event.content.get("membership")
        if membership == "join" and user not in there:
            there.add(user)
            return Kind.JOIN, user
        if membership in ("leave", "ban") and user in there:
            there.remove(user)
            return Kind.LEAVE, user
        return Kind.OTHER, event.sender
    is_said = event.state_key is None and event.type in _SAID and not amended_by(event)
    return (Kind.MESSAGE if is_said else Kind.OTHER), event.sender


def _text(record: Record, kind: Kind) -> str:
    event = record.event
    if record.body is None:
        return "[disposed of]"
    if kind in (Kind.JOIN, Kind.LEAVE):
        reason = event.content.get("reason")
        return reason if isinstance(reason, str) else ""
    if kind is Kind.MESSAGE and text_of(event):
        return text_of(event)
    if event.type == "m.room.encrypted":
        return "[encrypted]"
    what = f"{event.type} {event.state_key}" if event.state_key else event.type
    return f"[{what}] {canonical.encode_value(event.content).decode('utf-8', 'replace')}"


def _named(messages: Iterable[Message]) -> Iterator[UserId]:
    for message in messages:
        yield message.user_id
        yield message.record.event.sender
        if message.redaction:
            yield message.redaction.sender
        for version in [*message.edits, *(reaction.version for reaction in message.reactions)]:
            yield version.event.sender
            if version.redaction:
                yield version.redaction.sender


def _display_names(memberships: Iterable[StateEvent], messages: Sequence[Message]) -> dict[UserId, str]:
    """Return what the room called everybody when the last of the messages was sent."""
    last = messages[-1].record.sent_at if messages else None
    found: dict[UserId, str] = {}
    for each in memberships:
        name = each.event.content.get("displayname")
        if isinstance(name, str) and (last is None or each.at <= last):
            found[UserId(each.event.state_key or "")] = name
    return found


def _room_name(names: Iterable[StateEvent], until: float) -> str:
    found = ""
    for each in names:
        name = each.event.content.get("name")
        if isinstance(name, str) and each.at.timestamp() <= until:
            found = name
    return found


def _relation(event: Event) -> Mapping[str, object]:
    relation = event.content.get("m.relates_to")
    return relation if isinstance(relation, dict) else {}


def _id(value: object) -> EventId | None:
    return EventId(value) if isinstance(value, str) and value else None
