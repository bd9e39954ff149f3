"""What an announcement says in a room and to one person (pure).

A *body* is what `message` reads: `msgtype` and `body`, for text perhaps `formatted_body`, which is clean HTML; for
files `url`, `info` and `filename`. In a room stand all languages one after another, a person gets the one they read.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.announcements.form import Form, Kind, request_of
from bridge.announcements.language import SAID_TO_ALL, endonym
from bridge.announcements.markup import html_of
from bridge.announcements.values import Priority
from bridge.errors import RefusedError

Body = Mapping[str, Any]

MARKER = "io.muster.announcement"
"""The key of the content in which a copy carries the announcement's `id` and `version`."""
LONGEST = 62_000
"""Bytes of content at most: 65,536 for the event (spec "Size limits"), less what Synapse adds around it."""
FILES = ("m.image", "m.file", "m.audio", "m.video")
HTML = "org.matrix.custom.html"

_LONGEST_NAME = 100
_MARKED_UP = re.compile(r"<(?!/?p>|br>)")


@dataclass(frozen=True, slots=True)
class Link:
    """Where an announcement is talked about."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Wording:
    """What the copies of one version of an announcement are made of."""

    id: str
    version: int
    author_name: str
    texts: Mapping[str, Body]
    """By language, in the order in which they are said; in none, `SAID_TO_ALL`, the only one."""
    form: Form
    priority: Priority = Priority.NORMAL
    discussion: Link | None = None


def for_everybody(wording: Wording) -> dict[str, Any]:
    """Return the content of the copy in a shared room: every language, each under its own name."""
    return _content(wording, tuple(wording.texts))


def for_reader(wording: Wording, language: str) -> dict[str, Any]:
    """Return the content of the copy for somebody who reads this language, one of the wording's."""
    return _content(wording, (language,))


def check_size(wording: Wording) -> None:
    """Raise `RefusedError` when the largest copy would be no event."""
    size = len(json.dumps(for_everybody(wording), ensure_ascii=False).encode()) + 4 * _LONGEST_NAME
    if size > LONGEST:
        raise RefusedError(
            f"This message is too long to be announced: {size:,} bytes with the lines that Muster adds, and at most "
            f"{LONGEST:,} are possible. Shorten it, or send it as a file."
        )


def body_of_markdown(markdown: str, base: Body | None = None) -> dict[str, Any]:
    """Return the body of a text in Markdown; with `base`, a file's, it is what stands under the file."""
    rendered = html_of(markdown)
    formatted = {"format": HTML, "formatted_body": rendered} if _MARKED_UP.search(rendered) else {}
    return {**body_of_text(markdown, base), **formatted}


def body_of_text(text: str, base: Body | None = None) -> dict[str, Any]:
    """Return the body of a plain text; with `base`, a file's, it is what stands under the file."""
    if base is None or base["msgtype"] not in FILES:
        return {"msgtype": "m.text", "body": text}
    name = base.get("filename", base["body"])
    kept = {key: value for key, value in base.items() if key not in ("format", "formatted_body")}
    return {**kept, "filename": name, "body": text or name}


def caption_of(body: Body) -> str:
    """Return what is said: the text, or what stands under a file, if anything (spec "Media captions")."""
    if body["msgtype"] in FILES and body.get("filename", body["body"]) == body["body"]:
        return ""
    return str(body["body"])


def one_line(name: str) -> str:
    """Return the name without line breaks and control characters, not longer than names are."""
    visible = "".join(character if character.isprintable() else " " for character in name)
    return " ".join(visible.split())[:_LONGEST_NAME]


def _content(wording: Wording, languages: Sequence[str]) -> dict[str, Any]:
    """Return the content; `m.mentions` is empty, so that a name or `@room` in it singles nobody out.

    It is `m.text`, because `m.notice` never notifies. A file goes without the author's name, and asks only what has to
    be read to be answered.
    """
    first = wording.texts[languages[0]]
    is_file = first["msgtype"] in FILES
    titles = len(languages) > 1
    parts = [_part(wording, language, title=titles, is_file=is_file) for language in languages]
    plain, formatted = [part[0] for part in parts if part[0]], [part[1] for part in parts if part[1]]
    if wording.discussion is not None:
        name, address = wording.discussion.name, wording.discussion.address
        plain.append(f"💬 {name}: {address}")
        formatted.append(f'<p>💬 <a href="{html.escape(address)}">{html.escape(name)}</a></p>')
    if not is_file:
        name = one_line(wording.author_name)
        plain.insert(0, f"📣 {name}")
        formatted.insert(0, f"<p>📣 <strong>{html.escape(name)}</strong></p>")
    content = body_of_text("\n\n".join(plain), first)
    marked_up = titles or wording.discussion or any("formatted_body" in wording.texts[each] for each in languages)
    if marked_up and plain:
        content |= {"format": HTML, "formatted_body": "\n".join(formatted)}
    return {**content, "m.mentions": {}, MARKER: {"id": wording.id, "version": wording.version}}


def _part(wording: Wording, language: str, *, title: bool, is_file: bool) -> tuple[str, str]:
    """Return what is said in one language, as text and as HTML."""
    body = wording.texts[language]
    said = caption_of(body)
    asks = not is_file or wording.form.kind not in (Kind.NONE, Kind.BUTTON)
    request = request_of(wording.form, language) if asks else ""
    heading = endonym(language) if title and language != SAID_TO_ALL else ""
    plain = "\n\n".join(part for part in (heading, said, request) if part)
    formatted = [f"<h4>{html.escape(heading)}</h4>"] if heading else []
    if said:
        formatted.append(body.get("formatted_body") or f"<p>{_as_html(said)}</p>")
    if request:
        formatted.append(f"<p><em>{html.escape(request, quote=False)}</em></p>")
    return plain, "\n".join(formatted)


def _as_html(text: str) -> str:
    return html.escape(text, quote=False).replace("\n\n", "</p>\n<p>").replace("\n", "<br>\n")
