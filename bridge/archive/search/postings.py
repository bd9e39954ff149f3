"""Which words stand at which positions of the archive, as arrays of numbers and as the bytes that are stored.

    tail     the newest messages one after the other, each with its words: quick to add to, looked through as a whole
    block    65,536 positions, and for each word those of them that hold it, in buckets of words: quick to look up

A message's words are a set: order and repetition count for nothing. The same message may come again, and words may be
added to it later, in the tail or in a block. Pure; which words have which numbers is left to `vocabulary`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
"""Positions of a block."""
CHUNK = 1 << 12
"""Positions of which it is known when they were sent."""
_BUCKET_BITS = 12
_BUCKETS = 1 << _BUCKET_BITS
_SEQ = np.dtype("<i8")
_NUMBER = np.dtype("<i4")
_PLACE = np.dtype("<u2")
_SIZE = np.dtype("<u2")
"""Enough for `words.MOST_WORDS`."""
_PACK = Struct("<i").pack

Mask = NDArray[np.bool_]
"""For each position of a block, or each message of a tail, whether it counts."""


class Columns(NamedTuple):
    """A tail as it is stored."""

    seqs: bytes
    sizes: bytes
    words: bytes


class Bucket(NamedTuple):
    """Where some words stand in a block, as it is stored."""

    block: int
    bucket: int
    words: bytes
    sizes: bytes
    """In how many places each stands."""
    places: bytes
    """Word after word."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Messages with their words."""

    seqs: NDArray[np.int64]
    """Positions."""
    sizes: NDArray[np.uint16]
    """How many words each has."""
    words: NDArray[np.int32]
    """Their numbers, message after message."""

    @classmethod
    def of(cls, seqs: Sequence[int], numbers: bytes) -> Self:
        """Return the tail of these messages; behind the numbers of each one's words, as they are stored, stands 0."""
        words = np.frombuffer(numbers, _NUMBER)
        sizes = np.diff(np.flatnonzero(words == 0), prepend=-1) - 1
        return cls(np.array(seqs, _SEQ), sizes.astype(_SIZE), words[words != 0])

    @classmethod
    def packed(cls, seqs: Sequence[int], words: Sequence[bytes]) -> Self:
        """Return the tail of these messages, each with the numbers of its words as they are stored."""
        sizes = np.array([len(each) // _NUMBER.itemsize for each in words], _SIZE)
        return cls(np.array(seqs, _SEQ), sizes, np.frombuffer(b"".join(words), _NUMBER))

    def joined(self, other: Tail) -> Tail:
        """Return both, one after the other."""
        return Tail(
            np.concatenate((self.seqs, other.seqs)),
            np.concatenate((self.sizes, other.sizes)),
            np.concatenate((self.words, other.words)),
        )

    @classmethod
    def read(cls, parts: Sequence[Columns]) -> Self:
        """Return what is stored in parts, one after the other."""
        seqs, sizes, words = (b"".join([part[column] for part in parts]) for column in range(3))
        return cls(np.frombuffer(seqs, _SEQ), np.frombuffer(sizes, _SIZE), np.frombuffer(words, _NUMBER))

    def columns(self) -> Columns:
        """Return the tail as it is stored."""
        return Columns(self.seqs.tobytes(), self.sizes.tobytes(), self.words.tobytes())

    def kept(self, keep: Mask) -> Tail:
        """Return the tail of these of its messages."""
        return Tail(self.seqs[keep], self.sizes[keep], self.words[np.repeat(keep, self.sizes)])

    def blocks(self) -> NDArray[np.int64]:
        """Return the block of each message."""
        return self.seqs // BLOCK

    def holding(self, words: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the positions of the messages that hold one of these words; some may come twice."""
        found = np.flatnonzero(np.isin(self.words, words))
        return self.seqs[np.searchsorted(np.cumsum(self.sizes, dtype=_SEQ), found, side="right")]

    def buckets(self) -> Iterator[Bucket]:
        """Yield where the words stand, bucket by bucket of each block."""
        for block in np.unique(self.blocks()).tolist():
            part = self.kept(self.blocks() == block)
            yield from _buckets(block, part.words, np.repeat(part.seqs - block * BLOCK, part.sizes))


def stored(number: int) -> bytes:
    """Return the number of a word as it is stored."""
    return _PACK(number)


def bucket_of(word: int) -> int:
    """Return the bucket in which a word is looked for."""
    return word & (_BUCKETS - 1)


def _buckets(block: int, words: NDArray[np.int32], places: NDArray[np.int64]) -> Iterator[Bucket]:
    order = _by_bucket(words)
    words, stored_places = words[order], places[order].astype(_PLACE).tobytes()
    firsts = np.flatnonzero(_changes(words))
    sizes = np.diff(firsts, append=len(words)).astype(_NUMBER)
    ranks = np.flatnonzero(_changes(words[firsts] & (_BUCKETS - 1)))
    stored_words, stored_sizes = words[firsts].tobytes(), sizes.tobytes()
    word_at = [*(_NUMBER.itemsize * ranks).tolist(), len(stored_words)]
    place_at = [*(_PLACE.itemsize * firsts[ranks]).tolist(), len(stored_places)]
    for rank, bucket in enumerate((words[firsts[ranks]] & (_BUCKETS - 1)).tolist()):
        here = slice(word_at[rank], word_at[rank + 1])
        places_here = slice(place_at[rank], place_at[rank + 1])
        yield Bucket(block, bucket, stored_words[here], stored_sizes[here], stored_places[places_here])


def _by_bucket(words: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the order that has words of one bucket together, and in it the same words; else it is as it was.

    By half a word at a time, which numpy sorts by its digits: five times as fast.
    """
    order = np.argsort((words >> _BUCKET_BITS).astype(np.uint16), kind="stable")
    halves = (words & (_BUCKETS - 1)) << 4 | (words >> 28 & 0xF)
    return order[np.argsort(halves.astype(np.uint16)[order], kind="stable")]


def _changes(ordered: NDArray[np.int32]) -> Mask:
    """Return for each number whether it is another than the one before."""
    changes = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=changes[1:])
    return changes


@dataclass(frozen=True, slots=True)
class Shelf:
    """Words, and where each stands in one block."""

    words: NDArray[np.int32]
    sizes: NDArray[np.int32]
    places: NDArray[np.uint16]

    @classmethod
    def read(cls, buckets: Sequence[Bucket]) -> Self:
        """Return what is stored in buckets of one block."""
        return cls(
            np.frombuffer(b"".join([bucket.words for bucket in buckets]), _NUMBER),
            np.frombuffer(b"".join([bucket.sizes for bucket in buckets]), _NUMBER),
            np.frombuffer(b"".join([bucket.places for bucket in buckets]), _PLACE),
        )

    def holding(self, words: NDArray[np.int32]) -> Mask:
        """Return the positions that hold one of these words."""
        return _mask(self.places[np.repeat(np.isin(self.words, words), self.sizes)])


def without(bucket: Bucket, gone: Mask) -> Bucket | None:
    """Return what of a bucket is left without some positions; None when it holds none of them."""
    shelf = Shelf.read([bucket])
    stays = ~gone[shelf.places]
    if stays.all():
        return None
    owners = np.repeat(np.arange(len(shelf.words)), shelf.sizes)[stays]
    sizes = np.bincount(owners, minlength=len(shelf.words)).astype(_NUMBER)
    left = sizes > 0
    return bucket._replace(
        words=shelf.words[left].tobytes(), sizes=sizes[left].tobytes(), places=shelf.places[stays].tobytes()
    )


def masks_of(seqs: NDArray[np.int64]) -> dict[int, Mask]:
    """Return positions as a mask of each block that has some."""
    blocks, places = np.divmod(seqs, BLOCK)
    return {block: _mask(places[blocks == block]) for block in np.unique(blocks).tolist()}


def _mask(places: NDArray[np.integer]) -> Mask:
    mask = np.zeros(BLOCK, np.bool_)
    mask[places] = True
    return mask


def numbers_of(words: Sequence[int]) -> NDArray[np.int32]:
    """Return the numbers of words as an array."""
    return np.array(words, _NUMBER)


def distinct(stored: Sequence[bytes]) -> list[int]:
    """Return the numbers of words that are stored in parts, each once."""
    words: list[int] = np.unique(np.frombuffer(b"".join(stored), _NUMBER)).tolist()
    return words
