"""The part of the configuration about the archive: how it is signed, searched and kept, and where its files are."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from bridge import document
from bridge.archive.search.segment import LANGUAGES, STEMMERS
from bridge.document import Kind, Section, Value, choice, duration, line, list_of, nearest, number, url

_SHORTEST_EVERY = timedelta(minutes=1)
_ANCHORS = ("file", "rfc3161", "room")
_MEDIA = ("endpoint", "limit", "store")
_S3 = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SIZE = re.compile(r"([0-9]{1,6})(KiB|MiB|GiB|TiB)")
_LIMIT = 1 << 30
_UNITS = {"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}


class Disposing(StrEnum):
    """Who disposes of what is over: the service by itself, or `muster archive dispose` alone."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class AnchorsConfig:
    """Where checkpoints are given out of the house; None for nowhere."""

    room: str | None = None
    """A room ID, or `administrators`."""
    file: Path | None = None
    rfc3161: str | None = None
    """Address of a time-stamping authority."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place on an S3-compatible store; the keys come from the environment."""

    name: str
    prefix: str
    """Before each file's name; may be empty."""
    endpoint: str | None
    """Address of the store; None for Amazon's."""


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """Where files are kept."""

    store: Path | Bucket | None = None
    """None for `media` in the data folder."""
    limit: int = _LIMIT
    """Bytes of the largest file that is kept."""


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """How the archive is signed, searched and kept, and where its files are."""

    checkpoint_every: timedelta
    anchors: AnchorsConfig
    languages: tuple[str, ...] = LANGUAGES
    """Snowball's names of the languages whose inflections search knows."""
    media: MediaConfig = MediaConfig()
    dispose: Disposing = Disposing.MANUAL
    dispose_at_most: float = 0.05
    """The fraction of what is there that the service disposes of in one night."""


def archive(section: Section, folder: Path) -> ArchiveConfig:
    """Read the section; `folder` is the file's."""
    anchors: Kind[AnchorsConfig] = Kind(partial(_anchors, folder=folder), AnchorsConfig)
    media: Kind[MediaConfig] = Kind(partial(_media, folder=folder), MediaConfig)
    return ArchiveConfig(
        checkpoint_every=section.optional("checkpoint_every", _every, timedelta(hours=1)),
        anchors=section.optional("anchors", anchors, AnchorsConfig()),
        dispose=section.optional("dispose", choice(*Disposing), Disposing.MANUAL),
        dispose_at_most=section.optional("dispose_at_most", number(0, 1), 0.05),
        languages=section.optional("languages", list_of(_language), LANGUAGES),
        media=section.optional("media", media, MediaConfig()),
    )


def _media(value: Value, folder: Path) -> MediaConfig:
    entries = _known(value, _MEDIA)
    store = line.read(entries["store"]) if "store" in entries else ""
    endpoint = url.read(entries["endpoint"]) if "endpoint" in entries else None
    limit = _size.read(entries["limit"]) if "limit" in entries else _LIMIT
    if not store.startswith(_S3):
        if endpoint is not None:
            entries["endpoint"].expected("this only beside a `store` of s3://BUCKET/PREFIX")
        return MediaConfig(folder / store if store else None, limit)
    name, _, prefix = store.removeprefix(_S3).partition("/")
    if not _BUCKET.fullmatch(name):
        entries["store"].expected("s3://BUCKET or s3://BUCKET/PREFIX")
    return MediaConfig(Bucket(name, prefix.strip("/"), endpoint), limit)


def _known(value: Value, names: Collection[str]) -> dict[str, Value]:
    """Return the values of a mapping, of which every key must be one of these."""
    for name, (key, _) in value.entries().items():
        if name not in names:
            key.problem(f"unknown key `{name}`{nearest(name, names)}")
    return {name: entry for name, (_, entry) in value.entries().items()}


def _read_size(value: Value) -> int:
    found = _SIZE.fullmatch(line.make(value))
    if found is None or not int(found[1]):
        value.expected("a size such as 500MiB or 1GiB")
    return int(found[1]) << _UNITS[found[2]]


def _anchors(value: Value, folder: Path) -> AnchorsConfig:
    entries = _known(value, _ANCHORS)
    file = document.path.read(entries["file"]) if "file" in entries else None
    return AnchorsConfig(
        room=_room.read(entries["room"]) if "room" in entries else None,
        file=file and folder / file,
        rfc3161=url.read(entries["rfc3161"]) if "rfc3161" in entries else None,
    )


def _read_room(value: Value) -> str:
    found = line.make(value)
    if found != "administrators" and not found.startswith("!"):
        value.expected("`administrators` or a room's ID, which begins with `!`")
    return found


def _read_every(value: Value) -> timedelta:
    found = duration.make(value)
    if found < _SHORTEST_EVERY:
        value.expected("at least 1m")
    return found


def _read_language(value: Value) -> str:
    found = line.make(value).lower()
    if found not in STEMMERS:
        value.refuse(f"search knows no inflections of {found!r}{nearest(found, STEMMERS)}")
    return found


_language: Kind[str] = Kind(_read_language, lambda: LANGUAGES[0])
_room = Kind(_read_room, str)
_size = Kind(_read_size, lambda: 1)
_every = Kind(_read_every, lambda: _SHORTEST_EVERY)
