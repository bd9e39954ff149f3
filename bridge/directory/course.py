"""What attributes were, are and will be, each with its days, and the jobs that come of it. Pure.

HR's history of one attribute is a course: values with the days on which they are true. Several courses of one person
are cut, wherever one of them turns, into jobs in which nothing changes. Nothing is lost by that: `courses_of` has the
courses back, so that a later file may settle one of them and leave the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

Content = tuple[tuple[str, str], ...]
"""Attribute and value, by attribute."""


@dataclass(frozen=True, slots=True)
class Span:
    """A value and its first and last day; None leaves that side open. A last day before the first is no day at all."""

    value: str
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A job in which nothing changes, with its first and last day."""

    content: Content
    start: date | None = None
    end: date | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether it is held on no day."""
        return self.start is not None and self.end is not None and self.end < self.start


def cut(courses: Mapping[str, Sequence[Span]]) -> tuple[Piece, ...]:
    """Cut courses into jobs: on every day the values of all jobs are those of the courses, and no other.

    Values of one attribute that are true at the same time are jobs side by side; those that have begun together are
    one job, and an attribute with fewer values than there are jobs gives its last one to the others.
    """
    runs = {name: _joined(spans) for name, spans in sorted(courses.items())}
    days = sorted({day for each in runs.values() for run in each for day in (run.first, run.after)})
    open_: dict[Content, int] = {}
    pieces: list[tuple[int, int, Content]] = []
    for first, _ in [*pairwise(days), *((day, day) for day in days[-1:])]:
        present = dict.fromkeys(_jobs_on(first, runs))
        pieces.extend((open_.pop(content), first, content) for content in [*open_] if content not in present)
        for content in present:
            open_.setdefault(content, first)
    return tuple(Piece(content, *_days(first, after)) for first, after, content in sorted(pieces))


def courses_of(pieces: Iterable[Piece]) -> dict[str, tuple[Span, ...]]:
    """Return the courses that jobs are made of, by attribute; equal values that touch are one span."""
    found: dict[str, list[Span]] = {}
    for piece in pieces:
        for name, value in piece.content:
            found.setdefault(name, []).append(Span(value, piece.start, piece.end))
    return {
        name: tuple(Span(run.value, *_days(run.first, run.after)) for run in _joined(spans))
        for name, spans in found.items()
    }


_FIRST: Final = date.min.toordinal()
_AFTER: Final = date.max.toordinal() + 1


@dataclass(frozen=True, slots=True, order=True)
class _Run:
    """A span by the numbers of its first day and of the day after its last one."""

    first: int
    value: str
    after: int


def _joined(spans: Iterable[Span]) -> list[_Run]:
    """Return the spans by their first days, without those of no day, and as one where equal values touch."""
    latest: dict[str, _Run] = {}
    done: list[_Run] = []
    for run in sorted(map(_run, spans)):
        before = latest.get(run.value)
        if run.first >= run.after:
            continue
        if before is not None and run.first <= before.after:
            latest[run.value] = _Run(before.first, run.value, max(before.after, run.after))
            continue
        if before is not None:
            done.append(before)
        latest[run.value] = run
    return sorted([*done, *latest.values()])


def _run(span: Span) -> _Run:
    first = _FIRST if span.start is None else span.start.toordinal()
    return _Run(first, span.value, _AFTER if span.end is None else span.end.toordinal() + 1)


def _days(first: int, after: int) -> tuple[date | None, date | None]:
    return (
        None if first <= _FIRST else date.fromordinal(first),
        None if after >= _AFTER else date.fromordinal(after - 1),
    )


def _jobs_on(day: int, runs: Mapping[str, Sequence[_Run]]) -> Iterator[Content]:
    values = {name: [run.value for run in each if run.first <= day < run.after] for name, each in runs.items()}
    for place in range(max(map(len, values.values()), default=0)):
        yield tuple((name, each[min(place, len(each) - 1)]) for name, each in values.items() if each)
