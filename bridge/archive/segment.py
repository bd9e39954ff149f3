"""Text as search sees it: the same rules when a message is stored and when it is sought.

    letters and digits of most scripts    the word, case folded (NFKC), and its stem in each language
    Thai, Lao, Khmer, Burmese, Chinese,   every character and every pair of neighbours: these scripts do not
    Japanese                              part words by blanks
    Korean                                the word, and every pair of neighbours: particles grow onto words

No language is guessed: a word is stemmed in all the languages that the company writes, and matches when the word or
any stem agrees. Everything else (punctuation, symbols, control characters) parts words. Storing and asking are left to
`search`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache
from unicodedata import category, normalize

import snowballstemmer

LANGUAGES = ("english", "german")
"""Names of Snowball stemmers."""
_LONGEST = 200
"""Characters of a word that count; PostgreSQL takes lexemes of up to 2,046 bytes."""


class _Kind(Enum):
    WORD = 1
    UNPARTED = 2
    KOREAN = 3
    MARK = 4
    INVISIBLE = 5
    GAP = 6


_UNPARTED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # Chinese and Japanese: repetition marks, zero
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31F0, 0x31FF),  # Katakana
    (0x3400, 0x4DBF),  # Chinese characters
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_KOREAN = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF))


def tokens_of(text: str, languages: Sequence[str] = LANGUAGES) -> list[str]:
    """Return what a text is found by, sorted, each once; tokens hold letters, digits and marks only."""
    found: set[str] = set()
    for kind, run in _runs(text):
        if kind is _Kind.WORD:
            found.update(_forms(run, tuple(languages)))
        else:
            found.update(_pairs(run))
            found.update([run[:_LONGEST]] if kind is _Kind.KOREAN else run)
    return sorted(found)


def terms_of(query: str, languages: Sequence[str] = LANGUAGES) -> list[tuple[str, ...]]:
    """Return what to look for: each term must be found, by any of its tokens."""
    terms: dict[tuple[str, ...], None] = {}
    for kind, run in _runs(query):
        if kind is _Kind.WORD:
            terms[_forms(run, tuple(languages))] = None
        elif len(run) == 1:
            terms[(run,)] = None
        else:
            terms |= dict.fromkeys((pair,) for pair in _pairs(run))
    return list(terms)


def contains(text: str, query: str) -> bool:
    """Return whether the runs of the query that are found by pairs stand in the text as a whole."""
    sought = [run for kind, run in _runs(query) if kind is not _Kind.WORD and len(run) > 2]
    present = [run for kind, run in _runs(text) if kind is not _Kind.WORD] if sought else []
    return all(any(run in other for other in present) for run in sought)


def _runs(text: str) -> Iterator[tuple[_Kind, str]]:
    """Yield the stretches of one kind, normalised; marks belong to what they stand on."""
    current, run = _Kind.GAP, ""
    for character in normalize("NFKC", normalize("NFKC", text).casefold()):
        kind = _kind(character)
        if kind is _Kind.INVISIBLE:
            continue
        if kind is _Kind.MARK:
            kind = _Kind.WORD if current is _Kind.GAP else current
        if kind is current:
            run += character
            continue
        if current is not _Kind.GAP:
            yield current, run
        current, run = kind, character
    if current is not _Kind.GAP:
        yield current, run


@lru_cache(maxsize=1 << 14)
def _kind(character: str) -> _Kind:
    major = category(character)[0]
    if category(character) == "Cf":  # joiners and soft hyphens stand inside of words
        return _Kind.INVISIBLE
    if major not in "LMN":
        return _Kind.GAP
    if _is_in(character, _UNPARTED):
        return _Kind.UNPARTED
    if _is_in(character, _KOREAN):
        return _Kind.KOREAN
    return _Kind.MARK if major == "M" else _Kind.WORD


def _is_in(character: str, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


def _pairs(run: str) -> Iterator[str]:
    return (run[place : place + 2] for place in range(len(run) - 1))


@lru_cache(maxsize=1 << 16)
def _forms(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    """Return the word and its stems; a stemmer keeps state, so each call has its own."""
    word = word[:_LONGEST]
    stems = (snowballstemmer.stemmer(language).stemWord(word) for language in languages)
    return tuple(sorted({word, *stems} - {""}))
