"""What of an event can be found: its text, and of what kind it is.

Pure and total: anybody in a room can send an event of any shape. Which words the text gives is left to `segment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

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

    __hash__ = str.__hash__
    """Enumerations' own is slow."""


class Document(NamedTuple):
    """What can be found of one event."""

    text: str
    kind: Kind


_FILES = {"m.image": Kind.IMAGE, "m.file": Kind.FILE, "m.video": Kind.VIDEO, "m.audio": Kind.AUDIO}
_MESSAGE = Kind.MESSAGE
FILES = frozenset(_FILES.values())
"""Kinds of what has a file."""
_POLLS = ("m.poll.start", "org.matrix.msc3381.poll.start")
_TEXTS = ("m.text", "org.matrix.msc1767.text")
_ROOM = {"m.room.name": "name", "m.room.topic": "topic"}


def document_of(event: Event) -> Document | None:
    """Return what can be found of an event, or None when it is of no kind that anybody looks for."""
    kind = event.type
    if kind == "m.room.message":
        return _message(event)
    if kind == "m.reaction":
        return Document(_text(_relation(event).get("key")), Kind.REACTION)
    if kind == "m.sticker":
        return Document(_text(event.content.get("body")), Kind.STICKER)
    if kind in _POLLS:
        return Document("\n".join(_poll_texts(event.content)), Kind.POLL)
    if kind in _ROOM and event.state_key == "":
        text = _text(event.content.get(_ROOM[kind]))
        return Document(text, Kind.ROOM) if text else None
    return None


def _message(event: Event) -> Document:
    content = event.content
    if "m.relates_to" in content and edited_by(event) and isinstance(new := content.get("m.new_content"), dict):
        content = new
    body, kind = content.get("body"), content.get("msgtype")
    text = body if isinstance(body, str) else ""
    if kind == "m.text":
        return Document(text, _MESSAGE)
    kind = _FILES.get(_text(kind), _MESSAGE)
    name = _text(content.get("filename"))
    # Since Matrix 1.10 the body beside a file name is what was said about the file.
    text = text if not name or name == text else f"{text}\n{name}"
    return Document(text, kind)


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
