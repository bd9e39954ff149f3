"""Actiance (Smarsh) XML: one `FileDump` for each conversation. Pure.

Whoever was there when it begins enters at its beginning, and whoever is there at its end leaves then. Times are
milliseconds since 1970. Edits and deletions are messages with `UpdatedType`, as Smarsh reads them. What XML 1.0 cannot
hold is replaced by U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from xml.sax.saxutils import escape

from bridge.archive.export.mail import is_address
from bridge.archive.export.values import Conversation, Kind, Message, Rendered
from bridge.archive.values import text_of
from bridge.ids import UserId

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(conversation: Conversation) -> Rendered:
    """Return the conversation's `.xml` file."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<FileDump>",
        f'<Conversation Perspective="{_quoted(conversation.room_name or conversation.room_id)}">',
        _tag("RoomID", conversation.room_id),
        _tag("StartTimeUTC", _time(conversation.begins)),
    ]
    there = set(conversation.present)
    for user in sorted(there):
        lines += _entered(conversation, user, _time(conversation.begins))
    for message in conversation.messages:
        lines += _message(conversation, message, there)
    for user in sorted(there):
        lines += _left(conversation, user, _time(conversation.ends))
    lines += [_tag("EndTimeUTC", _time(conversation.ends)), "</Conversation>", "</FileDump>", ""]
    return Rendered({f"actiance/{conversation.name}.xml": "\n".join(lines).encode()})


def _message(conversation: Conversation, message: Message, there: set[UserId]) -> Iterator[str]:
    time = _time(message.record.sent_at)
    user = message.user_id
    if message.kind is Kind.JOIN:
        there.add(user)
        yield from _entered(conversation, user, time)
        return
    if message.kind is Kind.LEAVE:
        there.discard(user)
        yield from _left(conversation, user, time)
        return
    if user not in there and user:  # somebody of whom no joining is archived
        there.add(user)
        yield from _entered(conversation, user, time)
    event = message.record.event
    yield from _said(conversation, user, event.event_id, time, message.text, message)
    previous = event.event_id
    for edit in message.edits:
        yield from _said(
            conversation,
            edit.event.sender,
            previous,
            time,
            text_of(edit.event),
            update=("Edited", str(edit.event.timestamp), edit.event.event_id),
        )
        previous = edit.event.event_id
    if message.redaction:
        update = ("Deleted", str(message.redaction.timestamp), "")
        yield from _said(conversation, message.redaction.sender, event.event_id, time, message.text, update=update)
    yield from _file(conversation, message, time)


def _said(
    conversation: Conversation,
    user: UserId,
    event_id: str,
    time: str,
    text: str,
    original: Message | None = None,
    update: tuple[str, str, str] | None = None,
) -> Iterator[str]:
    yield "<Message>"
    yield _tag("MessageId", event_id)
    yield from _who(conversation, user)
    yield _tag("DateTimeUTC", time)
    if update:
        yield _tag("UpdatedType", update[0])
        yield _tag("UpdatedDateTimeUTC", update[1])
        if update[2]:
            yield _tag("EditedNewMsgId", update[2])
    yield _tag("Content", text)
    if original:
        for reaction in original.reactions:
            taken_back = " (taken back)" if reaction.version.redaction else ""
            yield _comment(f"reaction {reaction.key} {reaction.version.event.sender}{taken_back}")
        if original.reply_to or original.thread:
            yield _comment(f"answers {original.reply_to or original.thread}")
        yield _comment(f"leaf {original.record.seq - 1} {original.record.leaf.hex()}")
    yield "</Message>"


def _file(conversation: Conversation, message: Message, time: str) -> Iterator[str]:
    attachment = message.record.attachment
    if attachment is None:
        return
    for tag in ("FileTransferStarted", "FileTransferEnded"):
        yield f"<{tag}>"
        yield from _who(conversation, message.user_id)
        yield _tag("DateTimeUTC", time)
        yield _tag("UserFileName", attachment.name)
        yield _tag("FileName", attachment.path or attachment.mxc)
        if tag == "FileTransferEnded":
            yield _tag("Status", attachment.problem or "Completed")
        yield f"</{tag}>"


def _entered(conversation: Conversation, user: UserId, time: str) -> Iterator[str]:
    yield "<ParticipantEntered>"
    yield from _who(conversation, user)
    yield _tag("DateTimeUTC", time)
    known = conversation.participant(user).known
    if known and is_address(known.email):
        yield _tag("CorporateEmailID", known.email)
    yield "</ParticipantEntered>"


def _left(conversation: Conversation, user: UserId, time: str) -> Iterator[str]:
    yield "<ParticipantLeft>"
    yield from _who(conversation, user)
    yield _tag("DateTimeUTC", time)
    yield "</ParticipantLeft>"


def _who(conversation: Conversation, user: UserId) -> Iterator[str]:
    known = conversation.participant(user).known
    yield _tag("LoginName", known.user_name if known else user)
    yield _tag("UserType", "Internal" if known else "External")


def _tag(name: str, value: str) -> str:
    return f"<{name}>{escape(_clean(value))}</{name}>"


def _comment(value: str) -> str:
    return f"<!-- {re.sub('-(?=-)', '- ', _clean(value))} -->"


def _quoted(value: str) -> str:
    return escape(_clean(value), {'"': "&quot;", "\n": " ", "\r": " ", "\t": " "})


def _clean(value: str) -> str:
    return _NO_XML.sub("�", value)


def _time(value: datetime) -> str:
    return str(int(value.timestamp() * 1000))
