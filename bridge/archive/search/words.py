"""The words by which a text is found, as search's index counts them; `segment` says what a word is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.archive.search.segment import LONGEST, folded, is_plain, pairs_of, runs_of

MOST_WORDS = 65_535
"""Of one message, different ones; what comes over Matrix holds half as many."""
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
    """Return the words of a text between blanks; of stretches that do not part words, the pairs.

    Some may repeat in short texts; of long ones the first `MOST_WORDS` count.
    """
    try:
        words = text.lower().encode("latin-1").translate(_LATIN_1)
        if _ODD not in words:
            found = words.decode("latin-1")
            return found if len(text) <= LONGEST else _each_once(found.split())
    except UnicodeEncodeError:
        pass
    text = folded(text)
    return " ".join(_words_of(text)) if len(text) <= LONGEST else _each_once(_words_of(text))


def _words_of(text: str) -> list[str]:
    if is_plain(text):
        return _LETTERS.findall(text)
    return [word for run in runs_of(text) for word in ([run.text] if run.parted else pairs_of(run.text))]


def _each_once(words: Sequence[str]) -> str:
    """Return words between blanks, as far as they count."""
    return " ".join(list(dict.fromkeys(word[:LONGEST] for word in words))[:MOST_WORDS])


def own_number(word: str) -> int | None:
    """Return the number that a word of digits has without anybody keeping it, below 0; None for other words."""
    if word.isdigit() and len(word) <= _LONGEST_NUMBER and word.isascii():
        return -int("1" + word)
    return None
