"""What is written in a desk, and what is said in the rooms (pure).

`read_event` decides whether an event in a desk is announced, answered or passed over; `render` makes the message for
the rooms. A stored *body* holds only the keys known here, free of what a jsonb column or Synapse would refuse.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.homeserver.event import Event
from bridge.ids import EventId

MARKER = "io.muster.announcement"
"""The key of the content in which an announcement carries its `id` and `version`."""
LONGEST = 62_000
"""Bytes of content at most: 65,536 for the event (spec "Size limits"), less what Synapse adds around it."""
LATEST = timedelta(hours=24)
"""A message that reaches us later than this, after an outage or a restored database, is not news any more."""

_TEXTS = ("m.text", "m.notice", "m.emote")
_FILES = ("m.image", "m.file", "m.audio", "m.video")
_HTML = "org.matrix.custom.html"
_REQUEST = "React with ✅ to acknowledge."
_DEPTH = 4
_LONGEST_NAME = 100
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """Something to announce."""

    body: Mapping[str, Any]
    """`msgtype` and `body`; for text perhaps `formatted_body`; for files `url`, `info` and `filename`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that is not announced, and what to tell its author."""

    reason: str


def read_event(event: Event, now: datetime) -> Message | Refusal | None:
    """Decide what an event in a desk asks for: an announcement, an answer, or (None) nothing.

    Threads are talk among the posters, and redacted messages are gone: nothing is said about either.
    """
    if event.type == "m.room.encrypted":
        return Refusal("This room is encrypted, so Muster cannot read it; nothing was announced.")
    if event.type != "m.room.message" or event.state_key is not None or not event.content:
        return None
    if "m.relates_to" in event.content:
        return _read_relation(event.content["m.relates_to"])
    if now.timestamp() * 1000 - event.timestamp > LATEST.total_seconds() * 1000:
        return Refusal("This message reached Muster more than a day late and was not announced; post it again.")
    return _read_content(event.content)


def compose(text: str) -> Message | Refusal:
    """Decide whether a text may be announced that does not come from a room."""
    return _read_content({"msgtype": "m.text", "body": text})


def render(body: Mapping[str, Any], *, author_name: str, announcement: str) -> dict[str, Any]:
    """Return the content of the `m.room.message` for the rooms.

    Text names its author and asks for the reaction; it is `m.text`, because `m.notice` never notifies. Files go as
    they are. `m.mentions` is empty: a name or `@room` in the text must not single anybody out.
    """
    added = {"m.mentions": {}, MARKER: {"id": announcement, "version": 1}}
    if body["msgtype"] in _FILES:
        return {**body, **added}
    name = _one_line(author_name)
    content = {"msgtype": "m.text", "body": f"📣 {name}\n\n{body['body']}\n\n{_REQUEST}", **added}
    if "formatted_body" in body:
        content["format"] = _HTML
        content["formatted_body"] = (
            f"<p>📣 <strong>{html.escape(name)}</strong></p>\n{body['formatted_body']}\n<p><em>{_REQUEST}</em></p>"
        )
    return content


def render_answer(text: str, event_id: EventId) -> dict[str, Any]:
    """Return the content of the bot's answer to an event in a desk; a notice, which does not ring."""
    return {
        "msgtype": "m.notice",
        "body": text,
        "m.mentions": {},
        "m.relates_to": {"m.in_reply_to": {"event_id": event_id}},
    }


def confirm(announcement: str, *, rooms: int, people: int) -> str:
    """Return what the author is told."""
    return (
        f"Announced to {_count(people, 'person', 'people')} in {_count(rooms, 'room', 'rooms')}: {announcement}. "
        f"`muster announcements {announcement}` shows who has acknowledged it."
    )


def _read_relation(relation: object) -> Refusal | None:
    kind = relation.get("rel_type") if isinstance(relation, dict) else None
    if kind == "m.replace":
        return Refusal("Edits are not carried out: the announcement stays as it was. Post it again.")
    if kind == "m.thread":
        return None
    return Refusal("Replies are not announced. Post it as a message of its own.")


def _read_content(content: Mapping[str, Any]) -> Message | Refusal:
    kind, text = content.get("msgtype"), content.get("body")
    if not isinstance(text, str) or not text.strip():
        return Refusal("This message has no text; nothing was announced.")
    if kind in _TEXTS:
        body = {"msgtype": "m.text", "body": text, **_formatted(content)}
    elif kind in _FILES and isinstance(content.get("url"), str):
        kept = ("msgtype", "body", "filename", "url", "info")
        body = {key: content[key] for key in kept if key in content}
    else:
        return Refusal("Only text, images and files are announced; this is neither.")
    return _sized({key: _storable(value) for key, value in body.items()})


def _formatted(content: Mapping[str, Any]) -> dict[str, Any]:
    formatted = content.get("formatted_body")
    return {"formatted_body": formatted} if content.get("format") == _HTML and isinstance(formatted, str) else {}


def _sized(body: Mapping[str, Any]) -> Message | Refusal:
    longest = render(body, author_name="𝕏" * _LONGEST_NAME, announcement="-" * 9)
    size = len(json.dumps(longest, ensure_ascii=False).encode())
    if size > LONGEST:
        return Refusal(
            f"This message is too long to be announced: {size:,} bytes with the lines that Muster adds, and at most "
            f"{LONGEST:,} are possible. Shorten it, or send it as a file."
        )
    return Message(body)


def _storable(value: Any, depth: int = _DEPTH) -> Any:
    """Return the value without NUL, lone surrogates and what is nested too deep to be anything's description."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(item, depth - 1) for key, item in value.items()} if depth else {}
    if isinstance(value, list):
        return [_storable(item, depth - 1) for item in value] if depth else []
    return value


def _one_line(name: str) -> str:
    """Return the name without line breaks and control characters, not longer than names are."""
    visible = "".join(character if character.isprintable() else " " for character in name)
    return " ".join(visible.split())[:_LONGEST_NAME]


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
