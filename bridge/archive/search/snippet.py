"""The part of a text that shows why it was found.

Places are counted in characters of the text as it was typed. Pure; how a hit is marked is left to `rendering`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import combining

from bridge.archive.search.query import Term
from bridge.archive.search.segment import PART, SHORTEST_PART, folded, runs_of, stems_of

_BEFORE = 40
"""Characters shown before the first hit."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a text, with the stretches in it that were looked for."""

    text: str
    marks: tuple[tuple[int, int], ...]
    """First character and the one behind the last, in `text`; in order, apart from each other."""


def snippet_of(text: str, terms: Sequence[Term], languages: Sequence[str], length: int = 240) -> Snippet:
    """Return at most `length` characters of the text around the first hits; its beginning when there is none."""
    found = marks_in(text, terms, tuple(languages))
    start = 0
    if found and found[0][1] > length - _BEFORE:
        start = max(found[0][0] - _BEFORE, 0)
        blank = text.find(" ", start, found[0][0])
        start = blank + 1 if blank >= 0 else start
    end = min(start + length, len(text))
    before, after = "…" if start else "", "…" if end < len(text) else ""
    shift = len(before) - start
    marks = tuple((first + shift, min(last, end) + shift) for first, last in found if start <= first < end)
    return Snippet(f"{before}{text[start:end]}{after}", marks)


def marks_in(text: str, terms: Sequence[Term], languages: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the stretches of a text that hold what was looked for."""
    normalised, origins = _aligned(text)
    spans = sorted(span for term in terms for span in _spans(normalised, term, languages))
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        start, end = origins[first], origins[last]
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _aligned(text: str) -> tuple[str, list[int]]:
    """Return the text normalised piece by piece, and for each of its characters, and the end, the place in the text."""
    parts: list[str] = []
    origins: list[int] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and combining(text[end]):
            continue
        part = folded(text[start:end])
        parts.append(part)
        origins += [start] * len(part)
        start = end
    return "".join(parts), [*origins, len(text)]


def _spans(normalised: str, term: Term, languages: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    wanted = [(run.text, run.parted) for run in runs_of(folded(term.text))]
    runs = list(runs_of(normalised))
    for text, parted in wanted:
        if not parted:
            place = normalised.find(text)
            while place >= 0:
                yield place, place + len(text)
                place = normalised.find(text, place + len(text))
            continue
        stems = {text, *stems_of(text, languages)}
        for run in runs:
            if not run.parted:
                continue
            if run.text == text or (
                not term.exact and not stems.isdisjoint((run.text, *stems_of(run.text, languages)))
            ):
                yield run.start, run.start + len(run.text)
            elif not term.exact and len(text) >= SHORTEST_PART and (at := run.text.find(text[:PART])) >= 0:
                yield run.start + at, run.start + min(at + len(text), len(run.text))
