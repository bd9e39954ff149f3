"""What the demo found, for people and for scripts.

Pure. A `Figures` is the JSON line that `--once` ends with; a `Check` says what was expected and what came.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from rich.cells import cell_len, chop_cells


@dataclass(frozen=True, slots=True)
class AnnouncementFigures:
    """How the announcement fared, in people."""

    delivered: int = 0
    acknowledged: int = 0


@dataclass(frozen=True, slots=True)
class LeaverFigures:
    """What the off-boarding took away, and how long after HR had its answer."""

    seconds_to_no_access: float = 0.0
    """Until every session was refused, every room was left and every device was gone."""
    rooms_left: int = 0
    sessions_ended: int = 0


@dataclass(frozen=True, slots=True)
class ArchiveFigures:
    """What the archive holds."""

    events: int = 0
    leaves: int = 0
    root: str = ""
    """Hexadecimal."""
    verified: bool = False
    missing: int = 0
    """Events that Synapse has and the archive has not."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The demo in numbers; all are 0 for a company of nobody."""

    people: int = 0
    rooms: int = 0
    memberships: int = 0
    joins_per_second: float = 0.0
    announcement: AnnouncementFigures = field(default_factory=AnnouncementFigures)
    leaver: LeaverFigures = field(default_factory=LeaverFigures)
    archive: ArchiveFigures = field(default_factory=ArchiveFigures)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the story: what happened, in a line, and how long it took; None when it was left out."""

    happened: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """Something that had to be so."""

    name: str
    expected: str
    found: str

    @property
    def held(self) -> bool:
        """Whether it was so."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class Entrance:
    """How to get in and look."""

    homeserver: str
    user_id: str
    user_name: str
    """What HR calls the same person."""
    password: str
    scim: str
    command: str
    """How Muster's command was called."""
    config: str


def as_json(figures: Figures) -> str:
    """Return the figures as one line of JSON, seconds and rates to three decimals."""
    return json.dumps(_rounded(asdict(figures)), ensure_ascii=False)


def as_text(
    steps: Sequence[Step], checks: Sequence[Check], figures: Figures, entrance: Entrance | None, width: int = 80
) -> str:
    """Return the summary in lines of at most `width` columns; `entrance` is None when nothing stays up."""
    lines = [_apart("What happened", "seconds", width), "─" * width]
    for step in steps:
        lines += _step(step, width)
    lines += ["─" * width, _apart("altogether", f"{figures.seconds:.1f}", width), ""]
    lines += _checks(checks, width)
    if entrance is not None:
        lines += ["", *_entrance(entrance, width)]
    return "\n".join(lines)


def _step(step: Step, width: int) -> Iterator[str]:
    first, *rest = wrapped(step.happened, width - 11)
    yield _apart(first, "left out" if step.seconds is None else f"{step.seconds:.1f}", width)
    yield from (f"  {line}" for line in rest)


def _checks(checks: Sequence[Check], width: int) -> Iterator[str]:
    held = sum(check.held for check in checks)
    yield f"Checks: {held} of {len(checks)} held"
    yield from _columns([f"✓ {check.name}: {check.found}" for check in checks if check.held], width)
    for check in checks:
        if not check.held:
            yield _fitted(f"  ✗ {check.name}", width)
            for line in (
                *wrapped(f"expected: {check.expected}", width - 6),
                *wrapped(f"came: {check.found}", width - 6),
            ):
                yield f"      {line}"


def _entrance(entrance: Entrance, width: int) -> Iterator[str]:
    yield "Look at it with Element: sign in, choose another homeserver, and enter"
    yield _fitted(f"  homeserver  {entrance.homeserver}", width)
    yield _fitted(f"  user        {entrance.user_id}", width)
    yield _fitted(f"  password    {entrance.password}", width)
    yield "Look at it with Muster:"
    # Not cut: these are copied.
    yield f"  {entrance.command} why {entrance.user_name} -c {entrance.config}"
    yield f"  {entrance.command} archive verify -c {entrance.config}"
    yield _fitted(f"HR's SCIM endpoint: {entrance.scim}", width)


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most `width` columns, counted as a terminal does; at least one line."""
    lines = [""]
    for word in text.split():
        for piece in chop_cells(word, width):
            longer = f"{lines[-1]} {piece}" if lines[-1] else piece
            lines = [*lines[:-1], longer] if cell_len(longer) <= width else [*lines, piece]
    return lines


def _columns(texts: Sequence[str], width: int) -> Iterator[str]:
    """Yield the texts in order, two in a line where two fit."""
    half = width // 2
    waiting = ""
    for text in [*texts, ""]:
        if waiting and text and cell_len(text) <= half - 3:
            yield f"  {waiting}{' ' * (half - 2 - cell_len(waiting))}{text}"
            waiting = ""
            continue
        if waiting:
            yield _fitted(f"  {waiting}", width)
        waiting = text
        if cell_len(text) > half - 3:
            yield _fitted(f"  {text}", width)
            waiting = ""


def _apart(left: str, right: str, width: int) -> str:
    """Return a line with one text at its left and one at its right edge."""
    left = _fitted(left, width - cell_len(right) - 1)
    return left + " " * (width - cell_len(left) - cell_len(right)) + right


def _fitted(text: str, width: int) -> str:
    """Return the text, cut with `…` where a terminal would break it."""
    return text if cell_len(text) <= width else chop_cells(text, width - 1)[0] + "…"


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value
