"""A desk's announcements as an RSS feed (pure; rssboard.org/rss-specification).

Every language of an announcement stands in its item, one after another. Pictures are on the homeserver, which shows
them to nobody outside, so that their names stand for them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from email.utils import format_datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from bridge.announcements import markup
from bridge.announcements.outlets.said import Said

NEWEST: Final = 50
"""Items at most."""
_LONGEST_TITLE: Final = 100
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 knows no way to write (section 2.2)."""
_PICTURE: Final = re.compile(r'(<img\b[^>]*?) src="mxc:[^"]*"')
_ATOM: Final = "http://www.w3.org/2005/Atom"


def rss_of(company: str, desk: str, announcements: Sequence[Said], address: str) -> bytes:
    """Return the feed of the announcements, newest first; `address` is where it is read."""
    register_namespace("atom", _ATOM)
    root = Element("rss", version="2.0")
    channel = SubElement(root, "channel")
    _put(channel, "title", f"{company}: {desk}")
    _put(channel, "link", address)
    _put(channel, "description", f"What {company} announces.")
    SubElement(channel, f"{{{_ATOM}}}link", href=address, rel="self", type="application/rss+xml")
    for announcement in announcements:
        item = SubElement(channel, "item")
        languages = sorted(announcement.texts)
        _put(item, "title", _title(announcement.text(languages[0])))
        _put(item, "description", "\n".join(_shown(announcement, language) for language in languages))
        _put(item, "guid", announcement.id).set("isPermaLink", "false")
        _put(item, "pubDate", format_datetime(announcement.opened_at))
        _put(item, "category", announcement.author_name)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _shown(announcement: Said, language: str) -> str:
    formatted = announcement.html(language)
    if formatted:
        return markup.clean(_PICTURE.sub(r"\1", formatted))  # which leaves the name of a picture without an address
    return html.escape(announcement.text(language), quote=False).replace("\n", "<br>\n")


def _title(text: str) -> str:
    """Return the first line, shortened at a word."""
    line = next((line for line in text.splitlines() if line.strip()), "").strip()
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1].rsplit(maxsplit=1)[0] + "…"


def _put(parent: Element, tag: str, text: str) -> Element:
    child = SubElement(parent, tag)
    child.text = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return child
