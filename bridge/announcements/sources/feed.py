"""What an RSS or Atom feed says, and which of it is news (pure).

`read_feed` costs time and memory that the sender decides on, whatever the size (feedparser, where XML does not read,
goes on by guessing), so `feed_process` runs it where it can be ended. Entities of a document's own are refused: no
feed needs them, and they are what small documents grow large by.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

import feedparser

from bridge.announcements.sources.passage import Body, Writing, body_of
from bridge.errors import InputError

MOST_ENTRIES: Final = 1_000
"""Of one document; what is behind them is not looked at."""
LONGEST_CONTENT: Final = 20_000
"""Characters of an entry's text; of a longer one only the title and the link are announced."""
_LONGEST_ID: Final = 1_000
_LONGEST_TITLE: Final = 500
_PROLOG: Final = re.compile(rb"<\s*(rss|feed|rdf:RDF|channel)\b", re.IGNORECASE)
_ENTITY: Final = re.compile(rb"<!\s*ENTITY", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a feed says."""

    id: str
    """What it is told from others by."""
    title: str
    content: str
    """HTML as it came; empty where there is none."""
    link: str
    """An http or https address, or empty."""


def read_feed(document: bytes, content_type: str, address: str) -> tuple[Entry, ...]:
    """Return the entries of a feed, the oldest first; raise `InputError` when it is none.

    Without dates the last one of the document counts as the oldest, as feeds are written.
    """
    plain = document.replace(b"\0", b"")  # as it is in UTF-16, too
    start = _PROLOG.search(plain)
    if _ENTITY.search(plain, 0, start.start() if start else len(plain)):
        raise InputError("the feed defines entities of its own, which no feed needs; it was not read")
    parsed = feedparser.parse(
        io.BytesIO(document),
        response_headers={"content-type": content_type, "content-location": address},
        sanitize_html=False,  # done when it is announced
        resolve_relative_uris=False,
    )
    if not parsed.get("version"):
        raise InputError("expected an RSS or Atom feed, came something else")
    found = [_entry(each, address) for each in parsed.entries[:MOST_ENTRIES]]
    moments = [each.get("published_parsed") or each.get("updated_parsed") for each in parsed.entries[:MOST_ENTRIES]]
    order = sorted(range(len(found)), key=lambda place: (tuple(moments[place] or ())[:6], -place))
    return tuple(
        {found[place].id: found[place] for place in order if found[place].title or found[place].content}.values()
    )


def news(entries: Sequence[Entry], known: Collection[str]) -> tuple[Entry, ...]:
    """Return the entries that are not known yet, the oldest first."""
    return tuple(entry for entry in entries if entry.id not in known)


def body_of_entry(entry: Entry) -> Body:
    """Return what is announced of an entry: title, text without scripts and pictures, and the link."""
    text = entry.content if len(entry.content) <= LONGEST_CONTENT else ""
    shown = html.escape(entry.link)
    link = f'<p><a href="{shown}">{shown}</a></p>' if entry.link else ""
    return body_of(f"{text}\n{link}", Writing.HTML, entry.title)


def _entry(raw: Any, address: str) -> Entry:
    contents = [each.get("value", "") for each in raw.get("content", ())] or [raw.get("summary", "")]
    title = _plain(raw.get("title", ""))[:_LONGEST_TITLE]
    link = urljoin(address, raw.get("link", "")) if raw.get("link") else ""
    link = link if link.startswith(("https://", "http://")) else ""
    said = raw.get("id") or link or f"{title}\n{contents[0]}"
    return Entry(said if len(said) <= _LONGEST_ID else _digest(said), title, contents[0], link)


def _plain(title: str) -> str:
    """Return a title without marks; feeds write them in, whatever type they say it is."""
    return " ".join(html.unescape(re.sub(r"</?[A-Za-z][^<>]{0,200}>", "", title)).split())


def _digest(said: str) -> str:
    return f"sha256:{hashlib.sha256(said.encode(errors='replace')).hexdigest()}"
