"""The Merkle tree, against RFC 9162 read literally and against known roots."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.ledger import (
    BLOCK,
    EMPTY,
    HASH_SIZE,
    Frontier,
    Stretch,
    append,
    consistency_stretches,
    frontier_of,
    includes,
    inclusion_stretches,
    is_consistent,
    leaf_hash,
    root,
    stretch_hash,
    subtrees,
)

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


# Proofs

# The proofs of the Certificate Transparency test suite for the inputs above: (index, size) and (old, size).
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CT_LEAVES = [leaf_hash(b"", bytes.fromhex(text)) for text in INPUTS]


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1, as it stands there."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return [*inclusion_path(index, leaves[:k]), tree_hash(leaves[k:])]
    return [*inclusion_path(index - k, leaves[k:]), tree_hash(leaves[:k])]


def consistency_path(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 9162 section 2.1.4.1, as it stands there."""
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= k:
        return [*consistency_path(old, leaves[:k], whole=whole), tree_hash(leaves[k:])]
    return [*consistency_path(old - k, leaves[k:], whole=False), tree_hash(leaves[:k])]


def hashes(stretches: Sequence[Stretch], leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of stretches of a small tree."""
    return [stretch_hash(one, (), leaves[one.start : one.start + one.count]) for one in stretches]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    """The known proofs come out, and are accepted."""
    path = hashes(inclusion_stretches(index, size), CT_LEAVES[:size])
    assert [step.hex() for step in path] == INCLUSION[index, size]
    assert includes(index, size, CT_LEAVES[index], path, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(old: int, size: int) -> None:
    """The known proofs come out, and are accepted."""
    path = hashes(consistency_stretches(old, size), CT_LEAVES[:size])
    assert [step.hex() for step in path] == CONSISTENCY[old, size]
    assert is_consistent(old, size, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[size - 1]), path)


@given(LEAVES.filter(bool), st.data())
def test_inclusion_proofs_are_those_of_the_naive_tree(leaves: list[bytes], data: st.DataObject) -> None:
    """For every leaf of every tree the path is the RFC's and leads to the root; from another leaf it does not."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = hashes(inclusion_stretches(index, len(leaves)), leaves)
    top = tree_hash(leaves)
    assert path == inclusion_path(index, leaves)
    assert includes(index, len(leaves), leaves[index], path, top)
    assert not includes(index, len(leaves), sha256(leaves[index]).digest(), path, top)
    assert not includes(index, len(leaves), leaves[index], [*path, top], top)
    assert not includes(len(leaves), len(leaves), leaves[index], path, top)
    for place in range(len(path)):
        assert not includes(index, len(leaves), leaves[index], path[:place] + path[place + 1 :], top)


@given(LEAVES.filter(bool), st.data())
def test_consistency_proofs_are_those_of_the_naive_tree(leaves: list[bytes], data: st.DataObject) -> None:
    """For every beginning of every tree the path is the RFC's and is accepted; for another beginning it is not."""
    old = data.draw(st.integers(0, len(leaves)))
    path = hashes(consistency_stretches(old, len(leaves)), leaves)
    before, now = tree_hash(leaves[:old]), tree_hash(leaves)
    assert is_consistent(old, len(leaves), before, now, path)
    assert not is_consistent(old, len(leaves), sha256(before).digest(), now, path)
    assert not is_consistent(old, len(leaves), before, now, [*path, now])
    if 0 < old < len(leaves):
        assert path == consistency_path(old, leaves)
        assert not is_consistent(old, len(leaves), before, sha256(now).digest(), path)
        assert not is_consistent(old, len(leaves), before, now, path[:-1])


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5])
def test_blocks_stand_for_their_leaves(size: int) -> None:
    """The roots of whole blocks and the leaves behind them make the same tree as all leaves."""
    leaves = [leaf_hash(b"", str(number).encode()) for number in range(size)]
    whole = size // BLOCK
    blocks = [root(append(EMPTY, leaves[number * BLOCK : (number + 1) * BLOCK])) for number in range(whole)]
    assert frontier_of(blocks, leaves[whole * BLOCK :]) == append(EMPTY, leaves)
    assert stretch_hash(Stretch(0, size), blocks, leaves[whole * BLOCK :]) == tree_hash(leaves)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    """Nobody asks for it unnoticed."""
    with pytest.raises(ValueError, match="has none"):
        inclusion_stretches(index, size)
    with pytest.raises(ValueError, match="not the beginning"):
        consistency_stretches(size + 1, size)
    with pytest.raises(ValueError, match="expected 2 leaves"):
        stretch_hash(Stretch(0, 2), (), [bytes(32)])
