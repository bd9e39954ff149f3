"""One proof of many leaves."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.export.multiproof import root_of, steps_of
from bridge.archive.ledger import EMPTY, append, root


def hashes(count: int) -> list[bytes]:
    """Return leaves that differ."""
    return [sha256(b"%d" % number).digest() for number in range(count)]


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[bytes], list[int]]:
    """Draw leaves, and the indexes of some that are to be proven."""
    size = draw(st.integers(1, 70))
    return hashes(size), sorted(draw(st.sets(st.integers(0, size - 1), min_size=1)))


def prove(leaves: list[bytes], indexes: list[int]) -> list[bytes]:
    """Return the steps of the proof."""
    stretches = steps_of(indexes, len(leaves))
    return [root(append(EMPTY, leaves[one.start : one.start + one.count])) for one in stretches]


@given(trees())
def test_proven_leaves_lead_to_the_root(tree: tuple[list[bytes], list[int]]) -> None:
    """Whichever leaves are chosen, they and the steps give the tree's root."""
    leaves, indexes = tree
    steps = prove(leaves, indexes)
    chosen = {index: leaves[index] for index in indexes}
    assert root_of(chosen, len(leaves), steps) == root(append(EMPTY, leaves))


@given(trees(), st.data())
def test_nothing_else_leads_to_the_root(tree: tuple[list[bytes], list[int]], data: st.DataObject) -> None:
    """An altered, a removed and an invented leaf or step is noticed."""
    leaves, indexes = tree
    top, steps = root(append(EMPTY, leaves)), prove(leaves, indexes)
    chosen = {index: leaves[index] for index in indexes}
    victim = data.draw(st.sampled_from(indexes))
    assert root_of(chosen | {victim: bytes(32)}, len(leaves), steps) != top
    assert root_of({index: leaf for index, leaf in chosen.items() if index != victim}, len(leaves), steps) != top
    assert root_of(chosen | {len(leaves): bytes(32)}, len(leaves), steps) is None
    assert root_of(chosen, len(leaves), [*steps, bytes(32)]) is None


def test_a_whole_tree_needs_no_steps() -> None:
    """The proof of everything is empty, that of one leaf is its path."""
    assert list(steps_of(range(5), 5)) == []
    assert len(list(steps_of([0], 8))) == 3
