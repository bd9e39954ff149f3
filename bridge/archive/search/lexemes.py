"""What filters find by, as words of search's index, and what of the index a query means.

    =r room (a number)   =s sender   =d department   =k kind   =f has a file   =x deleted   =e edited

Words are those of `segment`; none begins with `=`, and none holds a blank. Pure; asking is left to `store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bridge.archive.search.document import Kind
from bridge.archive.search.query import Query, Term
from bridge.archive.search.segment import (
    BACKWARDS,
    LONGEST,
    MIDDLE,
    PART,
    SHORTEST_PART,
    STEM,
    Run,
    folded,
    pairs_of,
    runs_of,
    stems_of,
)

FILE, DELETED, EDITED = "=f", "=x", "=e"
_LAST = "\U0010ffff"
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Range:
    """Words, or forms of words, from one to another, both included, in the order of their UTF-8."""

    low: str
    high: str
    is_form: bool = False

    @classmethod
    def beginning(cls, text: str, *, is_form: bool = False) -> Range:
        """Return everything that begins with a text."""
        return cls(text, text + _LAST, is_form)


@dataclass(frozen=True, slots=True)
class Group:
    """Words of which a message must hold one."""

    ranges: tuple[Range, ...]
    whole: str | None = None
    """The word that makes a hit a good one when it stands there as it is; None of what hits are not ranked by."""


def room_lexeme(number: int) -> str:
    """Return the lexeme of what was said in a room."""
    return f"=r{number}"


def sender_lexeme(user_id: str) -> str:
    """Return the lexeme of what a user said."""
    return f"=s{_clean(user_id[:_LONGEST_NAME])}"


def department_lexeme(department: str) -> str:
    """Return the lexeme of what people of a department said, however that is spelt."""
    return f"=d{_clean(folded(department).strip()[:LONGEST])}"


def kind_lexeme(kind: Kind) -> str:
    """Return the lexeme of a kind."""
    return f"=k{kind}"


def _clean(text: str) -> str:
    """Return the text as one word that PostgreSQL can hold."""
    return "\u2423".join("".join(filter(str.isprintable, text)).split())


def exactly(word: str) -> Group:
    """Return the group of one word."""
    return Group((Range(word, word),))


def in_rooms(numbers: Iterable[int]) -> Group:
    """Return the group of what was said in one of these rooms."""
    return Group(tuple(Range(word, word) for word in map(room_lexeme, numbers)))


def groups_of(query: Query, languages: Sequence[str], rooms: Sequence[int], senders: Sequence[str]) -> list[Group]:
    """Return what a message must hold, but for dates, scope and the order of words; never nothing.

    `rooms` and `senders` are what the query's names mean. Phrases hold what their words hold.
    """
    groups = [group for term in query.terms for group in _of_term(term, tuple(languages))]
    groups += [in_rooms(dict.fromkeys(rooms))] if rooms else []
    groups += _any(map(sender_lexeme, senders))
    groups += _any(map(department_lexeme, query.departments))
    groups += _any(map(kind_lexeme, query.kinds))
    # What was edited or deleted may be of no kind that anybody looks for.
    groups = groups or list(_any(map(kind_lexeme, Kind)))
    groups += [exactly(flag) for flag, asked in _flags(query) if asked]
    return list(dict.fromkeys(groups))


def phrases_of(terms: Iterable[Term]) -> list[Sequence[Run]]:
    """Return the runs that must stand side by side in a message, where its words alone do not say so."""
    phrases: list[Sequence[Run]] = []
    for term in terms:
        runs = list(runs_of(folded(term.text)))
        phrases += [runs] if term.exact else [[run] for run in runs if not run.parted]
    return [runs for runs in phrases if len(runs) > 1 or (not runs[0].parted and len(runs[0].text) > 2)]


def _flags(query: Query) -> Iterable[tuple[str, bool]]:
    return (FILE, query.has_file), (DELETED, query.deleted), (EDITED, query.edited)


def _any(words: Iterable[str]) -> Iterator[Group]:
    if ranges := tuple(Range(word, word) for word in dict.fromkeys(words)):
        yield Group(ranges)


def _of_term(term: Term, languages: tuple[str, ...]) -> Iterator[Group]:
    for run in runs_of(folded(term.text)):
        if not run.parted:
            yield from _stretch(run.text)
        elif term.exact:
            yield _whole(run.text[:LONGEST])
        else:
            yield _word(run.text[:LONGEST], languages)


def _stretch(text: str) -> Iterator[Group]:
    """Yield the pairs of a stretch that does not part words; a single character begins a pair, or ends a stretch."""
    if len(text) == 1:
        yield Group((Range.beginning(text),), text)
    yield from map(_whole, pairs_of(text)[:-1])


def _whole(word: str) -> Group:
    return Group((Range(word, word),), word)


def _word(word: str, languages: tuple[str, ...]) -> Group:
    """Return a word, in any inflection, and the longer words that it is a part of."""
    ranges = [Range(word, word)]
    if len(word) >= SHORTEST_PART and word.isalpha():
        ranges = [Range.beginning(word)]
        ranges += [
            Range.beginning(mark, is_form=True) for mark in (BACKWARDS + word[: -PART - 1 : -1], MIDDLE + word[:PART])
        ]
    for stem in stems_of(word, languages):
        ranges += [Range(STEM + stem, STEM + stem, is_form=True), Range(stem, stem)]
    return Group(tuple(dict.fromkeys(ranges)), word)
