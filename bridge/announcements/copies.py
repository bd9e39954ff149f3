"""The rows by which an announcement is said, changed, taken back and unpinned (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bridge.announcements.form import POLL_START, poll_of
from bridge.announcements.release import URGENT, Release, toned
from bridge.announcements.values import Act, Outgoing, Priority, Role, copy_key
from bridge.announcements.wording import Wording, caption_of, for_everybody, for_reader
from bridge.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class Standing:
    """Something that was said for an announcement, or that is about to be."""

    key: str
    role: str
    rank: int
    due_at: datetime
    room_id: RoomId | None
    user_id: UserId | None
    untried: bool
    """Whether it certainly stands nowhere yet."""


def copies(
    wording: Wording,
    rooms: Collection[RoomId],
    readers: Mapping[UserId, str],
    releases: Mapping[RoomId | UserId, Release],
    *,
    pinned: bool,
    at: datetime,
) -> list[Outgoing]:
    """Return the copies for the rooms and for the readers, each in the own language, the polls, and what is pinned.

    All copies come before the pins, which are nobody's hurry.
    """
    said = _Said(wording)
    found = [_copy(wording, said, RoomId(room_id), None, at) for room_id in rooms]
    found += [_copy(wording, said, None, UserId(user_id), at, language) for user_id, language in readers.items()]
    found = [_timed(each, releases[_place(each)]) for each in found]
    polls = [poll for each in found if (poll := _poll(wording, each, readers)) is not None]
    pins = [
        replace(each, key=_beside(each.key, "pin"), act=Act.PIN, role=Role.NOTE, rank=Priority.NORMAL, content=None)
        for each in (found if pinned else [])
    ]
    return [*found, *polls, *(replace(pin, target=copy_key(wording.id, _place(pin))) for pin in pins)]


def changed(
    wording: Wording, standing: Sequence[Standing], readers: Mapping[UserId, str], at: datetime
) -> list[Outgoing]:
    """Return what makes every copy say this; one that was never tried says it from the start."""
    said = _Said(wording)
    found = []
    for each in standing:
        if each.role != Role.COPY:
            continue
        new = _copy(wording, said, each.room_id, each.user_id, at, readers.get(each.user_id) if each.user_id else None)
        if each.untried:
            found.append(replace(new, due_at=each.due_at, rank=each.rank))
        else:
            found.append(replace(new, key=_beside(each.key, "edit"), act=Act.EDIT, target=each.key, rank=each.rank))
    return found


def taken_back(announcement: str, standing: Sequence[Standing], at: datetime) -> list[Outgoing]:
    """Return what redacts everything that stands; a redaction goes right behind what it takes back."""
    gone = [_act(each, announcement, Act.REDACT, each.rank, at) for each in standing]
    return [*gone, *unpinned(announcement, standing, at)]


def unpinned(announcement: str, standing: Sequence[Standing], at: datetime) -> list[Outgoing]:
    """Return what unpins the copies; where one is not pinned that changes nothing."""
    pinned = [each for each in standing if each.role == Role.COPY]
    return [_act(each, announcement, Act.UNPIN, Priority.NORMAL, max(at, each.due_at)) for each in pinned]


class _Said:
    """What copies say, made once for each language."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._known: dict[str | None, dict[str, Any]] = {}

    def content(self, language: str | None) -> dict[str, Any]:
        """Return the content for a reader of the language; None: for everybody."""
        if language not in self._known:
            self._known[language] = (
                for_everybody(self._wording) if language is None else for_reader(self._wording, language)
            )
        return self._known[language]


def _copy(
    wording: Wording,
    said: _Said,
    room_id: RoomId | None,
    user_id: UserId | None,
    at: datetime,
    language: str | None = None,
) -> Outgoing:
    place = room_id or user_id
    assert place is not None, "a copy is for a room or a person"
    return Outgoing(
        key=copy_key(wording.id, place),
        act=Act.SEND,
        role=Role.COPY,
        rank=wording.priority,
        due_at=at,
        room_id=room_id,
        user_id=user_id,
        content=said.content(language),
        announcement=wording.id,
        version=wording.version,
    )


def _timed(copy: Outgoing, release: Release) -> Outgoing:
    return replace(copy, due_at=release.due_at, content=toned(copy.content or {}, release))


def _poll(wording: Wording, copy: Outgoing, readers: Mapping[UserId, str]) -> Outgoing | None:
    language = readers[copy.user_id] if copy.user_id is not None else next(iter(wording.texts))
    content = poll_of(wording.form, caption_of(wording.texts[language]), language)
    if content is None:
        return None
    urgent = {URGENT: True} if copy.content and URGENT in copy.content else {}
    key = _beside(copy.key, "poll")
    return replace(copy, key=key, role=Role.POLL, event_type=POLL_START, content={**content, **urgent})


def _act(each: Standing, announcement: str, act: Act, rank: int, at: datetime) -> Outgoing:
    return Outgoing(
        key=f"{each.key}/{act}",
        act=act,
        role=Role.NOTE,
        rank=rank,
        due_at=at,
        room_id=each.room_id,
        user_id=each.user_id,
        target=each.key,
        announcement=announcement,
    )


def _beside(copy: str, what: str) -> str:
    """Return the key of what belongs to a copy."""
    return copy.replace("/copy/", f"/{what}/", 1)


def _place(row: Outgoing) -> RoomId | UserId:
    place = row.room_id or row.user_id
    assert place is not None, "a row is for a room or a person"
    return place
