"""The hits of a search as text for a terminal and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.archive.rendering import moment, printable, wrapped, writable
from bridge.archive.search.document import Kind
from bridge.archive.search.hits import Found, Hit
from bridge.archive.search.snippet import Snippet

_MARK = "**"


def found_as_text(found: Found, width: int) -> str:
    """Return the hits, each with when, who, where and the part of the text that was found, and how to go on."""
    parts = ["\n".join(_hit_lines(hit, width)) for hit in found.hits]
    if not found.hits:
        parts.append("Nothing was found.")
    if found.closed:
        least = "" if found.closed_exactly else "At least "
        parts.append(
            "\n".join(wrapped(f"{least}{found.closed:,} more in direct rooms, which only a case opens.", width, ""))
        )
    if found.next_page:
        parts.append(f"More: the same search with\n  --page {found.next_page}")
    return "\n\n".join(parts)


def found_as_json(found: Found) -> dict[str, Any]:
    """Return the hits as JSON."""
    return {
        "hits": [_hit_as_json(hit) for hit in found.hits],
        "next_page": found.next_page,
        "closed": found.closed,
        "closed_exactly": found.closed_exactly,
    }


def _hit_lines(hit: Hit, width: int) -> Iterator[str]:
    kind = "" if hit.kind is Kind.MESSAGE else str(hit.kind)
    edit = "edit" if hit.edits else "edited" if hit.edited else ""
    marks = [mark for mark in (kind, edit, "deleted" if hit.deleted else "") if mark]
    yield "  ".join([moment(hit.timestamp), printable(hit.sender), *(f"[{mark}]" for mark in marks)])
    yield from wrapped(_marked(hit.snippet), width)
    yield f"  {printable(hit.event_id)}"
    yield f"  in {printable(hit.room_id)}"


def _marked(snippet: Snippet) -> str:
    """Return the snippet with what was found between marks."""
    text, place = "", 0
    for first, last in snippet.marks:
        text += f"{snippet.text[place:first]}{_MARK}{snippet.text[first:last]}{_MARK}"
        place = last
    return text + snippet.text[place:]


def _hit_as_json(hit: Hit) -> Any:
    return writable(
        {
            "seq": hit.seq,
            "event_id": hit.event_id,
            "room_id": hit.room_id,
            "sender": hit.sender,
            "sent": moment(hit.timestamp),
            "kind": str(hit.kind),
            "text": hit.text,
            "snippet": hit.snippet.text,
            "marks": [list(mark) for mark in hit.snippet.marks],
            "edits": hit.edits,
            "edited": hit.edited,
            "deleted": hit.deleted,
        }
    )
