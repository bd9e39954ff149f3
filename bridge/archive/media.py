"""Which media an event refers to, and when a link that could not be fetched is tried again.

Files, thumbnails, stickers, encrypted attachments (the key stays in the event), the avatars of rooms and members, and
pictures within formatted texts; of edits the new ones. Whatever else an event says about media is anybody's claim:
its name, size and type are kept as such. Fetching is left to `media_fetch`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from bridge.archive.batch import storable
from bridge.homeserver.event import Event

_LINK = r"mxc://[A-Za-z0-9.:\[\]-]{1,230}/[A-Za-z0-9_-]{1,255}"
_MXC = re.compile(_LINK)
_SOURCE = re.compile(rf"""\bsrc\s*=\s*["']?\s*({_LINK})""", re.IGNORECASE)
_LONGEST_NAME = 255
_LARGEST = 2**53 - 1
_MOST = 100
"""Links of an event; no client makes so many, and whoever does shall not keep us busy for hours."""
_DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 360, 1440, 2880))


class Place(Enum):
    """What a file is to the event that refers to it."""

    FILE = "file"
    THUMBNAIL = "thumbnail"
    AVATAR = "avatar"
    INLINE = "inline"
    """A picture within a text."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A file that an event refers to; all but the link is the sender's claim."""

    mxc: str
    place: Place
    name: str = ""
    mimetype: str = ""
    size: int | None = None
    """Bytes."""
    encryption: Mapping[str, Any] | None = None
    """The `EncryptedFile` with key, iv and hashes (specification, "Sending encrypted attachments")."""


def references_of(event: Event) -> tuple[Reference, ...]:
    """Return the files that an event of any shape refers to, each link once, at most a hundred."""
    found: dict[str, Reference] = {}
    for reference in _references(event):
        if len(found) == _MOST:
            break
        found.setdefault(reference.mxc, reference)
    return tuple(found.values())


def is_link(text: str) -> bool:
    """Return whether the text is an mxc URI (specification, "Matrix Content (mxc://) URIs")."""
    return _MXC.fullmatch(text) is not None


def server_of(mxc: str) -> str:
    """Return the homeserver that has the file."""
    return mxc.removeprefix("mxc://").partition("/")[0]


def delay_after(tries: int) -> timedelta | None:
    """Return how long to wait after so many tries in vain, from 1; None when it is given up, after four days."""
    return _DELAYS[tries - 1] if tries <= len(_DELAYS) else None


def _references(event: Event) -> Iterator[Reference]:
    content = event.content
    if event.type == "m.room.member":
        yield from _linked(content, "avatar_url", Place.AVATAR)
        return
    place = Place.AVATAR if event.type == "m.room.avatar" else Place.FILE
    for version in (content, _mapping(content, "m.new_content")):
        yield from _attached(version, place)
        text = version.get("formatted_body")
        if isinstance(text, str):
            yield from (Reference(found[1], Place.INLINE) for found in _SOURCE.finditer(text))


def _attached(content: Mapping[str, Any], place: Place) -> Iterator[Reference]:
    info = _mapping(content, "info")
    name = content.get("filename") or content.get("body")
    yield from _linked(content, "url", place, name, info)
    yield from _encrypted(content, "file", place, name, info)
    about = _mapping(info, "thumbnail_info")
    yield from _linked(info, "thumbnail_url", Place.THUMBNAIL, "", about)
    yield from _encrypted(info, "thumbnail_file", Place.THUMBNAIL, "", about)


def _encrypted(
    content: Mapping[str, Any], key: str, place: Place, name: object, info: Mapping[str, Any]
) -> Iterator[Reference]:
    file = _mapping(content, key)
    yield from _linked(file, "url", place, name, info, file)


def _linked(
    content: Mapping[str, Any],
    key: str,
    place: Place,
    name: object = "",
    info: Mapping[str, Any] | None = None,
    encryption: Mapping[str, Any] | None = None,
) -> Iterator[Reference]:
    mxc, about = content.get(key), info or {}
    if isinstance(mxc, str) and is_link(mxc):
        yield Reference(mxc, place, _text(name), _text(about.get("mimetype")), _size(about.get("size")), encryption)


def _mapping(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return storable(value, _LONGEST_NAME) if isinstance(value, str) else ""


def _size(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST else None
