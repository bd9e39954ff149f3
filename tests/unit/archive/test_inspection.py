"""Finding what was changed in the archive, on rows in memory."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.inspection import Finding, Inspection, Problem, Row, Verdict
from bridge.archive.ledger import EMPTY, Frontier, append, leaf_hash, root

SIZES = st.integers(1, 40)


def archive(size: int) -> list[Row]:
    """Return the rows of an archive with so many events."""
    rows: list[Row] = []
    for seq in range(1, size + 1):
        salt, body = bytes([seq]) * 16, b'{"n":%d}' % seq
        rows.append((seq, seq * 1_000_000, salt, leaf_hash(salt, body), body))
    return rows


def head_of(rows: Sequence[Row]) -> Frontier:
    """Return the head of the ledger over these rows."""
    return append(EMPTY, [row[3] for row in rows])


def inspect(rows: Sequence[Row], head: Frontier, portion: int = 7) -> Verdict:
    """Look at all the rows, in portions."""
    inspection = Inspection(head)
    for place in range(0, len(rows), portion):
        inspection.look_at(rows[place : place + portion])
        if inspection.finding:
            break
    return inspection.conclude()


@given(st.integers(0, 40), st.integers(1, 50))
def test_untouched_archive_is_found_whole(size: int, portion: int) -> None:
    """However it is read, an archive as it was written agrees."""
    rows = archive(size)
    assert inspect(rows, head_of(rows), portion) == Verdict(size, root(head_of(rows)), None)


@given(SIZES, st.data())
def test_altered_row_is_named(size: int, data: st.DataObject) -> None:
    """A changed body, salt or leaf is found at its position."""
    rows = archive(size)
    head = head_of(rows)
    place = data.draw(st.integers(0, size - 1))
    column = data.draw(st.sampled_from(["salt", "leaf", "body"]))
    seq, moment, salt, leaf, body = rows[place]
    assert salt is not None
    assert body is not None
    rows[place] = {
        "salt": (seq, moment, salt + b"x", leaf, body),
        "leaf": (seq, moment, salt, bytes(32), body),
        "body": (seq, moment, salt, leaf, body + b"x"),
    }[column]
    assert inspect(rows, head).finding == Finding(Problem.ALTERED, place + 1)


@given(SIZES, st.data())
def test_removed_row_is_named(size: int, data: st.DataObject) -> None:
    """A row that is gone, also the last, is found at its position."""
    rows = archive(size)
    head = head_of(rows)
    place = data.draw(st.integers(0, size - 1))
    del rows[place]
    assert inspect(rows, head).finding == Finding(Problem.MISSING, place + 1)


@given(st.integers(2, 40), st.data())
def test_exchanged_rows_are_found(size: int, data: st.DataObject) -> None:
    """Two rows that changed places are noticed right behind the first of them."""
    rows = archive(size)
    head = head_of(rows)
    one, other = sorted(data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True)))
    rows[one], rows[other] = (rows[one][0], *rows[other][1:]), (rows[other][0], *rows[one][1:])
    assert inspect(rows, head).finding == Finding(Problem.REORDERED, one + 2)


@given(SIZES, st.data())
def test_row_rewritten_with_its_leaf_is_found_by_the_tree(size: int, data: st.DataObject) -> None:
    """Whoever writes body and leaf anew still contradicts the root; the subtree is named by its first position."""
    rows = archive(size)
    head = head_of(rows)
    place = data.draw(st.integers(0, size - 1))
    seq, moment, salt, _, _ = rows[place]
    assert salt is not None
    rows[place] = (seq, moment, salt, leaf_hash(salt, b"forged"), b"forged")
    finding = inspect(rows, head).finding
    assert finding is not None
    assert finding.problem is Problem.REWRITTEN
    assert finding.seq <= place + 1
