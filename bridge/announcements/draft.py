"""What somebody wants to announce, and what a reaction in a desk does to a draft (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.announcements.form import Form
from bridge.announcements.header import Lines, Setting, read_lines
from bridge.announcements.values import Priority, State, Whom
from bridge.announcements.wording import Body, body_of_markdown, body_of_text, caption_of
from bridge.errors import RefusedError
from bridge.ids import UserId
from bridge.policy.schema import Desk

LAPSES = timedelta(days=1)
"""A draft that nobody confirms is discarded after so long."""
UNLIMITED = ("emergency", "newcomers")
"""Origins for which nobody else is asked, however many they reach."""

_YES = frozenset("✅✔☑")
_NO = frozenset("❌✖❎🚫")
_BY_REACTION = Form()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something to announce."""

    texts: Mapping[str, Body]
    """By language (RFC 5646), in the order in which they are said; `""` alone is said to everybody."""
    whom: Whom | None = None
    """None: all rooms of the desk."""
    priority: Priority = Priority.NORMAL
    form: Form = _BY_REACTION
    due_at: datetime | None = None
    """None: at once."""
    lasts: timedelta | None = None
    """How long it is current; None: as long as the desk says."""
    endless: bool = False
    """Whether it is current until it is ended by hand, whatever the desk says."""


class Deed(StrEnum):
    """What somebody does to a draft."""

    CONFIRM = "confirm"
    STOP = "stop"


class Verdict(StrEnum):
    """What becomes of a deed."""

    CONFIRMED = "confirmed"
    DROPPED = "dropped"
    WANTS_ANOTHER = "wants another"
    """The author alone does not suffice."""
    TOO_LATE = "too late"
    """It is announced already."""
    NOTHING = "nothing"


def wanted_of(body: Body, setting: Setting) -> tuple[Wanted, bool]:
    """Return what a message in a desk wants, and whether as an edit it is minor.

    What stands under a file is read as a text is. Raises `RefusedError`, which names the line and its fault.
    """
    lines = read_lines(caption_of(body), setting)
    return wanted(lines, _texts(body, lines)), lines.minor


def wanted_of_markdown(markdown: str, setting: Setting) -> Wanted:
    """Return what a text in Markdown wants that does not come from a desk; raises as `wanted_of` does."""
    lines = read_lines(markdown, setting)
    return wanted(lines, {language: body_of_markdown(text) for language, text in _said(lines).items()})


def wanted(lines: Lines, texts: Mapping[str, Body]) -> Wanted:
    """Return what is wanted by what was read."""
    return Wanted(
        texts=texts,
        whom=lines.whom,
        priority=lines.priority,
        form=lines.form,
        due_at=lines.due_at,
        lasts=lines.lasts,
        endless=lines.endless,
    )


def lasting(wanted: Wanted, desk: Desk) -> timedelta | None:
    """Return how long it is current; None: until it is ended by hand."""
    return None if wanted.endless else wanted.lasts or desk.lasts


def needs_second(desk: Desk, people: int, origin: str) -> bool:
    """Tell whether somebody else than its author has to confirm what reaches so many."""
    return desk.second_person is not None and people > desk.second_person and origin not in UNLIMITED


def deed_of(key: object) -> Deed | None:
    """Return what a reaction with this emoji does to a draft; None for all but ✅ and ❌ and their likes."""
    emoji = key.replace("\ufe0f", "") if isinstance(key, str) else ""
    return Deed.CONFIRM if emoji in _YES else Deed.STOP if emoji in _NO else None


def judge(deed: Deed, state: State, *, by: UserId, author: UserId, second: bool) -> Verdict:
    """Decide what becomes of a deed; `second` says whether somebody else than the author has to confirm."""
    match deed, state:
        case Deed.CONFIRM, State.DRAFT:
            return Verdict.WANTS_ANOTHER if second and by == author else Verdict.CONFIRMED
        case Deed.STOP, State.DRAFT | State.SCHEDULED:
            return Verdict.DROPPED
        case Deed.STOP, State.OPEN:
            return Verdict.TOO_LATE
        case _:
            return Verdict.NOTHING


def goes_at(due_at: datetime | None, undo: timedelta, now: datetime) -> datetime:
    """Return when something goes that is confirmed now."""
    return max(now + undo, due_at or now)


def _texts(body: Body, lines: Lines) -> dict[str, Body]:
    if lines.plain:
        return dict.fromkeys(_said(lines, body), body)
    make = body_of_markdown if "formatted_body" in body else body_of_text
    return {language: make(text, body) for language, text in _said(lines, body).items()}


def _said(lines: Lines, body: Body | None = None) -> Mapping[str, str]:
    is_file = body is not None and caption_of(body) != body["body"]
    if not is_file and not any(text.strip() for text in lines.texts.values()):
        raise RefusedError("There is no text to announce; nothing is announced.")
    return lines.texts
