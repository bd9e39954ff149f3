"""Do the rows of the archive agree with themselves, with the recorded tree, and with what was signed?

`Inspection` is given the rows in the order of their positions, a block at a time, and keeps only the growing right
edge of the tree. It looks at what the ledger covers: position, salt, body, leaf and time of arrival. The other columns
are an index over the body, for finding. `agrees` takes a block's columns whole, fast; when it says no, `look_at` names
the first row. Reading the rows is left to `verify`, signatures to `checkpoint`.
"""

from __future__ import annotations

import operator
import struct
import sys
from array import array
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import accumulate

from bridge.archive.ledger import BLOCK, EMPTY, SALT_SIZE, Frontier, append, root, subtrees

Row = tuple[int, int, bytes | None, bytes, bytes | None]
"""Position, time of arrival (microseconds), salt, leaf, body; of what was disposed of salt and body are None."""


class Problem(StrEnum):
    """What is wrong with a row."""

    ALTERED = "altered"
    """Salt or body do not give the leaf, or are gone and no entry of the ledger says why."""
    MISSING = "missing"
    """There is no row at this position."""
    REORDERED = "reordered"
    """The row arrived after the ones behind it."""
    SURPLUS = "surplus"
    """The row is behind the end of the ledger."""
    REWRITTEN = "rewritten"
    """The rows agree with themselves, but from here on not with the recorded tree, or the tree itself was changed."""
    CONTRADICTED = "contradicted"
    """The rows agree with themselves, but from here on not with a signed checkpoint."""
    FORGED = "forged"
    """A checkpoint that the archive's key did not sign, or that was altered; the position is its size."""
    MISFILED = "misfiled"
    """A column by which the event is found says something else than the event, which is whole."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows side by side; each column is the values one after the other."""

    count: int
    """Rows whose salt and leaf are as long as they should be."""
    seqs: bytes
    """Eight bytes each, big-endian."""
    times: bytes
    """Eight bytes each, microseconds, big-endian."""
    lengths: bytes
    """Of the bodies; four bytes each, big-endian."""
    salts: bytes
    leaves: bytes
    bodies: bytes
    root: bytes | None = None
    """Of the block, as it is kept, when it is."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is signed: so many leaves have this root."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """The first position where something is wrong."""

    problem: Problem
    seq: int
    event_id: str = ""
    """What the index says stands there; empty when nothing does. The index itself is not covered by the ledger."""
    room_id: str = ""
    """Where that was said."""
    checkpoint: int = 0
    """Size of the signed checkpoint that tells so; 0 when it is not one that does."""
    column: str = ""
    """Which one, when it is misfiled."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found."""

    size: int
    """Events that the ledger's head counts."""
    root: bytes
    """Merkle tree hash of the recorded head."""
    finding: Finding | None
    """None when everything agrees."""
    checkpoints: int = 0
    """Signed checkpoints with which the archive agrees."""
    since: int = 0
    """Leaves that were not looked at because a checkpoint vouches for them."""

    @property
    def ok(self) -> bool:
        """Whether every row, the root and every checkpoint agree."""
        return self.finding is None

    @property
    def first_bad(self) -> int | None:
        """Position of the first row that does not agree."""
        return self.finding.seq if self.finding else None

    @property
    def problem(self) -> Problem | None:
        """What is wrong there."""
        return self.finding.problem if self.finding else None


