"""What somebody gets on the first day: what is still current and asks for everybody's acknowledgement (pure).

Which announcements these are is read by `newcomer_store`; when the digest goes out is for `newcomers`.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from bridge.announcements.wording import HTML, one_line
from bridge.ids import EventId, RoomId

_LONGEST = 30
"""So many announcements are listed, the newest; of more the rest is counted."""


@dataclass(frozen=True, slots=True)
class Current:
    """An announcement that a newcomer is to acknowledge."""

    id: str
    text: str
    """What it says, in the reader's language; of a file its name."""
    author: str
    day: date
    room_id: RoomId | None = None
    """Where it stands; None: it is for people, and comes to the newcomer's own room by itself."""
    room_name: str = ""
    event_id: EventId | None = None


def digest(company: str, found: Sequence[Current], server: str) -> dict[str, Any]:
    """Return the content of the message; `found` has the newest first and is not empty."""
    count = "One announcement is" if len(found) == 1 else f"{len(found):,} announcements are"
    head = f"Welcome to {one_line(company)}! {count} current and asked of everybody; please read and acknowledge:"
    plain, rich = [head], [f"<p>{html.escape(head)}</p>", "<ul>"]
    for each in found[:_LONGEST]:
        said, link = _line(each), _link(each, server)
        plain.append(f"• {said}" + (f": {link}" if link else ""))
        shown = html.escape(said)
        rich.append(f'<li><a href="{html.escape(link)}">{shown}</a></li>' if link else f"<li>{shown}</li>")
    rich.append("</ul>")
    if len(found) > _LONGEST:
        more = f"and {len(found) - _LONGEST:,} older ones, where they are pinned."
        plain.append(more)
        rich.append(f"<p>{more}</p>")
    return {
        "msgtype": "m.text",
        "body": "\n".join(plain),
        "format": HTML,
        "formatted_body": "\n".join(rich),
        "m.mentions": {},
    }


def _line(each: Current) -> str:
    where = f"in {one_line(each.room_name)}" if each.room_id is not None else "below, in this room"
    return f"{one_line(each.text) or 'A file'} – {one_line(each.author)}, {each.day.isoformat()}, {where}"


def _link(each: Current, server: str) -> str:
    if each.room_id is None or each.event_id is None:
        return ""
    place = f"{quote(each.room_id, safe='')}/{quote(each.event_id, safe='')}"
    return f"https://matrix.to/#/{place}?via={quote(server, safe='')}"
