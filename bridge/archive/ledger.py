"""The ledger: an RFC 9162 Merkle tree over the events, grown at its right edge.

A leaf is SHA-256(0x00 ‖ salt ‖ canonical event), so that salt and payload can be destroyed later while the leaf, and
every root above it, stays. A node is SHA-256(0x01 ‖ left ‖ right). The `Frontier` holds one hash for each perfect
subtree that ends at the right edge, O(log n) of them, which is all that appending and the root need. A proof is the
hashes of a few stretches of leaves; which ones, `inclusion_stretches` and `consistency_stretches` say, and
`stretch_hash` makes each from the roots of whole blocks and the leaves of a block in part. Where all of them are kept
is left to `store` and `proof_store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

HASH_SIZE = 32
SALT_SIZE = 16
BLOCK = 1024
"""Leaves of a block; a power of two, so that a block is a perfect subtree."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: its perfect subtrees' roots, largest first, one for each bit set in `size`."""

    size: int
    hashes: tuple[bytes, ...]

    @classmethod
    def of(cls, size: int, joined: bytes) -> Self:
        """Read a frontier that `joined` wrote; raises `ValueError` when the hashes do not fit the size."""
        hashes = tuple(joined[place : place + HASH_SIZE] for place in range(0, len(joined), HASH_SIZE))
        if size < 0 or len(joined) != HASH_SIZE * size.bit_count():
            raise ValueError(f"a frontier of {size} leaves has {size.bit_count()} hashes, not {len(joined)} bytes")
        return cls(size, hashes)

    def joined(self) -> bytes:
        """Return the hashes one after the other, for storing."""
        return b"".join(self.hashes)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Leaves side by side whose hash is a step of a proof."""

    start: int
    """Leaves before it."""
    count: int


EMPTY = Frontier(0, ())
"""The frontier of a tree without leaves."""


def leaf_hash(salt: bytes, canonical: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162 section 2.1.1, over salt and event)."""
    return sha256(b"\0" + salt + canonical).digest()


def append(frontier: Frontier, leaves: Iterable[bytes]) -> Frontier:
    """Return the frontier with the leaf hashes appended, in time O(leaves + log size)."""
    nodes = list(leaves)
    left = list(frontier.hashes)
    edge: list[bytes] = []
    size = frontier.size + len(nodes)
    height = frontier.size
    while nodes or height:
        if height & 1:
            nodes.insert(0, left.pop())
        if len(nodes) & 1:
            edge.append(nodes.pop())
        nodes = [sha256(b"\1" + one + other).digest() for one, other in zip(nodes[::2], nodes[1::2], strict=True)]
        height >>= 1
    return Frontier(size, tuple(reversed(edge)))


def root(frontier: Frontier) -> bytes:
    """Return the Merkle tree hash (RFC 9162 section 2.1.1); of no leaves, the hash of nothing."""
    if not frontier.hashes:
        return sha256(b"").digest()
    *rest, top = frontier.hashes
    for left in reversed(rest):
        top = sha256(b"\1" + left + top).digest()
    return top


def whole_blocks(frontier: Frontier) -> Frontier:
    """Return the frontier of the whole blocks alone, which is the beginning of the same tree."""
    size = frontier.size - frontier.size % BLOCK
    return Frontier(size, frontier.hashes[: size.bit_count()])


def subtrees(frontier: Frontier) -> Iterator[tuple[int, int, bytes]]:
    """Yield (leaves before it, leaves in it, hash) of each perfect subtree, from left to right."""
    start = 0
    for bit, node in zip(_bits(frontier.size), frontier.hashes, strict=True):
        yield start, bit, node
        start += bit


def frontier_of(blocks: Sequence[bytes], leaves: Sequence[bytes]) -> Frontier:
    """Return the right edge of a tree that is whole blocks, given by their roots, and the leaves behind them."""
    whole = append(EMPTY, blocks)
    return append(Frontier(whole.size * BLOCK, whole.hashes), leaves)


def stretch_hash(stretch: Stretch, blocks: Sequence[bytes], leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of a stretch: `blocks` are the roots of its whole blocks, `leaves` what is behind."""
    frontier = frontier_of(blocks, leaves)
    if frontier.size != stretch.count:
        raise ValueError(f"expected {stretch.count} leaves from {stretch.start} on, came {frontier.size}")
    return root(frontier)


def inclusion_stretches(index: int, size: int) -> list[Stretch]:
    """Return whose hashes prove that the leaf at `index` (from 0) is among `size` leaves, in the proof's order.

    RFC 9162 section 2.1.3.1.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has none at {index}")
    found: list[Stretch] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append(Stretch(middle, end - middle))
            end = middle
        else:
            found.append(Stretch(start, middle - start))
            start = middle
    return found[::-1]


def consistency_stretches(old: int, size: int) -> list[Stretch]:
    """Return whose hashes prove that the tree of `old` leaves is the beginning of that of `size`, in the proof's order.

    RFC 9162 section 2.1.4.1; of nothing, and of the same tree, there is nothing to prove.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {old} leaves is not the beginning of one of {size}")
    if old in (0, size):
        return []
    found: list[Stretch] = []
    start, end = 0, size
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            found.append(Stretch(middle, end - middle))
            end = middle
        else:
            found.append(Stretch(start, middle - start))
            start = middle
    if start:
        found.append(Stretch(start, end - start))
    return found[::-1]


def includes(index: int, size: int, leaf: bytes, path: Sequence[bytes], top: bytes) -> bool:
    """Return whether the path leads from the leaf at `index` to the root `top` (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf
    for step in path:
        if not last:
            return False
        if place & 1 or place == last:
            node = sha256(b"\1" + step + node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = sha256(b"\1" + node + step).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and node == top


def is_consistent(old: int, size: int, before: bytes, now: bytes, path: Sequence[bytes]) -> bool:
    """Return whether the path proves the tree with the root `before` the beginning of that with the root `now`.

    RFC 9162 section 2.1.4.2.
    """
    if old == size:
        return not path and before == now
    if old == 0:
        return not path and before == root(EMPTY)
    steps = [before, *path] if old & (old - 1) == 0 else list(path)
    if not 0 < old < size or not steps:
        return False
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if not last:
            return False
        if place & 1 or place == last:
            first, second = sha256(b"\1" + step + first).digest(), sha256(b"\1" + step + second).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = sha256(b"\1" + second + step).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and first == before and second == now


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def _bits(number: int) -> Iterator[int]:
    """Yield the powers of two that add up to the number, largest first."""
    for place in range(number.bit_length() - 1, -1, -1):
        if number >> place & 1:
            yield 1 << place
