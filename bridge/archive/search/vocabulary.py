"""The numbers of words, and what the words are found by besides themselves.

What is held in memory is only what the database says too, to spare asking. A word keeps its number until no message
has it any more and it is swept out; then everybody asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.archive.search import store
from bridge.archive.search.postings import stored
from bridge.archive.search.segment import marks_of
from bridge.archive.search.words import own_number

if TYPE_CHECKING:
    from bridge.database import Connection

END = "="
"""Stands behind the words of a message."""
_MOST_WORDS = 1 << 18
_SHORT_NUMBER = 4
"""Digits of numbers that come again."""


class Vocabulary:
    """Gives words their numbers, for the one that writes the index."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        self._languages = languages
        self._numbers = _Numbers()
        self._swept = -1

    def forget(self) -> None:
        """Ask the database for every number: what was learned may not have been stored."""
        self._numbers = _Numbers()

    def is_current(self, swept: int) -> bool:
        """Return whether numbers are those of before; `swept` is how often words have been swept out."""
        if swept == self._swept and len(self._numbers) <= _MOST_WORDS:
            return True
        self.forget()
        self._swept = swept
        return False

    async def numbers(self, connection: Connection, words: Sequence[str]) -> bytes:
        """Return the numbers of words as they are stored, one after the other; of `END` it is 0.

        This database transaction gives numbers to words that had none.
        """
        found = self._read(words)
        if unknown := self._numbers.unknown:
            await self._learn(connection, unknown)
            unknown.clear()
            found = self._read(words)
        return found

    def _read(self, words: Sequence[str]) -> bytes:
        return b"".join(map(self._numbers.__getitem__, words))

    async def _learn(self, connection: Connection, unknown: set[str]) -> None:
        known = await store.read_words(connection, unknown)
        new = sorted(unknown.difference(known))
        if new:
            added = await store.add_words(connection, new)
            # In a thread: many new words, as when everything is indexed again, take a noticeable part of a second.
            await store.add_forms(connection, await asyncio.to_thread(self._forms, added))
            known |= added
            if others := unknown.difference(known):
                known |= await store.read_words(connection, others)
        self._numbers |= {word: stored(number) for word, number in known.items()}

    def _forms(self, words: dict[str, int]) -> list[tuple[str, int]]:
        """Return what words are found by besides themselves; filters' lexemes are found by nothing else."""
        return [
            (form, number)
            for word, number in words.items()
            if not word.startswith("=")
            for form in dict.fromkeys(marks_of(word, self._languages))
        ]


class _Numbers(dict[str, bytes]):
    """Word → number as it is stored; collects those words that have none yet."""

    def __init__(self) -> None:
        super().__init__({END: stored(0)})
        self.unknown = set[str]()

    def __missing__(self, word: str) -> bytes:
        number = own_number(word)
        if number is None:
            self.unknown.add(word)
            return b""
        found = stored(number)
        if len(word) <= _SHORT_NUMBER:
            self[word] = found
        return found
