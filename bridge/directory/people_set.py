"""Sets of people as compressed bitmaps of row numbers (Roaring; Lemire and others, 2016).

What a row is, the census knows; sets of different censuses must not be mixed. A set of a few people takes a few bytes
however many people there are, and a set of half of a million takes one bit for each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from pyroaring import FrozenBitMap

_NO_ROWS = FrozenBitMap()


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """A set of rows of one census."""

    rows: FrozenBitMap = _NO_ROWS

    none: ClassVar[PeopleSet]

    @staticmethod
    def of(rows: Iterable[int]) -> PeopleSet:
        """Return the set of these rows, in any order."""
        return PeopleSet(FrozenBitMap(rows))

    @staticmethod
    def union(sets: Iterable[PeopleSet]) -> PeopleSet:
        """Return who is in at least one of the sets."""
        bitmaps = [each.rows for each in sets if each.rows]
        if len(bitmaps) > 1:
            return PeopleSet(FrozenBitMap.union(*bitmaps))
        return PeopleSet(bitmaps[0]) if bitmaps else PeopleSet.none

    def __and__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.rows & other.rows) if self.rows else self

    def __or__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.rows | other.rows)

    def __xor__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.rows ^ other.rows)

    def __sub__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.rows - other.rows) if self.rows else self

    def __len__(self) -> int:
        return len(self.rows)

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __contains__(self, row: int) -> bool:
        return row in self.rows

    def __iter__(self) -> Iterator[int]:
        """Yield the rows in ascending order."""
        return iter(self.rows.to_array())

    def __repr__(self) -> str:
        shown = ", ".join(map(str, self.rows[:10]))
        return f"PeopleSet({shown}{', …' if len(self) > 10 else ''})"


PeopleSet.none = PeopleSet()
