"""What is written in a desk (pure).

`read_event` decides whether an event in a desk is a draft, an edit, an order, answered or passed over. A *body* holds
only the keys known here, free of what a jsonb column or Synapse would refuse, its HTML clean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bridge.announcements.markup import clean
from bridge.announcements.tracking import valid_event_id
from bridge.announcements.wording import FILES, HTML
from bridge.errors import RefusedError
from bridge.homeserver.event import Event
from bridge.ids import EventId

LATEST = timedelta(hours=24)
"""A message that reaches us later than this, after an outage or a restored database, is not news any more."""

_TEXTS = ("m.text", "m.notice", "m.emote")
_DEPTH = 4
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLY_QUOTE = re.compile(r"\A(?:> [^\n]*\n)+\n?")


class Order(StrEnum):
    """What a reply in a desk can ask for."""

    RETRACT = "!retract"
    END = "!end"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to announce."""

    body: Mapping[str, Any]
    """`msgtype` and `body`; for text perhaps `formatted_body`; for files `url`, `info` and `filename`."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What a message says from now on."""

    target: EventId
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An order, to the announcement that is replied to."""

    target: EventId
    order: Order


@dataclass(frozen=True, slots=True)
class Help:
    """Somebody asks what can be written."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that is not announced, and what to tell its author."""

    reason: str


def read_event(event: Event, now: datetime) -> Message | Edit | Reply | Help | Refusal | None:
    """Decide what an event in a desk asks for; None: nothing.

    Threads are talk among the posters, and redacted messages are gone: nothing is said about either.
    """
    if event.type == "m.room.encrypted":
        return Refusal("This room is encrypted, so Muster cannot read it; nothing was announced.")
    if event.type != "m.room.message" or event.state_key is not None or not event.content:
        return None
    if "m.relates_to" in event.content:
        return _read_relation(event.content)
    if now.timestamp() * 1000 - event.timestamp > LATEST.total_seconds() * 1000:
        return Refusal("This message reached Muster more than a day late and was not announced; post it again.")
    if event.content.get("msgtype") in _TEXTS and event.content.get("body") == "!help":
        return Help()
    return read_content(event.content)


def read_content(content: Mapping[str, Any]) -> Message | Refusal:
    """Decide whether the content of a message can be announced."""
    kind, text = content.get("msgtype"), content.get("body")
    if not isinstance(text, str) or not text.strip():
        return Refusal("This message has no text; nothing was announced.")
    try:
        formatted = _formatted(content)
    except RefusedError as error:
        return Refusal(f"{error.message} Nothing was announced.")
    if kind in _TEXTS:
        body = {"msgtype": "m.text", "body": text, **formatted}
    elif kind in FILES and isinstance(content.get("url"), str):
        kept = ("msgtype", "body", "filename", "url", "info")
        body = {**{key: content[key] for key in kept if key in content}, **formatted}
    else:
        return Refusal("Only text, images and files are announced; this is neither.")
    return Message({key: _storable(value) for key, value in body.items()})


def render_answer(text: str, event_id: EventId) -> dict[str, Any]:
    """Return the content of the bot's answer to an event in a desk; a notice, which does not ring."""
    return {
        "msgtype": "m.notice",
        "body": text,
        "m.mentions": {},
        "m.relates_to": {"m.in_reply_to": {"event_id": event_id}},
    }


def _read_relation(content: Mapping[str, Any]) -> Edit | Reply | Refusal | None:
    relation = content["m.relates_to"]
    kind = relation.get("rel_type") if isinstance(relation, dict) else None
    if kind == "m.thread":
        return None
    if kind == "m.replace":
        return _read_edit(content.get("m.new_content"), valid_event_id(relation.get("event_id")))
    reply = relation.get("m.in_reply_to") if isinstance(relation, dict) else None
    target = valid_event_id(reply.get("event_id")) if isinstance(reply, dict) else None
    text = content.get("body")
    said = _REPLY_QUOTE.sub("", text).strip() if isinstance(text, str) else ""
    if target is not None and said in tuple(Order):
        return Reply(target, Order(said))
    return Refusal(
        "Replies are not announced. Post it as a message of its own; a reply of !retract takes an announcement back, "
        "one of !end lets it be over."
    )


def _read_edit(new: object, target: EventId | None) -> Edit | Refusal | None:
    if not isinstance(new, dict) or target is None:
        return None
    found = read_content(new)
    return Edit(target, found.body) if isinstance(found, Message) else found


def _formatted(content: Mapping[str, Any]) -> dict[str, Any]:
    formatted = content.get("formatted_body")
    if content.get("format") != HTML or not isinstance(formatted, str):
        return {}
    return {"format": HTML, "formatted_body": clean(formatted)}


def _storable(value: Any, depth: int = _DEPTH) -> Any:
    """Return the value without NUL, lone surrogates and what is nested too deep to be anything's description."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(item, depth - 1) for key, item in value.items()} if depth else {}
    if isinstance(value, list):
        return [_storable(item, depth - 1) for item in value] if depth else []
    return value
