"""Everybody on one day, by row, and sets of people as one integer.

A `Census` numbers the people in the order in which they were given; a `PeopleSet` has bit *n* set when the person in
row *n* belongs to it, so that rules about a hundred thousand people are a few operations on integers. Sets of
different censuses must not be mixed. What attributes people have is `person`'s, what equals what is `expression`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce
from itertools import chain, compress, count
from operator import and_, attrgetter, or_
from typing import ClassVar

from bridge.directory.expression import COMPARE, Comparison, Negation, Node, Presence, prepared
from bridge.directory.person import EMPLOYMENT_FIELDS, Employment, Person, Scalar, values_of
from bridge.directory.selector import Selector
from bridge.ids import PersonId

_OFFSETS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))
_DIGITS_TO_BITS = bytes.maketrans(b"01", b"\x00\x01")
_OCCUPIED = re.compile(rb"[^\x00]+")
_DENSE = 24
"""From one row in so many on, going through every row in C beats going through the members in Python."""
_FEW = 64
"""A value that fewer people share is kept as a list of rows; a bitmap for each would take the memory of a large
company squared."""


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """A set of rows of one census."""

    bits: int = 0

    none: ClassVar[PeopleSet]

    @staticmethod
    def of(rows: Iterable[int]) -> PeopleSet:
        """Return the set of these rows, in any order."""
        return PeopleSet(_bits_of(rows if isinstance(rows, list) else list(rows)))

    def __and__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.bits & other.bits)

    def __or__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.bits | other.bits)

    def __xor__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.bits ^ other.bits)

    def __sub__(self, other: PeopleSet) -> PeopleSet:
        return PeopleSet(self.bits & ~other.bits)

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return self.bits != 0

    def __contains__(self, row: int) -> bool:
        return bool(self.bits >> row & 1)

    def __iter__(self) -> Iterator[int]:
        """Yield the rows in ascending order."""
        if len(self) * _DENSE < self.bits.bit_length():
            return _sparse_rows(self.bits)
        digits = format(self.bits, "b").encode()[::-1].translate(_DIGITS_TO_BITS)
        return compress(count(), digits)

    def __repr__(self) -> str:
        shown = ", ".join(str(row) for row, _ in zip(self, range(10), strict=False))
        return f"PeopleSet({shown}{', …' if len(self) > 10 else ''})"


PeopleSet.none = PeopleSet()


class Census:
    """The people of one moment and the answers to what selectors ask about them.

    `day` settles which employments count. Answers are remembered, so ask one census everything about one day.
    """

    def __init__(self, people: Sequence[Person], day: date) -> None:
        self.people = tuple(people)
        self.day = day
        self.everyone = PeopleSet((1 << len(self.people)) - 1)
        self._indexes: dict[str, _Index] = {}
        self._answers: dict[str, int] = {}

    def person(self, row: int) -> Person:
        """Return the person in that row."""
        return self.people[row]

    def row(self, person: PersonId) -> int | None:
        """Return the row of a person, None when the census does not know that id."""
        return self._rows.get(person)

    @property
    def active(self) -> PeopleSet:
        """Those who work here on that day."""
        return self._jobs.active

    def select(self, selector: Selector) -> PeopleSet:
        """Return everybody whom the selector matches, working here or not; `selector.matches` for each of them."""
        return PeopleSet(self._answer(selector.root))

    def by_value(self, path: str) -> Mapping[str, PeopleSet]:
        """Return who has which value of an attribute (lower-case path), sorted by value, as text.

        Values that differ only by case are one; of its spellings the alphabetically first stands for it.
        """
        values: dict[str, int] = {}
        for spelling, bits in self._index(path).spelled():
            values[spelling] = values.get(spelling, 0) | bits
        return {spelling: PeopleSet(values[spelling]) for spelling in sorted(values)}

    @cached_property
    def _rows(self) -> dict[PersonId, int]:
        return {person.id: row for row, person in enumerate(self.people)}

    @cached_property
    def _jobs(self) -> _Jobs:
        return _jobs_on(self.people, self.day)

    def _answer(self, node: Node) -> int:
        bits = self._answers.get(node.normal)
        if bits is None:
            bits = self._answers[node.normal] = self._work_out(node)
        return bits

    def _work_out(self, node: Node) -> int:
        if isinstance(node, Comparison):
            if node.operator == "ne":
                return self.everyone.bits & ~self._index(node.path).compared("eq", node.value)
            return self._index(node.path).compared(node.operator, node.value)
        if isinstance(node, Presence):
            return self._index(node.path).present()
        if isinstance(node, Negation):
            return self.everyone.bits & ~self._answer(node.term)
        return reduce(and_ if node.word == "and" else or_, map(self._answer, node.terms))

    def _index(self, path: str) -> _Index:
        index = self._indexes.get(path)
        if index is None:
            index = self._indexes[path] = _Index(path, self._values(path))
        return index

    def _values(self, path: str) -> Iterable[tuple[Scalar, list[int]]]:
        """Return the distinct values of an attribute, each with the rows of those who have it."""
        if path in EMPLOYMENT_FIELDS:
            return self._employment_values(path)
        grouped: dict[tuple[type, Scalar], list[int]] = {}
        if path == "active":
            others = self.everyone - self.active
            return [(value, list(rows)) for value, rows in ((True, self.active), (False, others)) if rows]
        for row, person in enumerate(self.people):
            for value in values_of(person, path, self.day):
                # True == 1 in Python, and they are different values here.
                grouped.setdefault((value.__class__, value), []).append(row)
        return [(value, rows) for (_, value), rows in grouped.items()]

    def _employment_values(self, path: str) -> Iterable[tuple[Scalar, list[int]]]:
        """The same for what an employment says. Nearly everybody has one job, so these are grouped without detour."""
        grouped: dict[Scalar | None, list[int]] = {}
        field: Callable[[Employment], Scalar | None] = attrgetter(EMPLOYMENT_FIELDS[path])
        for row, value in zip(self._jobs.single_rows, map(field, self._jobs.single), strict=True):
            try:
                grouped[value].append(row)
            except KeyError:
                grouped[value] = [row]
        for row in chain(grouped.pop(None, ()), self._jobs.other_rows):
            for other in values_of(self.people[row], path, self.day):
                grouped.setdefault(other, []).append(row)
        return [(value, rows) for value, rows in grouped.items() if value is not None]


@dataclass(frozen=True, slots=True)
class _Jobs:
    """Who works on a day: those with exactly one employment then, with it, and the rows of all others."""

    active: PeopleSet
    single_rows: list[int]
    single: list[Employment]
    other_rows: list[int]


def _jobs_on(people: Sequence[Person], day: date) -> _Jobs:
    active, single_rows, single, others = [], [], [], []
    for row, person in enumerate(people):
        # `Employment.covers`, spelled out: called a hundred thousand times it would be a fifth of all deciding.
        jobs = [
            job
            for job in person.employments
            if ((start := job.start) is None or start <= day) and ((end := job.end) is None or day <= end)
        ]
        if person.active and (jobs or not person.employments):
            active.append(row)
        if len(jobs) == 1:
            single_rows.append(row)
            single.append(jobs[0])
        else:
            others.append(row)
    return _Jobs(PeopleSet.of(active), single_rows, single, others)


class _Index:
    """One attribute: kind of value → comparable value → who has it."""

    def __init__(self, path: str, values: Iterable[tuple[Scalar, list[int]]]) -> None:
        self._path = path
        self._kinds: dict[str, dict[Scalar, _Holders]] = {"text": {}, "number": {}, "boolean": {}}
        for value, rows in values:
            kind, key = prepared(path, value)
            known = self._kinds[kind].get(key)
            spelling = value if isinstance(value, str) else str(value).lower()
            self._kinds[kind][key] = _Holders(spelling, rows) if known is None else known.joined(spelling, rows)

    def compared(self, operator: str, value: Scalar) -> int:
        """Return who has a value that compares so with the given one."""
        kind, asked = prepared(self._path, value)
        holders = self._kinds[kind]
        if operator == "eq":
            return holders[asked].bits if asked in holders else 0
        compare = COMPARE[operator]
        return _united([each for key, each in holders.items() if compare(key, asked)])

    def present(self) -> int:
        """Return who has any value but the empty text."""
        return _united([each for holders in self._kinds.values() for key, each in holders.items() if key != ""])

    def spelled(self) -> Iterator[tuple[str, int]]:
        """Yield every value but the empty text in its spelling, and who has it."""
        for holders in self._kinds.values():
            for each in holders.values():
                if each.spelling:
                    yield each.spelling, each.bits


class _Holders:
    """Those who share a value."""

    __slots__ = ("_bits", "rows", "spelling")

    def __init__(self, spelling: str, rows: list[int]) -> None:
        self.spelling = spelling
        self.rows = rows
        self._bits: int | None = None

    @property
    def bits(self) -> int:
        if self._bits is None:
            bits = _bits_of(self.rows)
            if len(self.rows) < _FEW:
                return bits
            self._bits = bits
        return self._bits

    def joined(self, spelling: str, rows: list[int]) -> _Holders:
        return _Holders(min(self.spelling, spelling), self.rows + rows)


def _united(holders: Sequence[_Holders]) -> int:
    rare = [each.rows for each in holders if len(each.rows) < _FEW]
    return reduce(or_, (each.bits for each in holders if len(each.rows) >= _FEW), _bits_of(list(chain(*rare))))


def _bits_of(rows: list[int]) -> int:
    """Set one bit for each row; much quicker than shifting, which copies the whole integer for every row."""
    if not rows:
        return 0
    size = max(rows) + 1
    if len(rows) * _DENSE < size:
        octets = bytearray((size + 7) // 8)
        for row in rows:
            octets[row >> 3] |= 1 << (row & 7)
        return int.from_bytes(octets, "little")
    digits = bytearray(b"0") * size
    for row in rows:
        digits[row] = 49
    digits.reverse()
    return int(digits, 2)


def _sparse_rows(bits: int) -> Iterator[int]:
    octets = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    for run in _OCCUPIED.finditer(octets):
        for position, octet in enumerate(run.group(), run.start()):
            for offset in _OFFSETS[octet]:
                yield position * 8 + offset
