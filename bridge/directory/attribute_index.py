"""Who has which value of one attribute, as selectors compare them.

Pure. What the people's values are is for the census to say; what equals what is `expression`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain

from bridge.directory.expression import COMPARE, prepared
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Scalar

Key = str | tuple[type, Scalar]
"""A value that is equal to no value of another type; in Python True == 1."""

_FEW = 16
"""Up to so many rows are kept as a list until they are asked for: a bitmap for each userName would take more room."""


def key_of(value: Scalar) -> Key:
    """Return what an index has instead of the value."""
    return value if isinstance(value, str) else (type(value), value)


class AttributeIndex:
    """The rows of each value; `first` has one value for each row, None where there is none, `further` the others."""

    def __init__(self, path: str, first: Iterable[Key | None], further: Iterable[tuple[int, Key]] = ()) -> None:
        self._path = path
        rows_of: defaultdict[Key | None, list[int]] = defaultdict(list)
        for row, value in enumerate(first):
            rows_of[value].append(row)
        for row, value in further:
            rows_of[value].append(row)
        rows_of.pop(None, None)
        self._rows: dict[Key, PeopleSet | list[int]] = {
            key: PeopleSet.of(rows) if len(rows) > _FEW else rows for key, rows in rows_of.items() if key is not None
        }

    def compared(self, operator: str, value: Scalar) -> PeopleSet:
        """Return who has a value that compares so with the given one."""
        kind, asked = prepared(self._path, value)
        if operator == "eq":
            return self._having(self._kinds[kind].get(asked, ()))
        holds = COMPARE[operator]
        return self._having(chain.from_iterable(keys for each, keys in self._kinds[kind].items() if holds(each, asked)))

    def present(self) -> PeopleSet:
        """Return who has any value but the empty text."""
        return self._having(key for key in self._rows if key != "")

    def spelled(self) -> dict[str, PeopleSet]:
        """Return every value but the empty text, in the first of its spellings, and who has it."""
        found: defaultdict[str, list[Key]] = defaultdict(list)
        for keys in chain.from_iterable(kind.values() for kind in self._kinds.values()):
            found[min(map(_spelled, keys))] += keys
        found.pop("", None)
        return {spelling: self._having(keys) for spelling, keys in found.items()}

    @cached_property
    def _kinds(self) -> dict[str, dict[Scalar, Sequence[Key]]]:
        """Kind → comparable value → the values that are it, which differ in spelling."""
        kinds: dict[str, dict[Scalar, list[Key]]] = {"text": {}, "number": {}, "boolean": {}}
        for key in self._rows:
            kind, comparable = prepared(self._path, key if isinstance(key, str) else key[1])
            kinds[kind].setdefault(comparable, []).append(key)
        return {kind: dict(keys) for kind, keys in kinds.items()}

    def _having(self, keys: Iterable[Key]) -> PeopleSet:
        """Return who has one of these values."""
        sets, few = list[PeopleSet](), list[int]()
        for key in keys:
            rows = self._rows[key]
            if isinstance(rows, list):
                few += rows
            else:
                sets.append(rows)
        if few:
            sets.append(PeopleSet.of(few))
        if len(sets) > 1:
            return PeopleSet.union(sets)
        return sets[0] if sets else PeopleSet.none


def _spelled(key: Key) -> str:
    """Return a value as people write it: `true`, `7`, `Sales`."""
    value = key if isinstance(key, str) else key[1]
    return str(value).lower() if isinstance(value, bool) else str(value)
