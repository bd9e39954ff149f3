"""Answers of the administrators in their room: `!approve DIGEST`, `!reject DIGEST`, or a reaction to the question.

Pure. Who may answer, and what follows, is left to `held`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.homeserver.event import Event
from bridge.ids import EventId
from bridge.membership.held_notice import NO, YES

_COMMAND = re.compile(r"!(?P<word>approve|reject)(?:[ \t]+(?P<digest>\S+))?", re.IGNORECASE)
_EMOJI_STYLE = "\N{VARIATION SELECTOR-16}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A yes or no to what waits under a digest, or to the question that a message asks."""

    yes: bool
    digest: str = ""
    question: EventId | None = None
    """The message that was answered; None when a digest was given."""


def answer_of(event: Event) -> Answer | None:
    """Return the answer that an event gives; None for everything else people say and do.

    Without a digest `!approve` must be a reply to the question. Edits are no answers: what was said first counts.
    """
    relation = event.content.get("m.relates_to")
    relation = relation if isinstance(relation, dict) else {}
    if event.type == "m.reaction":
        return _reaction(relation)
    if event.type != "m.room.message" or relation.get("rel_type") == "m.replace":
        return None
    found = _COMMAND.fullmatch(_own_words(event.content))
    if found is None:
        return None
    yes, digest = found["word"].lower() == "approve", (found["digest"] or "").lower()
    return Answer(yes, digest) if digest else _to_question(relation.get("m.in_reply_to"), yes=yes)


def _reaction(relation: Mapping[str, Any]) -> Answer | None:
    key = relation.get("key")
    sign = key.removesuffix(_EMOJI_STYLE) if isinstance(key, str) else ""
    if relation.get("rel_type") != "m.annotation" or sign not in (YES, NO):
        return None
    return _to_question(relation, yes=sign == YES)


def _to_question(said: object, *, yes: bool) -> Answer | None:
    event_id = said.get("event_id") if isinstance(said, dict) else None
    return Answer(yes, question=EventId(event_id)) if isinstance(event_id, str) else Answer(yes)


def _own_words(content: Mapping[str, Any]) -> str:
    """Return what somebody wrote, without the quotation that some clients put before a reply."""
    body = content.get("body")
    if content.get("msgtype") != "m.text" or not isinstance(body, str):
        return ""
    return "\n".join(line for line in body.splitlines() if not line.startswith(">")).strip()
