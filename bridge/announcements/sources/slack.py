"""Messages in Slack's form (pure): what tools send that know how to write to Slack.

Read are `text`, the blocks section, header, context, divider and image (docs.slack.dev/reference/block-kit/blocks),
and the older attachments' `title`, `text`, `fallback` and `fields`. Everything else is passed over, as those who send
it cannot be asked to leave it out. Pictures elsewhere are named and linked, not fetched. mrkdwn
(docs.slack.dev/messaging/formatting-message-text) becomes Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any, Final

from bridge.announcements.sources.passage import Body, Writing, body_of

_LINK: Final = re.compile(r"<([^<>\n]{1,2000})>")
_CODE: Final = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_BOLD: Final = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")
_STRUCK: Final = re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])")
_SPECIAL: Final = re.compile(r"([\\\[\]#|])")
_ADDRESS: Final = re.compile(r"(https?://|mailto:)[^\s<>]+", re.IGNORECASE)
_TO_ALL: Final = frozenset({"here", "channel", "everyone"})


def is_slack(said: Mapping[str, Any]) -> bool:
    """Tell whether a body is in Slack's form: it says so by what ours never has."""
    return "blocks" in said or "attachments" in said


def body_of_slack(said: Mapping[str, Any]) -> Body:
    """Return what a message says; empty when it says nothing. Of text and blocks the blocks count, as with Slack."""
    parts = [*_blocks(said.get("blocks"))]
    if not parts:
        parts = [*_mrkdwn_of(said.get("text"))]
    for attachment in _objects(said.get("attachments")):
        parts += _attachment(attachment)
    return body_of("\n\n".join(part for part in parts if part.strip()), Writing.MARKDOWN)


def markdown_of(mrkdwn: str) -> str:
    """Return mrkdwn as Markdown: `*bold*`, `~struck~`, `<https://a|words>`; code stays as it is."""
    pieces = _CODE.split(mrkdwn)
    return "".join(unescape(piece) if index % 2 else _words(piece) for index, piece in enumerate(pieces))


def _words(text: str) -> str:
    """Return mrkdwn without code; `&lt;` and its like mean the same in Markdown."""
    parts: list[str] = []
    last = 0
    for match in _LINK.finditer(text):
        parts += [_marks(text[last : match.start()]), _reference(match[1])]
        last = match.end()
    return "".join([*parts, _marks(text[last:])])


def _marks(text: str) -> str:
    text = _SPECIAL.sub(r"\\\1", text)
    return _STRUCK.sub(r"~~\1~~", _BOLD.sub(r"**\1**", text))


def _reference(inside: str) -> str:
    """Return what stands between `<` and `>`: a link, or who or which channel is meant."""
    target, _, label = inside.partition("|")
    if target.startswith("!"):
        word = target[1:].split("^")[0]
        return "" if word in _TO_ALL else _marks(label)
    if target.startswith(("@", "#")):
        return _marks(target[0] + (label.lstrip("@#") or target[1:]))
    if not _ADDRESS.fullmatch(target):
        return _marks(label or target)
    return f"[{_marks(label or target)}](<{unescape(target)}>)"


def _blocks(blocks: Any) -> Iterator[str]:
    for block in _objects(blocks):
        kind = block.get("type")
        if kind == "header":
            yield from (f"### {_plain(words)}" for words in _text(block.get("text")))
        elif kind == "section":
            yield from _text_object(block.get("text"))
            yield from ("\n\n".join(_text_object(field)) for field in _objects(block.get("fields")))
        elif kind == "context":
            said = (words for element in _objects(block.get("elements")) for words in _element(element))
            yield from filter(None, [" ".join(said)])
        elif kind == "divider":
            yield "---"
        elif kind == "image":
            yield from _image(block)


def _element(element: Mapping[str, Any]) -> Iterator[str]:
    yield from _image(element) if element.get("type") == "image" else _text_object(element)


def _image(image: Mapping[str, Any]) -> Iterator[str]:
    address, name = image.get("image_url"), image.get("alt_text")
    words = _plain(name) if isinstance(name, str) and name.strip() else "picture"
    if isinstance(address, str) and _ADDRESS.fullmatch(address):
        yield f"[{words}](<{address}>)"


def _attachment(attachment: Mapping[str, Any]) -> Iterator[str]:
    yield from _blocks(attachment.get("blocks"))
    yield from _mrkdwn_of(attachment.get("pretext"))
    for title in _text(attachment.get("title")):
        link = attachment.get("title_link")
        linked = isinstance(link, str) and _ADDRESS.fullmatch(link)
        yield f"[{_plain(title)}](<{link}>)" if linked else f"**{_plain(title)}**"
    said = list(_mrkdwn_of(attachment.get("text")))
    yield from said
    for field in _objects(attachment.get("fields")):
        words = [f"**{_plain(title)}**" for title in _text(field.get("title"))]
        yield "\n".join([*words, *_mrkdwn_of(field.get("value"))])
    if not said and "blocks" not in attachment and "title" not in attachment:
        yield from (_plain(words) for words in _text(attachment.get("fallback")))


def _text_object(value: Any) -> Iterator[str]:
    """Yield a text object's words (docs.slack.dev/reference/block-kit/composition-objects/text-object)."""
    if isinstance(value, dict):
        plain = value.get("type") == "plain_text"
        yield from ((_plain(words) if plain else markdown_of(words)) for words in _text(value.get("text")))


def _mrkdwn_of(value: Any) -> Iterator[str]:
    yield from map(markdown_of, _text(value))


def _text(value: Any) -> Iterator[str]:
    """Yield the value's words, or those of the text object that it is, if it is one."""
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, str) and value.strip():
        yield value


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _plain(words: str) -> str:
    """Return plain text as Markdown that says just that, in one line."""
    return re.sub(r"([\\`*_{}\[\]()<>#~|!&])", r"\\\1", " ".join(words.split()))
