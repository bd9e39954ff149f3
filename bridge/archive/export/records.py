"""Records as JSON Lines: every event as it was archived, with what proves it. Every export holds them. Pure.

A line is an object that `SCHEMA` describes. Its `event` is what was hashed: with `salt` and the canonical form of
`event` (Matrix specification, appendix "Canonical JSON") anybody computes `leaf`, and from the leaves of all lines and
`proof.json` the signed root. The few events that are no JSON in UTF-8 stand in `event_base64`, as their bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from bridge.archive.export.values import Attachment, Known, Record
from bridge.archive.values import edited_by
from bridge.archive.versions import edits_of, version_of
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId

FORMAT = "muster-export-1"
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def record_lines(
    records: Iterable[Record],
    about: Mapping[EventId, Sequence[Event]],
    known: Mapping[tuple[UserId, date], Known],
    tree_size: int,
) -> bytes:
    """Return the lines of a slice's records.

    `about` are the events that amend each, `known` is what the directory knew of (sender, day of sending).
    """
    return b"".join(
        _line(record, about, known.get((record.event.sender, record.sent_at.date())), tree_size) for record in records
    )


def _line(record: Record, about: Mapping[EventId, Sequence[Event]], known: Known | None, tree_size: int) -> bytes:
    event = record.event
    fields: dict[str, object] = {
        "schema": FORMAT,
        "seq": record.seq,
        "leaf_index": record.seq - 1,
        "tree_size": tree_size,
        "event_id": event.event_id,
        "room_id": event.room_id,
        "type": record.came_as,
        "sender": event.sender,
        "sender_person": known
        and {"user_name": known.user_name, "name": known.name, "department": known.department or None},
        "sent_at": _moment(record.sent_at),
        "received_at": _moment(record.received_at),
        "backfilled": record.backfilled,
        "replaces": None,
        "previous": None,
        "redaction": _redaction(event, about.get(event.event_id, ())),
        "media": [_media(record.attachment)] if record.attachment else [],
        "leaf": base64.b64encode(record.leaf).decode(),
        "salt": base64.b64encode(record.salt).decode() if record.salt is not None else None,
    }
    target = edited_by(event)
    if target:
        fields["replaces"] = target
        fields["previous"] = _previous(event, target, about.get(target, ()))
    said = _json("said", record.said)
    return b"%s,%s,%s}\n" % (_ENCODER.encode(fields)[:-1].encode(), said, _json("event", record.body))


def _json(name: str, body: bytes | None) -> bytes:
    """Return the field with an event's JSON, or with its bytes beside when it is not plain JSON in UTF-8."""
    if body is None:
        return b'"%s":null' % name.encode()
    is_suspect = b"NaN" in body or b"Infinity" in body
    if (body.isascii() or _is_utf8(body)) and (not is_suspect or _is_json(body)):
        return b'"%s":%s' % (name.encode(), body)
    return b'"%s":null,"%s_base64":"%s"' % (name.encode(), name.encode(), base64.b64encode(body))


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_json(body: bytes) -> bool:
    """Return whether it is JSON without the numbers that JSON does not have."""
    try:
        json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _previous(event: Event, target: EventId, related: Sequence[Event]) -> EventId:
    """Return the version that an edit took the place of."""
    original = Event(0, target, event.room_id, "", event.sender, None, {}, 0, None)
    before = [edit.event_id for edit in edits_of(original, related) if edit.seq < event.seq]
    return before[-1] if before else target


def _redaction(event: Event, related: Sequence[Event]) -> dict[str, Any] | None:
    found = version_of(event, related).redaction if related else None
    if found is None:
        return None
    reason = found.content.get("reason")
    return {
        "event_id": found.event_id,
        "sender": found.sender,
        "origin_server_ts": found.timestamp,
        "reason": reason if isinstance(reason, str) else None,
    }


def _media(attachment: Attachment) -> dict[str, Any]:
    return {
        "name": attachment.name,
        "mimetype": attachment.mimetype,
        "mxc": attachment.mxc,
        "path": attachment.path or None,
        "sha256": attachment.sha256 or None,
        "size": attachment.size,
        "problem": attachment.problem or None,
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(description: str, *, nullable: bool = False) -> dict[str, Any]:
    return {"type": ["string", "null"] if nullable else "string", "description": description}


def _object(properties: Mapping[str, Any], *, nullable: bool = False) -> dict[str, Any]:
    return {
        "type": ["object", "null"] if nullable else "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMA: Mapping[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$id": FORMAT,
    "title": "A record of a Muster archive, one a line",
    "type": "object",
    "properties": {
        "schema": {"const": FORMAT},
        "seq": {"type": "integer", "minimum": 1, "description": "Position in the ledger, from 1."},
        "leaf_index": {"type": "integer", "minimum": 0, "description": "The same, from 0, as RFC 9162 counts."},
        "tree_size": {"type": "integer", "minimum": 1, "description": "Leaves that the checkpoint covers."},
        "event_id": _text("The event's ID."),
        "room_id": _text("The room's ID."),
        "type": _text("The event's type."),
        "sender": _text("User ID of the sender."),
        "sender_person": _object(
            {
                "user_name": _text("userName in the directory."),
                "name": _text("Display name."),
                "department": _text("Department.", nullable=True),
            },
            nullable=True,
        )
        | {"description": "Whom the directory knew behind the user ID when it was sent."},
        "sent_at": _text("When it was sent, as the sender's server says, at the latest when it arrived; UTC."),
        "received_at": _text("When it was archived; UTC."),
        "backfilled": {"type": "boolean", "description": "Whether it was fetched later, not delivered."},
        "replaces": _text("The message that this one gives a new text.", nullable=True),
        "previous": _text("The version that it took the place of.", nullable=True),
        "redaction": _object(
            {
                "event_id": _text("The redaction's ID."),
                "sender": _text("Who deleted it."),
                "origin_server_ts": {"type": "integer", "description": "When; milliseconds since 1970."},
                "reason": _text("Why, when they said so.", nullable=True),
            },
            nullable=True,
        )
        | {"description": "Who deleted it, null when nobody did."},
        "media": {
            "type": "array",
            "items": _object(
                {
                    "name": _text("What the sender called the file."),
                    "mimetype": _text("What the sender said that it is."),
                    "mxc": _text("Where the homeserver keeps it."),
                    "path": _text("Where it is in the export.", nullable=True),
                    "sha256": _text("Of the file's bytes, hexadecimal.", nullable=True),
                    "size": {"type": "integer", "description": "Bytes; 0 when it is not in the export."},
                    "problem": _text("Why it is not in the export.", nullable=True),
                }
            ),
        },
        "leaf": _text("SHA-256 of a zero byte, the salt and the event's canonical JSON; base64."),
        "salt": _text("16 bytes, base64; null when the record was disposed of.", nullable=True),
        "said": {
            "type": ["object", "null"],
            "description": "What it said, when it came encrypted and the archive has read it; the leaf is of `event`.",
        },
        "said_base64": _text("Its bytes, when they are no JSON in UTF-8; `said` is null then."),
        "event": {"type": ["object", "null"], "description": "As it was archived; null when it was disposed of."},
        "event_base64": _text("Its bytes, when they are no JSON in UTF-8; `event` is null then."),
    },
    "required": [
        "schema", "seq", "leaf_index", "tree_size", "event_id", "room_id", "type", "sender", "sender_person",
        "sent_at", "received_at", "backfilled", "replaces", "previous", "redaction", "media", "leaf", "salt", "said",
        "event",
    ],
    "additionalProperties": False,
}  # fmt: skip
