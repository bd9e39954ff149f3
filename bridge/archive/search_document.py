"""What of an event can be found: its text, and of what kind it is.

Pure and total: anybody in a room can send an event of any shape. Which words the text gives is left to `segment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge.archive.values import edited_by
from bridge.homeserver.event import Event


class Kind(StrEnum):
    """What an event is to those who look for it."""

    MESSAGE = "message"
    IMAGE = "image"
    FILE = "file"
    VIDEO = "video"
    AUDIO = "audio"
    POLL = "poll"
    STICKER = "sticker"
    REACTION = "reaction"
    ROOM = "room"
    """A room's name or topic."""


@dataclass(frozen=True, slots=True)
class Document:
    """What can be found of one event."""

    text: str
    kind: Kind
    has_file: bool


_FILES = {"m.image": Kind.IMAGE, "m.file": Kind.FILE, "m.video": Kind.VIDEO, "m.audio": Kind.AUDIO}
_POLLS = ("m.poll.start", "org.matrix.msc3381.poll.start")
_TEXTS = ("m.text", "org.matrix.msc1767.text")
_ROOM = {"m.room.name": "name", "m.room.topic": "topic"}


def document_of(event: Event) -> Document | None:
    """Return what can be found of an event, or None when it is of no kind that anybody looks for."""
    kind = event.type
    if kind == "m.room.message":
        return _message(event)
    if kind == "m.reaction":
        return Document(_text(_relation(event).get("key")), Kind.REACTION, has_file=False)
    if kind == "m.sticker":
        return Document(_text(event.content.get("body")), Kind.STICKER, has_file=False)
    if kind in _POLLS:
        return Document("\n".join(_poll_texts(event.content)), Kind.POLL, has_file=False)
    if kind in _ROOM and event.state_key == "":
        text = _text(event.content.get(_ROOM[kind]))
        return Document(text, Kind.ROOM, has_file=False) if text else None
    return None


def _message(event: Event) -> Document:
    content = event.content
    if edited_by(event) and isinstance(new := content.get("m.new_content"), dict):
        content = new
    kind = _FILES.get(_text(content.get("msgtype")), Kind.MESSAGE)
    body, name = _text(content.get("body")), _text(content.get("filename"))
    # Since Matrix 1.10 the body beside a file name is what was said about the file.
    text = body if not name or name == body else f"{body}\n{name}"
    return Document(text, kind, has_file=kind is not Kind.MESSAGE)


def _poll_texts(content: Mapping[str, Any]) -> list[str]:
    """Return question and answers, of the stable form of polls or the one before."""
    poll = _mapping(content.get("m.poll") or content.get("org.matrix.msc3381.poll.start"))
    answers = poll.get("answers")
    asked = [poll.get("question"), *(answers if isinstance(answers, list) else [])]
    return [text for one in asked if (text := _said(_mapping(one)))]


def _said(part: Mapping[str, Any]) -> str:
    for name in _TEXTS:
        found = part.get(name)
        if isinstance(found, list) and found:
            found = _mapping(found[0]).get("body")
        if isinstance(found, str):
            return found
    return _text(part.get("body"))


def _relation(event: Event) -> Mapping[str, Any]:
    return _mapping(event.content.get("m.relates_to"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
