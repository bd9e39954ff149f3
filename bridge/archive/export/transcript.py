"""A conversation as plain text, which mails and load files carry. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from bridge.archive.export.values import Attachment, Conversation, Kind, Message
from bridge.archive.rendering import moment, printable
from bridge.archive.values import text_of
from bridge.homeserver.event import Event


def transcript(conversation: Conversation) -> str:
    """Return who was there and what was said, with every version, in the order in which it was sent."""
    lines = [
        f"{heading(conversation)}",
        f"{at(conversation.begins)} until {at(conversation.ends)} (UTC)",
        "",
        f"There when it begins: {len(conversation.present)}",
        *(f"  {conversation.participant(user).title}" for user in sorted(conversation.present)),
    ]
    for message in conversation.messages:
        lines += ["", *message_lines(conversation, message)]
    return printable("\n".join(lines)) + "\n"


def heading(conversation: Conversation) -> str:
    """Return room and day."""
    name = f"{conversation.room_name} " if conversation.room_name else ""
    return f"{name}{conversation.room_id}, {conversation.day.isoformat()}"


def message_lines(conversation: Conversation, message: Message) -> Iterator[str]:
    """Yield a message with what became of it."""
    record = message.record
    who = conversation.participant(message.user_id).title
    yield f"{at(record.sent_at)}  {who}{_did(conversation, message)}"
    yield from (f"  {line}" for line in message.text.splitlines())
    if message.reply_to:
        yield f"  answers {message.reply_to}"
    if message.thread:
        yield f"  in the thread of {message.thread}"
    if record.attachment:
        yield f"  {attached(record.attachment)}"
    for edit in message.edits:
        yield f"  edited {moment(edit.event.timestamp)} to:"
        yield from (f"    {line}" for line in text_of(edit.event).splitlines())
        if edit.redaction:
            yield f"    {deleted(conversation, edit.redaction)}"
    if message.redaction:
        yield f"  {deleted(conversation, message.redaction)}"
    for reaction in message.reactions:
        event = reaction.version.event
        taken_back = (
            f", taken back {moment(reaction.version.redaction.timestamp)}" if reaction.version.redaction else ""
        )
        yield f"  {reaction.key} {conversation.participant(event.sender).title} {moment(event.timestamp)}{taken_back}"
    yield f"  [{record.event.event_id} leaf {record.leaf.hex()}]"


def attached(attachment: Attachment) -> str:
    """Return what came with a message."""
    if attachment.problem:
        return f"file {attachment.name}: {attachment.problem}"
    return f"file {attachment.name}: {attachment.path}, {attachment.size} bytes, SHA-256 {attachment.sha256}"


def deleted(conversation: Conversation, redaction: Event) -> str:
    """Return who deleted something, when and why."""
    reason = redaction.content.get("reason")
    because = f": {reason}" if isinstance(reason, str) and reason else ""
    return f"deleted {moment(redaction.timestamp)} by {conversation.participant(redaction.sender).title}{because}"


def at(value: datetime) -> str:
    """Return a moment, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _did(conversation: Conversation, message: Message) -> str:
    event = message.record.event
    by = f", by {conversation.participant(event.sender).title}" if event.sender != message.user_id else ""
    if message.kind is Kind.JOIN:
        return " joined"
    return f" left{by}" if message.kind is Kind.LEAVE else ""
