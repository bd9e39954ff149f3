"""What a source says, made into the body of a message (pure).

A body has the keys of an `m.room.message` that announcements keep: `msgtype`, `body`, perhaps `formatted_body`; with a
file `url`, `filename` and `info`.
Whatever HTML comes from outside is cleaned here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bridge.announcements import markup

Body = Mapping[str, Any]
_FORMAT = "org.matrix.custom.html"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")


class Writing(StrEnum):
    """How a text is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came along."""

    name: str
    kind: str
    """Its media type."""
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that the homeserver keeps."""

    name: str
    kind: str
    size: int
    """Bytes."""
    address: str
    """Its `mxc:` address."""

    @property
    def is_picture(self) -> bool:
        """Whether clients show it."""
        return self.kind.startswith("image/")


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something that a source wants announced."""

    bodies: Mapping[str, Body]
    """By language; without one, everybody's."""
    rooms: tuple[str, ...] = ()
    """Rules of the policy; empty: the desk's."""
    people: str = ""
    """A selector instead of rooms."""
    priority: str = "normal"
    due_at: datetime | None = None
    lasts: timedelta | None = None


def body_of(said: str, writing: Writing = Writing.TEXT, title: str = "") -> Body:
    """Return the body of a text under a title; empty when nothing is left of it that could be shown."""
    said, title = _storable(said), " ".join(_storable(title).split())
    if writing is Writing.TEXT and not title:
        return {"msgtype": "m.text", "body": said} if said.strip() else {}
    shown = _html(said, writing).strip()
    heading = f"<h3>{html.escape(title, quote=False)}</h3>" if title else ""
    formatted = markup.clean(f"{heading}\n{shown}" if shown else heading).strip()
    plain = markup.plain(formatted)
    if not plain.strip():
        return {}
    return {"msgtype": "m.text", "body": plain, "format": _FORMAT, "formatted_body": formatted}


def _html(said: str, writing: Writing) -> str:
    if writing is Writing.HTML:
        return said
    return markup.html_of(said) if writing is Writing.MARKDOWN else _html_of_text(said)


def _html_of_text(text: str) -> str:
    """Return plain text as HTML, in paragraphs."""
    paragraphs = (part.strip("\n") for part in _EMPTY_LINE.split(text.strip()))
    return "\n".join(f"<p>{html.escape(part, quote=False).replace(chr(10), '<br>')}</p>" for part in paragraphs)


def _storable(text: str) -> str:
    """Return the text without NUL and lone surrogates, which neither PostgreSQL nor UTF-8 knows."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def with_files(body: Body, files: Sequence[Placed]) -> Body:
    """Return the body with files: one of them carries the text, pictures beside it stand in the text.

    A message carries one file (spec "Media captions"), so of several at most one may be no picture.
    """
    carried = next((file for file in files if not file.is_picture), files[0] if len(files) == 1 else None)
    pictures = [file for file in files if file is not carried]
    shown = {**body}
    if pictures:
        formatted = body.get("formatted_body") or _html_of_text(body["body"])
        images = "".join(
            f'<p><img src="{html.escape(each.address)}" alt="{html.escape(each.name)}"></p>' for each in pictures
        )
        shown["formatted_body"] = markup.clean(f"{formatted}\n{images}").strip()
        shown["format"] = _FORMAT
    if carried is None:
        return shown
    kind = carried.kind.partition("/")[0]
    info = {"mimetype": carried.kind, "size": carried.size}
    msgtype = f"m.{kind}" if kind in ("image", "audio", "video") else "m.file"
    return {**shown, "msgtype": msgtype, "filename": carried.name, "url": carried.address, "info": info}
