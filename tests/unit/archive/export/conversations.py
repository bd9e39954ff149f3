"""Conversations to lay out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from bridge.archive import canonical
from bridge.archive.checkpoint import Checkpoint, origin_of
from bridge.archive.entry import Actor
from bridge.archive.export.attachments import attachment_of
from bridge.archive.export.conversation import Surroundings, conversation_of
from bridge.archive.export.order import Format, Order
from bridge.archive.export.values import Conversation, Known, Record, Slice
from bridge.archive.ledger import leaf_hash
from bridge.archive.scope import Scope
from bridge.archive.values import StateEvent
from bridge.clock import from_milliseconds
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId

DAY = 1_700_000_000_000
MARI, BOSS = UserId("@mari:x.org"), UserId("@boss:x.org")
MOMENT = datetime(2027, 2, 11, tzinfo=UTC)
HOSTILE = (
    "=cmd|' /C calc'!A0 ]]> --> </script><script>alert(1)</script>\r\nBcc: all@x\x00\x0b\x1b[31m\x14þ®\ud800‮\ufffe"
)


def an_event(seq: int, body: object = "hello", **fields: Any) -> dict[str, Any]:
    """Return a message of Mari's, some seconds into the day."""
    return {
        "event_id": f"$e{seq}",
        "room_id": "!a",
        "type": "m.room.message",
        "sender": MARI,
        "origin_server_ts": DAY + seq * 1000,
        "content": {"msgtype": "m.text", "body": body},
    } | fields


def amending(seq: int, kind: str, target: str, body: str = "", sender: str = MARI, key: str = "") -> dict[str, Any]:
    """Return an edit, a reaction or a thread's message."""
    relation = {"rel_type": kind, "event_id": target} | ({"key": key} if key else {})
    content: dict[str, Any] = {"m.relates_to": relation, "body": body}
    if kind == "m.replace":
        content["m.new_content"] = {"body": body}
    return an_event(seq, content=content, sender=sender, type="m.reaction" if key else "m.room.message")


def redaction(seq: int, target: str, sender: str = BOSS) -> dict[str, Any]:
    """Return a redaction."""
    return an_event(seq, type="m.room.redaction", content={"redacts": target, "reason": "typo"}, sender=sender)


def member(seq: int, user: str, membership: str, name: str = "") -> dict[str, Any]:
    """Return a membership event."""
    content = {"membership": membership} | ({"displayname": name} if name else {})
    return an_event(seq, type="m.room.member", state_key=user, sender=user, content=content)


def a_record(raw: Mapping[str, Any], seq: int) -> Record:
    """Return the record that an event is archived as."""
    event, body, salt = Event.of(raw, seq), canonical.encode(raw), bytes(16)
    at = from_milliseconds(event.timestamp)
    return Record(seq, event, body, salt, leaf_hash(salt, body), at, at, False, attachment_of(event))


def a_conversation(
    events: Sequence[Mapping[str, Any]],
    *,
    before: Sequence[Mapping[str, Any]] = (),
    room_name: str = "",
    known: Mapping[UserId, Known] | None = None,
    chosen: Sequence[Mapping[str, Any]] | None = None,
) -> Conversation:
    """Return the conversation of these events; `before` are memberships of earlier days, `chosen` what is exported."""
    raws = [*before, *events]
    everything = [Event.of(raw, seq) for seq, raw in enumerate(raws, 1)]
    exported = events if chosen is None else chosen
    names = Event.of(an_event(0, type="m.room.name", state_key="", content={"name": room_name}))
    around = Surroundings(
        following=everything,
        chosen=frozenset(str(raw["event_id"]) for raw in exported),
        memberships=[
            StateEvent(event, from_milliseconds(event.timestamp))
            for event in everything
            if event.type == "m.room.member"
        ],
        names=[StateEvent(names, from_milliseconds(DAY))] if room_name else [],
        known=known or {},
    )
    records = [a_record(raw, seq) for seq, raw in enumerate(raws, 1) if raw in exported]
    return conversation_of(Slice(7, len(records), RoomId("!a"), date(2023, 11, 14)), records, around)


def with_file(conversation: Conversation, content: bytes, sha256: str = "ab" * 32) -> Conversation:
    """Return the conversation with its attachments in the export."""
    path = f"media/{sha256}"
    messages = tuple(
        replace(
            message,
            record=replace(
                message.record,
                attachment=message.record.attachment
                and replace(message.record.attachment, path=path, sha256=sha256, size=len(content), problem=""),
            ),
        )
        for message in conversation.messages
    )
    return replace(conversation, messages=messages, content={path: content})


def an_order(form: Format = Format.JSONL, **fields: Any) -> Order:
    """Return an order."""
    statement = Checkpoint(origin_of("x.org"), 12, bytes(32)).statement
    note = f"{statement}\n— x.org/muster AAAA\n"
    order = Order(form, Scope(), Actor("k.saar", "root"), None, None, MOMENT, note, "PEM")
    return replace(order, **fields)


HOSTILE_NAME = Known(f"m\r\nX: y{HOSTILE}", HOSTILE, HOSTILE, "a@b\r\nBcc: c@d")
HOSTILE_STORY = [
    member(1, MARI, "join", HOSTILE),
    an_event(2, HOSTILE),
    amending(3, "m.replace", "$e2", HOSTILE),
    amending(4, "m.annotation", "$e2", sender=BOSS, key=HOSTILE),
    redaction(5, "$e2"),
    an_event(6, content={"body": HOSTILE, "url": "mxc://x/a", "info": {"mimetype": f"text/html{HOSTILE}"}}),
    an_event(7, 5),
    an_event(8, sender=f"@x{HOSTILE}"),
]


def hostile() -> Conversation:
    """Return a conversation in which everything tries to be something else."""
    known = {MARI: HOSTILE_NAME}
    return with_file(a_conversation(HOSTILE_STORY, room_name=HOSTILE, known=known), b"\0\xff")
