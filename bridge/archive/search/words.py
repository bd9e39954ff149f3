"""The words by which a text is found, as search's index counts them; `segment` says what a word is."""

from __future__ import annotations

import re

from bridge.archive.search.segment import LONGEST, folded, is_plain, pairs_of, runs_of

_LONGEST_NUMBER = 9
# Needs no long classes, which are slow.
_LETTERS = re.compile(r"[^\W_]+")
_ODD = 0
_ALIKE = frozenset("\xa8\xaa\xad\xaf\xb2\xb3\xb4\xb5\xb8\xb9\xba\xbc\xbd\xbe\xdf")
"""Characters of Latin-1 that normalising makes others of, or nothing."""


def _spaced_out(character: str) -> int:
    if character in _ALIKE:
        return _ODD
    return ord(character) if character.isalnum() else ord(" ")


_LATIN_1 = bytes(map(_spaced_out, map(chr, range(256))))


def spaced(text: str) -> str:
    """Return the words of a text between blanks; of stretches that do not part words, the pairs. Some may repeat."""
    try:
        words = text.lower().encode("latin-1").translate(_LATIN_1)
    except UnicodeEncodeError:
        return " ".join(_words_of(text))
    if _ODD in words:
        return " ".join(_words_of(text))
    if len(text) > LONGEST:
        return " ".join([word[:LONGEST] for word in words.decode("latin-1").split()])
    return words.decode("latin-1")


def _words_of(text: str) -> list[str]:
    text = folded(text)
    if is_plain(text):
        words = _LETTERS.findall(text)
    else:
        words = [word for run in runs_of(text) for word in ([run.text] if run.parted else pairs_of(run.text))]
    return [word[:LONGEST] for word in words]


def own_number(word: str) -> int | None:
    """Return the number that a word of digits has without anybody keeping it, below 0; None for other words."""
    if word.isdigit() and len(word) <= _LONGEST_NUMBER and word.isascii():
        return -int("1" + word)
    return None
