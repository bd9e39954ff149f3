"""What an entry accounts for, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bridge.archive import canonical
from bridge.archive.disposition import Disposition, Order, accounted, entry_for, spans_of
from bridge.archive.entry import Actor, Entry, entry_event
from bridge.archive.inspection import Inspection, Problem, Row
from bridge.archive.ledger import EMPTY, append, leaf_hash

AT = datetime(2027, 3, 1, tzinfo=UTC)
DPO = Actor("k.saar", "root")
POSITIONS = st.lists(st.integers(1, 300), unique=True).map(sorted)


def _body(entry: Entry) -> bytes:
    return canonical.encode(entry_event(entry, AT, "00"))


@given(POSITIONS)
def test_an_entry_accounts_for_exactly_what_it_names(seqs: list[int]) -> None:
    """Neither the position before nor the one after may be passed off as disposed of."""
    entry = entry_for(Order(DPO, "retention", {"rule": "lunch"}), seqs, [bytes(32)] * len(seqs))
    found = Disposition.of(_body(entry), 1000)
    assert [seq for seq in range(302) if found.covers(seq)] == seqs


@given(POSITIONS)
def test_spans_are_few_and_whole(seqs: list[int]) -> None:
    """Neighbours share a span, others do not."""
    spans = spans_of(seqs)
    assert [seq for first, last in spans for seq in range(first, last + 1)] == seqs
    assert all(before[1] + 1 < after[0] for before, after in pairwise(spans))


def test_another_entry_accounts_for_nothing() -> None:
    """An entry of a search that speaks of positions is no disposition, nor is what somebody said in a room."""
    named = {"positions": [[1, 9]]}
    search = _body(Entry("search", DPO, named))
    said = canonical.encode(
        {"event_id": "$1", "room_id": "!r", "type": "muster.dispose", "sender": "@a:x", "content": {"details": named}}
    )
    assert accounted({1: 20, 2: 21, 3: 22}, {20: search, 21: said}) == frozenset()


def test_an_empty_record_is_fine_exactly_when_it_is_accounted_for() -> None:
    """Else it counts as altered; half a record always does."""
    leaves = [leaf_hash(bytes(16), b"{%d}" % number) for number in range(3)]
    head = append(EMPTY, leaves)
    whole: list[Row] = [(number + 1, number, bytes(16), leaf, b"{%d}" % number) for number, leaf in enumerate(leaves)]
    gone: list[Row] = [whole[0], (2, 1, None, leaves[1], None), whole[2]]
    cases: list[tuple[list[Row], set[int], Problem | None]] = [
        (gone, {2}, None),
        (gone, set(), Problem.ALTERED),
        (gone, {1}, Problem.ALTERED),
        ([whole[0], (2, 1, bytes(16), leaves[1], None), whole[2]], {2}, Problem.ALTERED),
        ([whole[0], (2, 1, None, leaves[0], None), whole[2]], {2}, Problem.REWRITTEN),
    ]
    for rows, disposed, problem in cases:
        inspection = Inspection(head)
        inspection.look_at(rows, disposed)
        assert inspection.conclude().problem is problem