class Inspection:
    """One walk over the archive; `finding` is the first thing that is wrong, as soon as it is known."""

    def __init__(self, head: Frontier, *, start: Frontier = EMPTY, marks: Iterable[Mark] = ()) -> None:
        """Begin behind `start`, which is whole blocks; the marks lie at or behind it."""
        self._head = head
        self._seen = start
        self._marks = deque(sorted(marks, key=lambda mark: mark.size))
        self._agreed = start.size
        self._latest = -(2**63) - 1
        self.agreeing = 0
        """Marks with which the rows agree so far."""
        self.block: bytes | None = None
        """Root of the block that was looked at last, when it is whole."""
        self.finding: Finding | None = None

    @property
    def seen(self) -> Frontier:
        """The right edge of the tree over the rows so far."""
        return self._seen

    def agrees(self, portion: Portion) -> bool:
        """Check the next block at once; False when a row does not agree, and then `look_at` tells which."""
        count, first = portion.count, self._seen.size + 1
        if not count or portion.seqs != struct.pack(f">{count}q", *range(first, first + count)):
            return False
        times, lengths = _numbers("q", portion.times), _numbers("i", portion.lengths)
        if self._latest >= times[0] or not all(map(operator.lt, times, times[1:])):
            return False
        ends = list(accumulate(lengths))
        salts, bodies = portion.salts, portion.bodies
        leaves = [
            sha256(b"\0" + salts[place : place + SALT_SIZE] + bodies[start:end]).digest()
            for place, start, end in zip(range(0, len(salts), SALT_SIZE), [0, *ends], ends, strict=False)
        ]
        if b"".join(leaves) != portion.leaves:
            return False
        self._latest = times[-1]
        self._grow(leaves, portion.root)
        return True

    def look_at(self, rows: Sequence[Row], disposed: Collection[int] = (), kept: bytes | None = None) -> None:
        """Check the next block row by row; `disposed` are the positions that are rightly empty.

        `kept` is the block's root as it is kept, when it is.
        """
        leaves = [_leaf_of(row, disposed) for row in rows]
        self.finding = self._first_bad(rows, leaves)
        if self.finding is None:
            self._latest = rows[-1][1] if rows else self._latest
            self._grow(leaves, kept)

    def conclude(self) -> Verdict:
        """Compare with the recorded head and the marks behind it, once all rows were looked at."""
        finding = self.finding or self._contradiction(self._seen, ()) or self._end()
        return Verdict(self._head.size, root(self._head), finding, self.agreeing)

    def _grow(self, leaves: Sequence[bytes], kept: bytes | None) -> None:
        """Add a block's leaves to the tree, and compare it with what is signed of sizes up to there, and kept of it."""
        before = self._seen
        if len(leaves) == BLOCK:
            self.block = root(append(EMPTY, leaves))
            whole = append(Frontier(before.size // BLOCK, before.hashes), [self.block])
            self._seen = Frontier(before.size + BLOCK, whole.hashes)
        else:
            self.block = None
            self._seen = append(before, leaves)
        self.finding = self._contradiction(before, leaves)
        if self.finding is None and kept is not None and self.block not in (None, kept):
            self.finding = Finding(Problem.REWRITTEN, before.size + 1)

    def _contradiction(self, before: Frontier, leaves: Sequence[bytes]) -> Finding | None:
        while self._marks and self._marks[0].size <= self._seen.size:
            mark = self._marks.popleft()
            if root(append(before, leaves[: mark.size - before.size])) != mark.root:
                return Finding(Problem.CONTRADICTED, self._agreed + 1, checkpoint=mark.size)
            self._agreed = mark.size
            self.agreeing += 1
        return None

    def _first_bad(self, rows: Sequence[Row], leaves: Sequence[bytes]) -> Finding | None:
        latest = self._latest
        for expected, row, leaf in zip(range(self._seen.size + 1, 2**63), rows, leaves, strict=False):
            seq, received_at, salt, recorded, body = row
            if seq != expected:
                return Finding(Problem.MISSING, expected)
            if leaf != recorded or (body is not None and len(salt or b"") != SALT_SIZE):
                return Finding(Problem.ALTERED, seq)
            if latest >= received_at:
                return Finding(Problem.REORDERED, seq)
            latest = received_at
        return None

    def _end(self) -> Finding | None:
        if self._seen.size < self._head.size:
            return Finding(Problem.MISSING, self._seen.size + 1)
        if self._marks:
            return Finding(Problem.MISSING, self._head.size + 1, checkpoint=self._marks[0].size)
        for (start, _, recorded), (_, _, seen) in zip(subtrees(self._head), subtrees(self._seen), strict=True):
            if recorded != seen:
                return Finding(Problem.REWRITTEN, start + 1)
        return None


def _leaf_of(row: Row, disposed: Collection[int]) -> bytes:
    """Return the leaf that a row gives; what was disposed of vouches for its own, which the root holds it to."""
    seq, _, salt, recorded, body = row
    if salt is None and body is None:
        return recorded if seq in disposed else b""
    return sha256(b"\0" + (salt or b"") + (body or b"")).digest()


def _numbers(kind: str, column: bytes) -> array[int]:
    numbers = array(kind, column)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
