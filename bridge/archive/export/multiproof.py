"""One proof that many leaves stand in a tree (RFC 9162 section 2.1), far smaller than a path for each. Pure.

The tree is walked from its root down, left before right. A subtree in which no leaf is to be proven gives one step, its
hash, and is not entered; a leaf that is to be proven gives none, since whoever checks has it. Checking walks the same
way and takes the next step wherever making the proof left one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from bridge.archive.ledger import Stretch


def steps_of(indexes: Sequence[int], size: int) -> Iterator[Stretch]:
    """Yield whose hashes are the steps that prove the leaves at `indexes`, sorted, from 0, in a tree of `size`."""
    waiting = [(0, size)]
    while waiting:
        start, count = waiting.pop()
        first = bisect_left(indexes, start)
        if first == len(indexes) or indexes[first] >= start + count:
            yield Stretch(start, count)
        elif count > 1:
            left = _left(count)
            waiting += ((start + left, count - left), (start, left))


def root_of(leaves: Mapping[int, bytes], size: int, steps: Sequence[bytes]) -> bytes | None:
    """Return the root to which leaves (index from 0 → hash) and steps lead, None when they do not fit such a tree."""
    indexes = sorted(leaves)
    if size < 1 or (indexes and not 0 <= indexes[0] <= indexes[-1] < size):
        return None
    left = iter(steps)

    def node(start: int, count: int) -> bytes | None:
        first = bisect_left(indexes, start)
        if first == len(indexes) or indexes[first] >= start + count:
            return next(left, None)
        if count == 1:
            return leaves[start]
        half = _left(count)
        one, other = node(start, half), node(start + half, count - half)
        return None if one is None or other is None else sha256(b"\1" + one + other).digest()

    top = node(0, size)
    return top if next(left, None) is None else None


def _left(count: int) -> int:
    """Return the largest power of two smaller than `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1
