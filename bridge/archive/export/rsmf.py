"""Relativity Short Message Format 2.0: a mail with a zip of the conversation as JSON and of its attachments. Pure.

Of people, messages, edits, deletions, reactions and answers everything that the format knows; event ID, leaf and what
it does not know stand in `custom`. A slice is far below the format's limit of 10,000 events a file.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bridge.archive.export import mail
from bridge.archive.export.transcript import attached, heading
from bridge.archive.export.values import Conversation, Kind, Message, Participant, Rendered
from bridge.archive.rendering import writable
from bridge.archive.values import Reaction, text_of
from bridge.clock import from_milliseconds
from bridge.homeserver.event import Event

_TYPES: Mapping[Kind, str] = {
    Kind.MESSAGE: "message",
    Kind.JOIN: "join",
    Kind.LEAVE: "leave",
    Kind.OTHER: "unknown",
}
_LONGEST_REACTION = 30


def render(conversation: Conversation) -> Rendered:
    """Return the conversation's `.rsmf` file."""
    headers = [
        ("Subject", mail.text(heading(conversation))),
        ("From", mail.address("Muster", "unknown@invalid")),
        ("Date", mail.moment(conversation.ends)),
        ("X-RSMF-Version", "2.0.0"),
        ("X-RSMF-Generator", "Muster"),
        ("X-RSMF-BeginDate", _time(conversation.begins)),
        ("X-RSMF-EndDate", _time(conversation.ends)),
        ("X-RSMF-EventCount", str(len(conversation.messages))),
        ("X-RSMF-Application", "Matrix"),
        ("X-RSMF-AttachmentCount", str(len(conversation.content))),
        ("X-RSMF-EventCollectionID", f"{conversation.number:06d}"),
    ]
    parts = [
        mail.Part("text/plain", f"{heading(conversation)}\n".encode("utf-8", "replace")),
        mail.Part("application/zip", _zipped(conversation), "rsmf.zip"),
    ]
    content = mail.mail(headers, parts, f"rsmf{conversation.number:06d}")
    return Rendered({f"rsmf/{conversation.name}.rsmf": content})


def manifest_of(conversation: Conversation) -> dict[str, Any]:
    """Return `rsmf_manifest.json`."""
    manifest: dict[str, Any] = writable(
        {
            "version": "2.0.0",
            "participants": [_participant(each) for each in conversation.participants.values()],
            "conversations": [
                {
                    "id": conversation.room_id,
                    "display": conversation.room_name or conversation.room_id,
                    "platform": "matrix",
                    "type": "channel",
                    "participants": sorted(conversation.present),
                }
            ],
            "events": [_event(conversation, message) for message in conversation.messages],
        }
    )
    return manifest


def _participant(participant: Participant) -> dict[str, Any]:
    known = participant.known
    found: dict[str, Any] = {
        "id": participant.user_id,
        "display": participant.name,
        "account_id": known.user_name if known else participant.user_id,
    }
    if known and mail.is_address(known.email):
        found["email"] = known.email
    if known and known.department:
        found["custom"] = [{"name": "department", "value": known.department}]
    return found


def _event(conversation: Conversation, message: Message) -> dict[str, Any]:
    record = message.record
    found: dict[str, Any] = {
        "id": record.event.event_id,
        "type": _TYPES[message.kind],
        "conversation": conversation.room_id,
        "body": message.text,
        "timestamp": _time(record.sent_at),
        "custom": [{"name": name, "value": value} for name, value in _custom(message) if value],
    }
    if message.user_id:
        found["participant"] = message.user_id
    parent = message.thread or message.reply_to
    if parent and any(other.record.event.event_id == parent for other in conversation.messages):
        found["parent"] = parent
    if message.redaction:
        found["deleted"] = True
    if message.edits:
        found["edits"] = _edits(message)
    if message.reactions:
        found["reactions"] = [
            {"value": value[:_LONGEST_REACTION], "count": len(people), "participants": people}
            for value, people in _reactions(message.reactions).items()
        ]
    if record.attachment and record.attachment.path in conversation.content:
        found["attachments"] = [
            {"id": _file(record.attachment.path), "display": record.attachment.name, "size": record.attachment.size}
        ]
    return found


def _custom(message: Message) -> list[tuple[str, str]]:
    record, redaction = message.record, message.redaction
    found = [
        ("event_id", str(record.event.event_id)),
        ("leaf", record.leaf.hex()),
        ("leaf_index", str(record.seq - 1)),
        ("answers", str(message.reply_to or "")),
        ("thread", str(message.thread or "")),
        ("file", attached(record.attachment) if record.attachment else ""),
    ]
    if redaction:
        reason = redaction.content.get("reason")
        found += [
            ("deleted by", str(redaction.sender)),
            ("deleted at", _stamp(redaction)),
            ("deletion reason", reason if isinstance(reason, str) else ""),
        ]
    for one in message.reactions:
        if one.version.redaction:
            found.append(("reaction taken back", f"{one.key} {one.version.event.sender}"))
    return found


def _edits(message: Message) -> list[dict[str, Any]]:
    found, previous = [], message.text
    for edit in message.edits:
        new = text_of(edit.event)
        found.append(
            {"participant": edit.event.sender, "timestamp": _stamp(edit.event), "previous": previous, "new": new}
        )
        previous = new
    return found


def _reactions(reactions: tuple[Reaction, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in reactions:
        if one.key and one.version.event.sender and not one.version.redaction:
            found.setdefault(one.key, []).append(one.version.event.sender)
    return found


def _zipped(conversation: Conversation) -> bytes:
    """Return `rsmf.zip`, the same for the same conversation."""
    files = {"rsmf_manifest.json": json.dumps(manifest_of(conversation), ensure_ascii=False).encode()}
    files |= {_file(path): content for path, content in conversation.content.items()}
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return into.getvalue()


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _stamp(event: Event) -> str:
    return _time(from_milliseconds(event.timestamp))


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
