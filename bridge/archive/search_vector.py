"""What a text is found by, as the bytes of PostgreSQL's `tsvector`, and rows of search's index as those of its COPY.

    tsvector   a count of lexemes, four bytes; for each, the text in UTF-8, a zero byte, a count of places and the
               places, two bytes each, of which the upper two bits are the weight: A is 3, D is 0 (`tsvectorrecv`)

PostgreSQL takes the text form too, and needs longer to read it than to store it. Which lexemes a word has is left to
`segment`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import add
from struct import Struct
from typing import NamedTuple

from bridge.archive.segment import LANGUAGES, LONGEST, folded, is_plain, marks_of, pairs_of, runs_of

MOST_PLACES = 255
"""Places of one lexeme that PostgreSQL keeps."""
LAST_PLACE = 16_383
"""What stands behind it has this place too."""
_MOST_WORDS = 1 << 17
_WEIGHT_A = 3 << 14
_ONE_PLACE = tuple(b"\0\0\1" + (_WEIGHT_A | place).to_bytes(2) for place in range(1, 257))
_NO_PLACE = b"\0\0\0"
_ROW = Struct("!hiqiqiiii")
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_ASCII = re.compile("[a-z0-9]+")
# Needs no long classes, which are slow.
_LETTERS = re.compile(r"[^\W_]+")


class Vector(NamedTuple):
    """Lexemes, each once."""

    size: int
    """How many."""
    lexemes: bytes
    is_long: bool = False
    """Whether PostgreSQL does not keep every place of the words."""

    def joined(self, other: Vector) -> Vector:
        """Return both together, which have no lexeme in common."""
        return Vector(self.size + other.size, self.lexemes + other.lexemes, self.is_long or other.is_long)


NOTHING = Vector(0, b"")


def vector_of(text: str, languages: tuple[str, ...] = LANGUAGES) -> Vector:
    """Return what a text is found by, with the places where words and pairs stand.

    What stands in the text weighs A, marked lexemes weigh D and have no place.
    """
    known, text = _words(languages), folded(text)
    if text.isascii():
        words = _ASCII.findall(text)
    elif is_plain(text):
        words = _LETTERS.findall(text)
    else:
        return _mixed(text, known)
    if not words:
        return NOTHING
    lexemes, others = zip(*map(known.__getitem__, words), strict=True)
    marks = set[bytes]().union(*others)
    if len(words) > len(_ONE_PLACE) or len(set(lexemes)) < len(lexemes):
        return _repeated(zip(lexemes, range(1, len(lexemes) + 1), strict=True), marks)
    return Vector(len(lexemes) + len(marks), b"".join([*map(add, lexemes, _ONE_PLACE), *marks]))


def flags_of(lexemes: Iterable[str]) -> Vector:
    """Return lexemes that have no place."""
    found = {lexeme.replace("\0", "").encode("utf-8", "replace") + _NO_PLACE for lexeme in lexemes}
    return Vector(len(found), b"".join(sorted(found)))


def row_of(timestamp: int, seq: int, room: int, vector: Vector) -> bytes:
    """Return a row of `event_text`."""
    size, lexemes, _ = vector
    return _ROW.pack(4, 8, timestamp, 8, seq, 4, room, len(lexemes) + 4, size) + lexemes


def file_of(rows: Sequence[bytes]) -> bytes:
    """Return rows as a file of COPY's binary format."""
    return b"".join([_HEADER, *rows, _TRAILER])


def _mixed(text: str, known: _Words) -> Vector:
    """Return the vector of text of which parts hold words without parting them."""
    found, marks, place = list[tuple[bytes, int]](), set[bytes](), 1
    for run in runs_of(text):
        if run.parted:
            lexeme, others = known[run.text]
            found.append((lexeme, place))
            marks |= others
            place += 1
        else:
            found += [(pair.encode(), at) for at, pair in enumerate(pairs_of(run.text), place)]
            place += len(run.text)
    return _repeated(found, marks)


def _repeated(found: Iterable[tuple[bytes, int]], marks: Iterable[bytes]) -> Vector:
    """Return the vector of lexemes, in the order of their places, of which some stand at several."""
    places: dict[bytes, list[int]] = {}
    for lexeme, place in found:
        places.setdefault(lexeme, []).append(min(place, LAST_PLACE))
    is_long = any(len(each) > MOST_PLACES or each[-1] == LAST_PLACE for each in places.values())
    lexemes = [*marks, *(_placed(lexeme, each) for lexeme, each in places.items())]
    return Vector(len(lexemes), b"".join(lexemes), is_long)


def _placed(lexeme: bytes, places: Sequence[int]) -> bytes:
    kept = list(dict.fromkeys(places))[:MOST_PLACES]
    return b"%b\0%b%b" % (lexeme, len(kept).to_bytes(2), b"".join([(_WEIGHT_A | at).to_bytes(2) for at in kept]))


class _Words(dict[str, tuple[bytes, frozenset[bytes]]]):
    """Word → itself and its marked lexemes; those of numbers, which hardly come again, are not kept."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        super().__init__()
        self._languages = languages

    def __missing__(self, word: str) -> tuple[bytes, frozenset[bytes]]:
        if word.isdigit():
            return word[:LONGEST].encode(), frozenset()
        if len(self) >= _MOST_WORDS:
            self.clear()
        marks = frozenset(mark.encode() + _NO_PLACE for mark in marks_of(word, self._languages))
        found = self[word] = word[:LONGEST].encode(), marks
        return found


@lru_cache(maxsize=8)
def _words(languages: tuple[str, ...]) -> _Words:
    return _Words(languages)
