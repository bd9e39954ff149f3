"""The ledger: an RFC 9162 Merkle tree over the events, grown at its right edge.

A leaf is SHA-256(0x00 ‖ salt ‖ canonical event), so that salt and payload can be destroyed later while the leaf, and
every root above it, stays. A node is SHA-256(0x01 ‖ left ‖ right). The `Frontier` holds one hash for each perfect
subtree that ends at the right edge, O(log n) of them, which is all that appending and the root need. Where leaves and
frontier are kept is left to `store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

HASH_SIZE = 32
SALT_SIZE = 16


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


def subtrees(frontier: Frontier) -> Iterator[tuple[int, int, bytes]]:
    """Yield (leaves before it, leaves in it, hash) of each perfect subtree, from left to right."""
    start = 0
    for bit, node in zip(_bits(frontier.size), frontier.hashes, strict=True):
        yield start, bit, node
        start += bit


def _bits(number: int) -> Iterator[int]:
    """Yield the powers of two that add up to the number, largest first."""
    for place in range(number.bit_length() - 1, -1, -1):
        if number >> place & 1:
            yield 1 << place
