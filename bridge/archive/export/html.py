"""Pages for a browser: one for each conversation, one to begin with, and search, without any network. Pure.

Nothing of a message is markup, and the pages forbid themselves to load anything but what lies beside them. Search goes
through small scripts that hold the texts; they are loaded when somebody first searches.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from bridge.archive.checkpoint import read_checkpoint
from bridge.archive.export.order import Order
from bridge.archive.export.transcript import at, deleted
from bridge.archive.export.values import Attachment, Conversation, Kind, Message, Rendered
from bridge.archive.rendering import moment, printable, writable
from bridge.archive.values import text_of

_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file:;"
    " style-src 'self' file:; script-src 'self' file:; base-uri 'none'; form-action 'none'\">"
)
_SHOWN_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def render(conversation: Conversation, order: Order) -> Rendered:
    """Return the conversation's page, and the texts by which it is found."""
    title = conversation.room_name or conversation.room_id
    rows = "".join(_message(conversation, message) for message in conversation.messages)
    people = "".join(f"<li>{_text(each.title)}" for each in conversation.participants.values())
    leaves = sha256(b"".join(message.record.leaf for message in conversation.messages)).hexdigest()
    page = (
        f'{_HEAD}<title>{_text(title)}, {conversation.day}</title><link rel="stylesheet" href="../style.css"></head>'
        f'<body><p><a href="../index.html">All rooms and days</a></p><h1>{_text(title)}</h1>'
        f"<p>{conversation.day}, times in UTC · {_text(conversation.room_id)}</p>"
        f"<details><summary>{len(conversation.participants)} people</summary><ul>{people}</ul></details>"
        f"<main>{rows}</main>{_footer(order, leaves)}</body></html>\n"
    )
    found = [
        [
            _anchor(message),
            f"{at(message.record.sent_at)} {conversation.participant(message.user_id).name}",
            "\n".join([message.text, *(text_of(edit.event) for edit in message.edits)]),
        ]
        for message in conversation.messages
        if message.kind is Kind.MESSAGE
    ]
    data = _script([conversation.name, f"{title}, {conversation.day}", found])
    index = {"room": conversation.room_id, "title": title, "day": str(conversation.day), "name": conversation.name}
    counted = {"messages": len(found)}
    return Rendered(
        {
            f"pages/{conversation.name}.html": page.encode("utf-8", "replace"),
            f"search/{conversation.name}.js": f"found({data});\n".encode(),
        },
        index | counted,
    )


def close(order: Order, indexes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Return the page to begin with, its style and its script."""
    rooms: dict[str, list[Mapping[str, Any]]] = {}
    for index in indexes:
        rooms.setdefault(index["room"], []).append(index)
    sections = "".join(_room(pages) for pages in rooms.values())
    names = [page["name"] for pages in rooms.values() for page in pages]
    page = (
        f"{_HEAD}<title>Archive of {_text(read_checkpoint(order.note).origin)}</title>"
        '<link rel="stylesheet" href="style.css"></head><body><h1>What was said</h1>'
        '<p><input id="words" type="search" placeholder="Words to find" aria-label="Words to find" autofocus></p>'
        f'<div id="hits" role="status"></div>{sections}{_footer(order, "")}'
        '<script src="names.js"></script><script src="search.js"></script></body></html>\n'
    )
    yield "index.html", page.encode("utf-8", "replace")
    yield "names.js", f"const names = {_script(names)};\n".encode()
    for name in ("search.js", "style.css"):
        yield name, files("bridge.archive.export").joinpath(name).read_bytes()


def _room(pages: Sequence[Mapping[str, Any]]) -> str:
    last = pages[-1]
    days = "".join(
        f'<li><a href="pages/{escape(page["name"])}.html">{escape(page["day"])}</a> {page["messages"]} messages'
        for page in pages
    )
    return f"<section><h2>{_text(last['title'])}</h2><p>{_text(last['room'])}</p><ul>{days}</ul></section>"


def _message(conversation: Conversation, message: Message) -> str:
    record = message.record
    who = conversation.participant(message.user_id)
    marks = " class=deleted" if message.redaction else ""
    said = {Kind.JOIN: "joined", Kind.LEAVE: "left"}.get(message.kind, "")
    lines = [
        f'<article id="{_anchor(message)}"{marks}><header><b>{_text(who.title)}</b> {said} <time>{at(record.sent_at)}'
        f"</time></header><p>{_text(message.text)}</p>"
    ]
    if message.reply_to or message.thread:
        target = message.reply_to or message.thread
        lines.append(f"<p class=note>answers {_text(str(target))}</p>")
    if record.attachment:
        lines.append(_attachment(record.attachment))
    for edit in message.edits:
        lines.append(f"<p class=note>edited {moment(edit.event.timestamp)} to:</p><p>{_text(text_of(edit.event))}</p>")
        if edit.redaction:
            lines.append(f"<p class=note>{_text(deleted(conversation, edit.redaction))}</p>")
    if message.redaction:
        lines.append(f"<p class=note>{_text(deleted(conversation, message.redaction))}</p>")
    for one in message.reactions:
        name = conversation.participant(one.version.event.sender).title
        gone = f", taken back {moment(one.version.redaction.timestamp)}" if one.version.redaction else ""
        lines.append(f"<p class=note>{_text(one.key)} {_text(name)}{gone}</p>")
    lines.append(f"<footer>{_text(record.event.event_id)} · {record.seq} · {record.leaf.hex()}</footer></article>")
    return "".join(lines)


def _attachment(attachment: Attachment) -> str:
    if not attachment.path:
        return f"<p class=note>file {_text(attachment.name)}: {_text(attachment.problem)}</p>"
    href = f"../{quote(attachment.path)}"
    shown = f'<br><img alt="" src="{href}">' if attachment.mimetype in _SHOWN_IMAGES else ""
    return (
        f'<p class=note><a href="{href}" download>{_text(attachment.name)}</a>, {attachment.size} bytes, SHA-256 '
        f"{attachment.sha256}{shown}</p>"
    )


def _footer(order: Order, leaves: str) -> str:
    checkpoint = read_checkpoint(order.note)
    of_page = f"SHA-256 of the leaves on this page: {leaves}<br>" if leaves else ""
    return (
        f"<footer>{of_page}Archive {_text(checkpoint.origin)}, {checkpoint.size} events, root "
        f"{checkpoint.root.hex()}.<br>Exported {at(order.at)} by {_text(order.actor.name)}. "
        "The hash of this file is in manifest.json.</footer>"
    )


def _anchor(message: Message) -> str:
    return f"e{message.record.seq}"


def _text(value: str) -> str:
    return escape(printable(value))


def _script(value: Any) -> str:
    """Return a literal of JavaScript that cannot end its script."""
    return json.dumps(writable(value)).replace("<", "\\u003c")
