"""The Merkle tree, against RFC 9162 read literally and against known roots."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.ledger import EMPTY, HASH_SIZE, Frontier, append, leaf_hash, root, subtrees

LEAVES = st.lists(st.binary(min_size=HASH_SIZE, max_size=HASH_SIZE), max_size=70)
# The inputs of the Certificate Transparency test suite, and the root after each.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, as it stands there, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(1, len(INPUTS) + 1))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    """Without salt, the known inputs give the known roots."""
    leaves = [leaf_hash(b"", bytes.fromhex(text)) for text in INPUTS[:size]]
    assert root(append(EMPTY, leaves)).hex() == ROOTS[size - 1]


def test_empty_tree_has_the_hash_of_nothing() -> None:
    """The root of no leaves is SHA-256 of the empty string."""
    assert root(EMPTY).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_leaf_binds_salt_and_event() -> None:
    """A leaf is SHA-256 over 0x00, the salt and the event."""
    assert leaf_hash(b"salt", b"{}") == sha256(b"\x00salt{}").digest()


@given(LEAVES, st.lists(st.integers(0, 70)))
def test_appending_in_any_portions_gives_the_tree_of_all(leaves: list[bytes], cuts: list[int]) -> None:
    """However the leaves arrive, the root is that of the naive tree and the hashes fit the size."""
    frontier, start = EMPTY, 0
    for end in [*sorted(cuts), len(leaves)]:
        frontier = append(frontier, leaves[start:end])
        start = max(start, end)
    assert frontier.size == len(leaves)
    assert len(frontier.hashes) == frontier.size.bit_count()
    assert root(frontier) == tree_hash(leaves)


@given(LEAVES)
def test_frontier_is_made_of_perfect_subtrees(leaves: list[bytes]) -> None:
    """Each hash of the frontier is the root of the leaves that it covers, without a gap."""
    end = 0
    for start, count, node in subtrees(append(EMPTY, leaves)):
        assert start == end
        assert node == tree_hash(leaves[start : start + count])
        end = start + count
    assert end == len(leaves)


@given(LEAVES)
def test_frontier_survives_storing(leaves: list[bytes]) -> None:
    """A frontier that was written and read is the same."""
    frontier = append(EMPTY, leaves)
    assert Frontier.of(frontier.size, frontier.joined()) == frontier


@pytest.mark.parametrize(("size", "length"), [(1, 0), (3, 32), (2, 31), (-1, 32)])
def test_frontier_that_does_not_fit_its_size_is_refused(size: int, length: int) -> None:
    """A damaged frontier is noticed before anything is appended to it."""
    with pytest.raises(ValueError, match="frontier"):
        Frontier.of(size, bytes(length))
