"""The part of the configuration about the archive: how often it is signed, where that is anchored, what is searched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from bridge import document
from bridge.archive.segment import LANGUAGES, STEMMERS
from bridge.document import Kind, Section, Value, duration, line, list_of, nearest, url

_SHORTEST_EVERY = timedelta(minutes=1)
_ANCHORS = ("file", "rfc3161", "room")


@dataclass(frozen=True, slots=True)
class AnchorsConfig:
    """Where checkpoints are given out of the house; None for nowhere."""

    room: str | None = None
    """A room ID, or `administrators`."""
    file: Path | None = None
    rfc3161: str | None = None
    """Address of a time-stamping authority."""


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """How the archive is signed and searched."""

    checkpoint_every: timedelta
    anchors: AnchorsConfig
    languages: tuple[str, ...] = LANGUAGES
    """Snowball's names of the languages whose inflections search knows."""


def archive(section: Section, folder: Path) -> ArchiveConfig:
    """Read the section; `folder` is the file's."""
    anchors: Kind[AnchorsConfig] = Kind(partial(_anchors, folder=folder), AnchorsConfig)
    return ArchiveConfig(
        checkpoint_every=section.optional("checkpoint_every", _every, timedelta(hours=1)),
        anchors=section.optional("anchors", anchors, AnchorsConfig()),
        languages=section.optional("languages", list_of(_language), LANGUAGES),
    )


def _anchors(value: Value, folder: Path) -> AnchorsConfig:
    entries = value.entries()
    for name, (key, _) in entries.items():
        if name not in _ANCHORS:
            key.problem(f"unknown key `{name}`{nearest(name, _ANCHORS)}")
    file = document.path.read(entries["file"][1]) if "file" in entries else None
    return AnchorsConfig(
        room=_room.read(entries["room"][1]) if "room" in entries else None,
        file=file and folder / file,
        rfc3161=url.read(entries["rfc3161"][1]) if "rfc3161" in entries else None,
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
_every = Kind(_read_every, lambda: _SHORTEST_EVERY)
