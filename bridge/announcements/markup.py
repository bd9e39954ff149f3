"""Markdown, HTML and plain text of what is announced (pure).

Whatever HTML comes from outside goes through `clean` before it is said anywhere: what is left are the elements and
attributes that the Matrix specification lets clients show ("m.room.message msgtypes"), so no script, no handler, no
style and no address other than a link's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from html.parser import HTMLParser

import nh3
from markdown_it import MarkdownIt

from bridge.errors import RefusedError

LONGEST = 64 * 1024
"""Characters of Markdown that are read: more than an event holds."""
LARGEST = 256 * 1024
"""Characters of HTML that are read: e-mail has many that go."""
MOST_ELEMENTS = 8_000
"""Elements that are read; what has more is no text, and nested it would take seconds."""

_TAGS = frozenset(
    re.findall(
        r"[a-z0-6]+",
        "del h1 h2 h3 h4 h5 h6 blockquote p a ul ol sup sub li b i u strong em s code hr br div table thead tbody tr"
        " th td caption pre span img details summary",
    )
)
_WITH_CONTENT = frozenset({"script", "style", "title", "template", "noscript", "mx-reply"})
"""Elements of which nothing is left, not even the text."""
_ATTRIBUTES = {
    "a": {"href", "target"},
    "code": {"class"},
    "div": {"data-mx-maths"},
    "img": {"src", "width", "height", "alt", "title"},
    "ol": {"start"},
    "span": {"data-mx-bg-color", "data-mx-color", "data-mx-spoiler", "data-mx-maths"},
}
_LINKS = frozenset({"https", "http", "ftp", "mailto", "magnet"})
_IMAGES = "mxc"
_LANGUAGE = re.compile(r"language-[\w+-]{1,40}")
_LONE_IMAGE = re.compile(r'<img(?![^>"]*(?:"[^"]*"[^>"]*)* src=")((?: [a-z-]+="[^"]*")*)>')
"""An image without an address, as nh3 writes it: every value between double quotes, which are escaped inside."""
_ALT = re.compile(r' alt="([^"]*)"')
_BLOCKS = frozenset({"p", "div", "blockquote", "ul", "ol", "table", "pre", "hr", "details", "summary", "caption"}) | {
    f"h{level}" for level in range(1, 7)
}
_MARKDOWN = MarkdownIt("commonmark", {"breaks": True, "html": True}).enable(["table", "strikethrough"])


def html_of(markdown: str) -> str:
    """Return Markdown (CommonMark, tables, ~~struck~~; a line break is one) as clean HTML of Matrix.

    Raises `RefusedError` as `clean` does.
    """
    return clean(_MARKDOWN.render(_bounded(markdown, LONGEST))).strip()


def clean(html: str) -> str:
    """Return the HTML with only what Matrix clients may show; doing it again changes nothing.

    Links are of https, http, ftp, mailto and magnet; images of the homeserver (`mxc:`), others become their text.
    Raises `RefusedError` when there is more of it than `LARGEST` and `MOST_ELEMENTS` allow.
    """
    cleaned = nh3.clean(
        _bounded(html, LARGEST),
        tags=set(_TAGS),
        clean_content_tags=set(_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_kept,
        link_rel=None,
        url_schemes={*_LINKS, _IMAGES},
    )
    return _LONE_IMAGE.sub(_alt, cleaned)


def plain(html: str) -> str:
    """Return HTML as the text that stands beside it, for notifications and clients that show no HTML.

    Paragraphs are divided by an empty line; lists, quotations and links are written as Markdown has them. Raises
    `RefusedError` as `clean` does.
    """
    reader = _Reader()
    reader.feed(clean(html))
    reader.close()
    return reader.text()


def _bounded(text: str, most: int) -> str:
    if len(text) > most:
        raise RefusedError(f"The text is too long: {len(text):,} characters, and at most {most:,} are read.")
    if (elements := text.count("<")) > MOST_ELEMENTS:
        raise RefusedError(f"The HTML is too large: {elements:,} elements, and at most {MOST_ELEMENTS:,} are read.")
    return text


def _kept(tag: str, name: str, value: str) -> str | None:
    """Return the value that an attribute may have, None for none."""
    if name in ("href", "src"):
        scheme = value.split(":", 1)[0].strip().lower() if ":" in value else ""
        return value if scheme in (_LINKS if name == "href" else (_IMAGES,)) else None
    if name == "class":
        return value if _LANGUAGE.fullmatch(value) else None
    if name in ("width", "height", "start"):
        return value if re.fullmatch(r"-?\d{1,6}", value) else None
    if name == "target":
        return value if value == "_blank" else None
    return value


def _alt(image: re.Match[str]) -> str:
    found = _ALT.search(image[1])
    return escape(unescape(found[1]), quote=False) if found else ""


class _Reader(HTMLParser):
    """Writes down the text of clean HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._lists: list[int | None] = []
        """For each open list the number of its next item; None: it has bullets."""
        self._links: list[tuple[str, int]] = []
        """For each open link its address and where its text begins."""
        self._pre = 0
        self._quotes: list[int | None] = []
        """For each open quotation where it begins; None: it is quoted deep enough."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _BLOCKS:
            self._break(1 if self._lists else 2)
        if (opened := _OPENED.get(tag)) is not None:
            opened(self, given)

    def handle_endtag(self, tag: str) -> None:
        if (closed := _CLOSED.get(tag)) is not None:
            closed(self)
        if tag in _BLOCKS:
            self._break(1 if self._lists else 2)

    def handle_data(self, data: str) -> None:
        words = data if self._pre else re.sub(r"\s+", " ", data)
        if not self._pre and self._at_line_start():
            words = words.lstrip()
        if words:
            self._parts.append(words)

    def text(self) -> str:
        """Return what was written down."""
        lines = [line.rstrip() for line in "".join(self._parts).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def list_opened(self, first: int | None) -> None:
        self._lists.append(first)

    def list_closed(self) -> None:
        if self._lists:
            self._lists.pop()

    def item_opened(self) -> None:
        self._break(1)
        indent = "  " * max(0, len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._parts.append(f"{indent}- " if number is None else f"{indent}{number}. ")

    def link_opened(self, address: str) -> None:
        self._links.append((address, len(self._parts)))

    def link_closed(self) -> None:
        if not self._links:
            return
        address, start = self._links.pop()
        words = "".join(self._parts[start:]).strip()
        if address and words and address not in (words, f"mailto:{words}") and not address.startswith(_PILL):
            self._parts.append(f" ({address})")

    def row_opened(self) -> None:
        self._break(1)

    def cell_opened(self) -> None:
        if self._parts and not self._parts[-1].rstrip(" ").endswith("\n"):
            self._parts.append("| " if self._parts[-1].endswith(" ") else " | ")

    def pre_opened(self) -> None:
        self._pre += 1

    def pre_closed(self) -> None:
        self._pre = max(0, self._pre - 1)

    def quote_opened(self) -> None:
        self._quotes.append(len(self._parts) if len(self._quotes) < _DEEPEST_QUOTE else None)

    def quote_closed(self) -> None:
        if not self._quotes:
            return
        if (start := self._quotes.pop()) is None:
            return
        words = "".join(self._parts[start:]).strip("\n")
        self._parts[start:] = ["\n".join(f"> {line}" for line in words.split("\n"))]

    def write(self, words: str) -> None:
        """Write down something that no text says."""
        self._parts.append(words)

    def _at_line_start(self) -> bool:
        return not self._parts or self._parts[-1].endswith(("\n", " "))

    def _break(self, lines: int) -> None:
        """Begin a new line, or after an empty one."""
        written = self._parts[-1] if self._parts else "\n\n"
        present = len(written) - len(written.rstrip("\n"))
        if present < lines:
            self._parts.append("\n" * (lines - present))


def _start(attributes: dict[str, str]) -> int:
    return int(attributes["start"]) if re.fullmatch(r"\d{1,6}", attributes.get("start", "")) else 1


_DEEPEST_QUOTE = 8
_PILL = "https://matrix.to/"
_OPENED: dict[str, Callable[[_Reader, dict[str, str]], None]] = {
    "a": lambda reader, given: reader.link_opened(given.get("href", "")),
    "blockquote": lambda reader, _: reader.quote_opened(),
    "br": lambda reader, _: reader.write("\n"),
    "hr": lambda reader, _: reader.write("---"),
    "img": lambda reader, given: reader.write(given.get("alt", "")),
    "li": lambda reader, _: reader.item_opened(),
    "ol": lambda reader, given: reader.list_opened(_start(given)),
    "pre": lambda reader, _: reader.pre_opened(),
    "td": lambda reader, _: reader.cell_opened(),
    "th": lambda reader, _: reader.cell_opened(),
    "tr": lambda reader, _: reader.row_opened(),
    "ul": lambda reader, _: reader.list_opened(None),
}
_CLOSED: dict[str, Callable[[_Reader], None]] = {
    "a": lambda reader: reader.link_closed(),
    "blockquote": lambda reader: reader.quote_closed(),
    "ol": lambda reader: reader.list_closed(),
    "pre": lambda reader: reader.pre_closed(),
    "ul": lambda reader: reader.list_closed(),
}
