"""How far an announcement has come, in figures and in words (pure). Who is missing by name is `evidence`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.announcements.form import Form, Kind
from bridge.announcements.values import State
from bridge.ids import RoomId

FEWEST = 5
"""Before so many have answered an anonymous survey, its results would tell who said what."""
_LONGEST = 80
_MOST_DEPARTMENTS = 20
NOWHERE = "no department"


@dataclass(frozen=True, slots=True)
class Figures:
    """People, of one department or all."""

    targeted: int = 0
    delivered: int = 0
    seen: int = 0
    """The text that counts, by a public receipt: a hint."""
    acknowledged: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.targeted + other.targeted,
            self.delivered + other.delivered,
            self.seen + other.seen,
            self.acknowledged + other.acknowledged,
        )

    @property
    def rate(self) -> float:
        """The share of those it is for who have acknowledged, from 0 to 1; of nobody it is 1."""
        return self.acknowledged / self.targeted if self.targeted else 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """One announcement and how far it has come."""

    id: str
    desk: str
    text: str
    state: State
    form: Form
    version: int
    room_id: RoomId | None = None
    """The desk's room, where the board stands."""
    departments: Mapping[str, Figures] = field(default_factory=dict)
    """By the department that people had when it was announced; empty for none."""
    answers: Mapping[str, int] = field(default_factory=dict)
    """How many have answered what; the latest answer of each."""

    @property
    def total(self) -> Figures:
        """Everybody it is for."""
        return sum(self.departments.values(), Figures())

    @property
    def results(self) -> Mapping[str, int] | None:
        """How often each option was chosen, in the order of the form.

        None when nothing is chosen from, and while so few have answered an anonymous survey that it would not be one.
        """
        if self.form.kind not in (Kind.QUIZ, Kind.SURVEY):
            return None
        if self.form.anonymous and sum(self.answers.values()) < FEWEST:
            return None
        offered = {option: self.answers.get(option, 0) for option in self.form.options}
        return offered or dict(sorted(self.answers.items(), key=lambda one: (-one[1], one[0])))


def board_of(progress: Progress) -> dict[str, Any]:
    """Return the content of the live status in the desk: a notice, which does not ring.

    An anonymous survey shows no results here while it is open: each vote would show as it comes.
    """
    lines = [f"📊 {progress.id} “{_short(progress.text)}”", figures_line(progress.total)]
    if len(named := {name: one for name, one in progress.departments.items() if name}) > 1:
        lines.append(_departments(named))
    hidden = progress.form.anonymous and progress.state is State.OPEN
    if progress.results is not None and progress.form.options and not hidden:
        lines.append(" · ".join(f"{_short(option)}: {times:,}" for option, times in progress.results.items()))
    if progress.state is not State.OPEN:
        lines.append("It is over." if progress.state is State.OVER else "It was taken back.")
    if progress.total.acknowledged < progress.total.targeted:
        lines.append(f"`muster announcements show {progress.id}` names who is missing.")
    return {"msgtype": "m.notice", "body": "\n".join(lines), "m.mentions": {}}


def figures_line(figures: Figures) -> str:
    """Return the figures in one line."""
    return (
        f"{figures.acknowledged:,} of {figures.targeted:,} acknowledged ({percent(figures.rate)})"
        f" · {figures.delivered:,} delivered · {figures.seen:,} seen"
    )


def percent(rate: float) -> str:
    """Return a share in words; only all of it is 100 %, only nothing 0 %."""
    shown = min(max(round(rate * 100), 1 if rate > 0 else 0), 100 if rate >= 1 else 99)
    return f"{shown} %"


def by_need(departments: Mapping[str, Figures]) -> list[tuple[str, Figures]]:
    """Return the departments, those with the most people missing first."""
    return sorted(departments.items(), key=lambda one: (one[1].acknowledged - one[1].targeted, one[0]))


def _departments(departments: Mapping[str, Figures]) -> str:
    ordered = by_need(departments)
    shown = [f"{_short(name)} {one.acknowledged:,}/{one.targeted:,}" for name, one in ordered[:_MOST_DEPARTMENTS]]
    more = [f"and {len(ordered) - _MOST_DEPARTMENTS:,} more"] if len(ordered) > _MOST_DEPARTMENTS else []
    return " · ".join([*shown, *more])


def _short(text: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"
