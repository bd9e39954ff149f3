"""Messages that are given back: what of each, and in which words. Pure.

The bot says them again, in its own name and at the present time, with who wrote them and when: nobody is made to say
anything anew, and whoever reads the room sees what happened. An edited message comes as it read last, a deleted one
only when that is asked for. Who sends them is left to `restoration`.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.archive.rendering import moment, writable
from bridge.archive.values import edited_by, text_of
from bridge.archive.versions import edits_of, version_of
from bridge.homeserver.event import Event
from bridge.ids import RoomId

MARK = "muster.restored"
"""The key of a message's content that says what it restores."""
MESSAGE = "m.room.message"
_FILES = frozenset({"m.file", "m.image", "m.audio", "m.video"})
_INFO = frozenset({"mimetype", "size", "w", "h", "duration"})
_HTML = "org.matrix.custom.html"
_LARGEST = 60_000
"""Bytes of content; an event has at most 65,536 with what the homeserver adds."""
_LONGEST_TEXT = 8_000
"""Characters that fit in any case, six bytes each."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A message as it read last."""

    original: Event
    said: Event
    """The last edit that stands, else the original."""
    redaction: Event | None
    """Who deleted it."""
    leaf: bytes
    """The original's, in the ledger."""


def lost_of(original: Event, leaf: bytes, related: Sequence[Event]) -> Lost | None:
    """Return a message with what became of it, None for an edit, which is no message of its own.

    `related` are the edits and redactions of it, and the redactions of those edits, in the order of the archive.
    """
    if edited_by(original):
        return None
    edits = [edit for edit in edits_of(original, related) if version_of(edit, related).redaction is None]
    return Lost(original, edits[-1] if edits else original, version_of(original, related).redaction, leaf)


def content_of(lost: Lost, name: str, file: str = "") -> dict[str, Any]:
    """Return the content of the message with which the bot gives a message back; `name` is the writer's.

    `file` is the `mxc:` address of its file, uploaded again; without it the file is only named.
    """
    header = f"Restored: {name} wrote on {moment(lost.original.timestamp)}{_what_became(lost)}"
    text, formatted = _text(lost.said, is_there=bool(file)), _formatted(lost.said)
    content: dict[str, Any] = {
        "msgtype": "m.notice",  # which rings for nobody
        "body": f"{header}:\n\n{text}",
        "m.mentions": {},
        MARK: {
            "event_id": lost.original.event_id,
            "room_id": lost.original.room_id,
            "sender": lost.original.sender,
            "origin_server_ts": lost.original.timestamp,
            "version": lost.said.event_id,
            "deleted": lost.redaction and lost.redaction.event_id,
            "leaf": lost.leaf.hex(),
        },
    }
    if file:
        content |= _file(lost.said, file)
    if formatted:
        rich = {"format": _HTML, "formatted_body": f"<p><em>{html.escape(header)}:</em></p>{formatted}"}
        if _bytes(content | rich) <= _LARGEST:
            content |= rich
    if _bytes(content) > _LARGEST:
        content["body"] = f"{header}:\n\n{text[:_LONGEST_TEXT]}… (the archive has all of it)"
    found: dict[str, Any] = writable(content)
    return found


def restored_by(event: Event) -> str | None:
    """Return the event that this message of the bot's gives back, if it is one that does."""
    mark = event.content.get(MARK)
    found = mark.get("event_id") if isinstance(mark, dict) else None
    return found if isinstance(found, str) else None


def transaction_of(event_id: str, room_id: RoomId) -> str:
    """Return the transaction ID with which a message is given back to a room, always the same."""
    return f"restored-{hashlib.sha256(f'{event_id} {room_id}'.encode()).hexdigest()[:32]}"


def _what_became(lost: Lost) -> str:
    edited = ", and edited it later" if lost.said is not lost.original else ""
    deleted = f"; deleted {moment(lost.redaction.timestamp)} by {lost.redaction.sender}" if lost.redaction else ""
    return edited + deleted


def has_file(lost: Lost) -> bool:
    """Return whether the message is a file."""
    return _newest(lost.said).get("msgtype") in _FILES


def _file(said: Event, address: str) -> dict[str, Any]:
    content = _newest(said)
    info = content.get("info")
    plain = {key: value for key, value in info.items() if key in _INFO} if isinstance(info, dict) else {}
    kept = {key: value for key, value in plain.items() if type(value) is int or isinstance(value, str)}
    return {"msgtype": content["msgtype"], "url": address, "filename": _filename(said) or "file", "info": kept}


def _filename(said: Event) -> str:
    name = _newest(said).get("filename")
    return name if isinstance(name, str) and name else text_of(said)


def _text(said: Event, *, is_there: bool) -> str:
    content = _newest(said)
    text = text_of(said)
    if content.get("msgtype") not in _FILES:
        return text or "(a message without text)"
    name = _filename(said)
    caption = f"\n{text}" if text and text != name else ""
    missing = "" if is_there else ", which is not restored"
    return f"(file {name or 'without a name'}{missing}){caption}"


def _formatted(said: Event) -> str:
    content = _newest(said)
    found = content.get("formatted_body")
    is_html = content.get("format") == _HTML and content.get("msgtype") not in _FILES
    return found if is_html and isinstance(found, str) else ""


def _newest(said: Event) -> dict[str, Any]:
    new = said.content.get("m.new_content") if edited_by(said) else None
    return new if isinstance(new, dict) else dict(said.content)


def _bytes(content: dict[str, Any]) -> int:
    return len(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"))
