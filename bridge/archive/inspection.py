"""Do the rows of the archive agree with themselves and with the recorded tree?

`Inspection` is given the rows in the order of their positions, in portions, and keeps only the growing right edge of
the tree. It looks at what the ledger covers: position, salt, body, leaf and time of arrival. The other columns are an
index over the body, for finding. Reading the rows is left to `verify`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from bridge.archive.ledger import EMPTY, Frontier, append, root, subtrees

Row = tuple[int, datetime, bytes, bytes, bytes]
"""Position, time of arrival, salt, leaf, body."""


class Problem(StrEnum):
    """What is wrong with a row."""

    ALTERED = "altered"
    """Salt or body do not give the leaf."""
    MISSING = "missing"
    """There is no row at this position."""
    REORDERED = "reordered"
    """The row arrived after the ones behind it."""
    SURPLUS = "surplus"
    """The row is behind the end of the ledger."""
    REWRITTEN = "rewritten"
    """The rows agree with themselves, but from here on not with the recorded tree, or the tree itself was changed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The first position where something is wrong."""

    problem: Problem
    seq: int
    event_id: str = ""
    """What the index says stands there; empty when nothing does. The index itself is not covered by the ledger."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found."""

    size: int
    """Events that the ledger's head counts."""
    root: bytes
    """Merkle tree hash of the recorded head."""
    finding: Finding | None
    """None when everything agrees."""

    @property
    def ok(self) -> bool:
        """Whether every row and the root agree."""
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

    def __init__(self, head: Frontier) -> None:
        self._head = head
        self._seen = EMPTY
        self._latest: datetime | None = None
        self.finding: Finding | None = None

    def look_at(self, rows: Sequence[Row]) -> None:
        """Check the next rows."""
        first = self._seen.size + 1
        leaves = [sha256(b"\0" + salt + body).digest() for _, _, salt, _, body in rows]
        times = [row[1] for row in rows]
        if (
            [row[0] for row in rows] == list(range(first, first + len(rows)))
            and leaves == [row[3] for row in rows]
            and all(map(operator.lt, times, times[1:]))
            and (self._latest is None or not times or self._latest < times[0])
        ):
            self._seen = append(self._seen, leaves)
            self._latest = times[-1] if times else self._latest
        else:
            self.finding = self._first_bad(rows, leaves)

    def conclude(self) -> Verdict:
        """Compare with the recorded head, once all rows were looked at."""
        return Verdict(self._head.size, root(self._head), self.finding or self._end())

    def _first_bad(self, rows: Sequence[Row], leaves: Sequence[bytes]) -> Finding:
        latest = self._latest
        for expected, row, leaf in zip(range(self._seen.size + 1, 2**63), rows, leaves, strict=False):
            seq, received_at, _, recorded, _ = row
            if seq != expected:
                return Finding(Problem.MISSING, expected) if seq > expected else Finding(Problem.SURPLUS, seq)
            if leaf != recorded:
                return Finding(Problem.ALTERED, seq)
            if latest is not None and latest >= received_at:
                return Finding(Problem.REORDERED, seq)
            latest = received_at
        raise AssertionError("called without a problem")

    def _end(self) -> Finding | None:
        if self._seen.size < self._head.size:
            return Finding(Problem.MISSING, self._seen.size + 1)
        if self._seen.size > self._head.size:
            return Finding(Problem.SURPLUS, self._head.size + 1)
        for (start, _, recorded), (_, _, seen) in zip(subtrees(self._head), subtrees(self._seen), strict=True):
            if recorded != seen:
                return Finding(Problem.REWRITTEN, start + 1)
        return None
