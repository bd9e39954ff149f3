"""The mark that everything the bot says carries, by which it is found again in a room after a crash (pure).

What carries it is known by the bot as its sender: people can write the same key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from bridge.ids import EventId

MARKER = "io.muster.outgoing"
"""The key of the content that holds `key#turn` of the row that was said."""
_FALLBACK = 100
"""Letters of the text in an edit's own body, for clients that know no edits: the whole would not fit twice."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Which row an event is, and what it says."""

    key: str
    turn: int
    content: Mapping[str, Any]
    """As the row has it."""
    edits: bool
    """Whether it puts this in the place of an earlier event."""


def sending(content: Mapping[str, Any], key: str, turn: int) -> dict[str, Any]:
    """Return the content of the event that says this."""
    return {**content, MARKER: f"{key}#{turn}"}


def editing(content: Mapping[str, Any], target: EventId, key: str, turn: int) -> dict[str, Any]:
    """Return the content of the event that puts this in the place of another (spec "Event replacements").

    Nobody is notified of it: mentions of people stay in the new content alone.
    """
    body = content.get("body")
    return {
        **({"msgtype": content["msgtype"]} if "msgtype" in content else {}),
        **({"body": f"* {body[:_FALLBACK]}"} if isinstance(body, str) else {}),
        "m.mentions": {},
        "m.new_content": dict(content),
        "m.relates_to": {"rel_type": "m.replace", "event_id": target},
        MARKER: f"{key}#{turn}",
    }


def read_mark(content: Mapping[str, Any]) -> Mark | None:
    """Return the mark of an event of the bot's, or None."""
    name = content.get(MARKER)
    key, _, turn = name.rpartition("#") if isinstance(name, str) else ("", "", "")
    if not key or not turn.isdecimal() or len(turn) > 9 or "\x00" in key:
        return None
    new = content.get("m.new_content")
    if isinstance(new, dict):
        return Mark(key, int(turn), new, edits=True)
    return Mark(key, int(turn), {name: value for name, value in content.items() if name != MARKER}, edits=False)


def transaction_id(key: str, turn: int, content: Mapping[str, Any]) -> str:
    """Return the Matrix transaction ID, always the same for the same row, turn and content."""
    said = json.dumps([key, turn, content], sort_keys=True).encode()
    return f"muster-{sha256(said).hexdigest()[:32]}"
