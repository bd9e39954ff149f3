"""Text as search sees it: the same rules when a message is stored and when it is sought.

    letters and digits of most scripts     the word, case folded (NFKC)
    Thai, Lao, Khmer, Burmese, Chinese,    pairs of neighbours: these scripts do not part words by blanks, or let
    Japanese, Korean                       particles grow onto them

Everything else (punctuation, symbols, control characters) parts words. What a word is found by besides itself stands
under a mark that no text holds:

    ~  its stem in each language, where that is another word: no language is guessed
    <  a long word backwards, so that its end is found like a beginning: Arbeitsvertrag by Vertrag
    >  a very long word from each place in its middle on: Kraftfahrzeugsteuerbescheid by Steuer

How words are stored is left to `vocabulary` and `postings`, what a query means to `lexemes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from unicodedata import category, normalize

import snowballstemmer

LANGUAGES = ("english", "german", "estonian")
"""Snowball's names of those that are known unless the configuration says otherwise."""
STEMMERS = tuple(name for name in snowballstemmer.algorithms() if "porter" not in name)
STEM, BACKWARDS, MIDDLE = "~<>"
SHORTEST_PART = 4
"""Letters of a word that is also looked for as a part of others."""
PART = 10
"""Letters of a part that count."""
LONGEST = 200
"""Characters of a word that count; PostgreSQL takes lexemes of up to 2,046 bytes."""
_REST = 3
"""Letters at least that a compound has beside a part."""
_LONGEST_COMPOUND = 40
_LAST_CHARACTER = 0xFFFF
_BEYOND = "\U00020000-\U0003ffff"
_UNPARTED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1100, 0x11FF),  # Korean
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # Chinese and Japanese: repetition marks, zero
    (0x3040, 0x318F),  # Hiragana, Katakana, Bopomofo, Korean
    (0x31F0, 0x31FF),  # Katakana
    (0x3400, 0x4DBF),  # Chinese characters
    (0x4E00, 0x9FFF),
    (0xA960, 0xA97F),  # Korean
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of normalised text that is one word, or that holds words without parting them."""

    text: str
    parted: bool
    start: int
    """Characters before it."""


def runs_of(normalised: str) -> Iterator[Run]:
    """Yield the words and the unparted stretches of normalised text, in their order."""
    for found in _pattern().finditer(normalised):
        yield Run(found[0], found.lastindex == 2, found.start())


def is_plain(normalised: str) -> bool:
    """Return whether the text has neither unparted scripts nor marks that stand alone: words are letters in a row."""
    return _exceptions().search(normalised) is None


def folded(text: str) -> str:
    """Return the text normalised: compatible forms and upper case become one, joiners and soft hyphens nothing."""
    if text.isascii():
        return text.lower()
    if not _invisible().isdisjoint(text):
        text = "".join(character for character in text if character not in _invisible())
    return normalize("NFKC", normalize("NFKC", text).casefold())


def pairs_of(run: str) -> list[str]:
    """Return each character of an unparted stretch with its neighbour; the last stands alone."""
    return [run[place : place + 2] for place in range(len(run))]


def marks_of(word: str, languages: tuple[str, ...]) -> list[str]:
    """Return the marked lexemes by which a word is found; what is very long is no word of a language.

    A number has none: only letters are looked for as a part.
    """
    if word.isdigit():
        return []
    found = [STEM + stem for stem in stems_of(word, languages) if stem != word]
    if SHORTEST_PART + _REST <= len(word) <= _LONGEST_COMPOUND:
        found.append(BACKWARDS + word[: -PART - 1 : -1])
        last = len(word) - SHORTEST_PART - _REST
        found += [MIDDLE + word[start : start + PART] for start in range(_REST, last + 1)]
    return found


def stems_of(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    """Return the stems of a word; a stemmer keeps state, so each call has its own."""
    if len(word) > _LONGEST_COMPOUND or word.isdigit():
        return ()
    stems = (snowballstemmer.stemmer(language).stemWord(word) for language in languages)
    return tuple(dict.fromkeys(stem for stem in stems if stem))


@cache
def _pattern() -> re.Pattern[str]:
    mixed, marks = _classes()
    # Few ranges beyond the first plane keep Python's matcher fast: fifteen times.
    return re.compile(f"([{mixed}][{mixed}{marks}]*|[{_BEYOND}]+)|([^\\W_{mixed}]+(?:[{marks}]+[^\\W_{mixed}]*)*)")


@cache
def _exceptions() -> re.Pattern[str]:
    return re.compile(f"[{''.join(_classes())}{_BEYOND}]")


@cache
def _classes() -> tuple[str, str]:
    """Return the characters of scripts that do not part words, and the marks of others, as ranges."""
    unparted = {code for first, last in _UNPARTED for code in range(first, last + 1) if category(chr(code))[0] in "LMN"}
    marks = _ranges([code for code in range(_LAST_CHARACTER) if category(chr(code))[0] == "M" and code not in unparted])
    return _ranges(sorted(unparted)), marks


@cache
def _invisible() -> frozenset[str]:
    return frozenset(
        character for character in map(chr, [*range(0x20000), *range(0xE0000, 0xE0080)]) if category(character) == "Cf"
    )


def _ranges(codes: Sequence[int]) -> str:
    """Return the characters as ranges of a regular expression."""
    bounds: list[list[int]] = []
    for code in codes:
        if bounds and bounds[-1][1] == code - 1:
            bounds[-1][1] = code
        else:
            bounds.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in bounds)
