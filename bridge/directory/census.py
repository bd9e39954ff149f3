"""Everybody at one moment, by row, and sets of people as one integer.

A `Census` numbers the people in the order in which they were given; a `PeopleSet` has bit *n* set when the person in
row *n* belongs to it, so that rules about a hundred thousand people are a few operations on integers. Sets of
different censuses must not be mixed. What attributes people have is `person`'s, what equals what is `expression`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from operator import and_, attrgetter, or_
from typing import ClassVar

from bridge.directory.bitmap import BitSlicedIndex, bits_of, rows_of
from bridge.directory.expression import COMPARE, Comparison, Negation, Node, Presence, prepared
from bridge.directory.local_day import DayOf
from bridge.directory.person import EMPLOYMENT_FIELDS, OWN_FIELDS, Employment, Person, Scalar
from bridge.directory.selector import Selector
from bridge.ids import PersonId


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """A set of rows of one census."""

    bits: int = 0

    none: ClassVar[PeopleSet]

    @staticmethod
    def of(rows: Iterable[int]) -> PeopleSet:
        """Return the set of these rows, in any order."""
        return PeopleSet(bits_of(rows if isinstance(rows, list) else list(rows)))

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
        return rows_of(self.bits)

    def __repr__(self) -> str:
        shown = ", ".join(str(row) for row, _ in zip(self, range(10), strict=False))
        return f"PeopleSet({shown}{', …' if len(self) > 10 else ''})"


PeopleSet.none = PeopleSet()


class Census:
    """The people of one moment and the answers to what selectors ask about them.

    `day_of` settles for each person which employments count. Answers are remembered, so one census is of one moment.
    """

    def __init__(self, people: Sequence[Person], day_of: DayOf) -> None:
        self.people = tuple(people)
        self.day_of = day_of
        self.everyone = PeopleSet((1 << len(self.people)) - 1)
        self._indexes: dict[str, _Index] = {}
        self._answers: dict[str, int] = {}

    def person(self, row: int) -> Person:
        """Return the person in that row."""
        return self.people[row]

    def row(self, person: PersonId) -> int | None:
        """Return the row of a person, None when the census does not know that id."""
        return self._rows.get(person)

    @cached_property
    def active(self) -> PeopleSet:
        """Those who work here."""
        return self.everyone - PeopleSet.of(self._jobs.idle)

    def select(self, selector: Selector) -> PeopleSet:
        """Return everybody whom the selector matches, working here or not; `selector.matches` for each of them."""
        return PeopleSet(self._answer(selector.root))

    def by_value(self, path: str) -> Mapping[str, PeopleSet]:
        """Return who has which value of an attribute (lower-case path), sorted by value, as text.

        Values that differ only by case are one; of its spellings the alphabetically first stands for it.
        """
        return {spelling: PeopleSet(bits) for spelling, bits in sorted(self._index(path).spelled().items())}

    @cached_property
    def _rows(self) -> dict[PersonId, int]:
        return {person.id: row for row, person in enumerate(self.people)}

    @cached_property
    def _jobs(self) -> _Jobs:
        return _jobs_on(self.people, self.day_of)

    def _answer(self, node: Node) -> int:
        bits = self._answers.get(node.normal)
        if bits is None:
            bits = self._answers[node.normal] = self._work_out(node)
        return bits

    def _work_out(self, node: Node) -> int:
        if isinstance(node, Comparison):
            if node.normal == "active eq true":  # asked by nearly every rule, and known without an index
                return self.active.bits
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

    def _values(self, path: str) -> BitSlicedIndex[_Key]:
        """Index what `values_of` says, a column at a time."""
        if path == "active":
            return BitSlicedIndex(_key(row in self.active) for row in range(len(self.people)))
        if path in OWN_FIELDS:
            return BitSlicedIndex(map(attrgetter(OWN_FIELDS[path]), self.people))
        if path in EMPLOYMENT_FIELDS:
            of = attrgetter(EMPLOYMENT_FIELDS[path])
            further = ((row, of(job)) for row, job in self._jobs.further)
            return BitSlicedIndex(map(of, self._jobs.first), (pair for pair in further if pair[1] is not None))
        return self._other_values(path)

    def _other_values(self, path: str) -> BitSlicedIndex[_Key]:
        first: list[_Key | None] = []
        further: list[tuple[int, _Key]] = []
        for row, person in enumerate(self.people):
            values = person.other.get(path)
            if values:
                value = values[0]
                first.append(value if value.__class__ is str else _key(value))
                if len(values) > 1:
                    further.extend((row, _key(other)) for other in values[1:])
            else:
                first.append(None)
        return BitSlicedIndex(first, further)


_Key = str | tuple[type, Scalar]
"""A value that is equal to no value of another type; in Python True == 1."""


def _key(value: Scalar) -> _Key:
    return value if isinstance(value, str) else (type(value), value)


@dataclass(frozen=True, slots=True)
class _Jobs:
    """Who works here, and at what: the first job of everybody (an empty one for those without), and the others."""

    idle: list[int]
    """The rows of those who do not work here."""
    first: list[Employment]
    further: list[tuple[int, Employment]]


def _jobs_on(people: Sequence[Person], day_of: DayOf) -> _Jobs:
    first: list[Employment] = []
    further: list[tuple[int, Employment]] = []
    idle: list[int] = []
    for row, person in enumerate(people):
        job, works = _NO_JOB, person.active
        if len(person.employments) == 1:
            # Asking every job would be a tenth of all deciding, and most have no dates.
            only = person.employments[0]
            if (only.start is None and only.end is None) or only.covers(day_of(person)):
                job = only
            else:
                works = False
        elif person.employments:
            day = day_of(person)
            jobs = [each for each in person.employments if each.covers(day)]
            job, works = (jobs[0], works) if jobs else (_NO_JOB, False)
            further.extend((row, each) for each in jobs[1:])
        first.append(job)
        if not works:
            idle.append(row)
    return _Jobs(idle, first, further)


_NO_JOB = Employment()


class _Index:
    """Which people have which values of one attribute, as selectors compare them."""

    def __init__(self, path: str, index: BitSlicedIndex[_Key]) -> None:
        self._path = path
        self._index = index
        self._kinds: dict[str, dict[Scalar, dict[str, int]]] = {"text": {}, "number": {}, "boolean": {}}
        """Kind → comparable value → its spellings, each with its number in the index."""
        for value, number in index.values.items():
            scalar = value if isinstance(value, str) else value[1]
            kind, key = prepared(path, scalar)
            self._kinds[kind].setdefault(key, {})[_spelled(scalar)] = number

    def compared(self, operator: str, value: Scalar) -> int:
        """Return who has a value that compares so with the given one."""
        kind, asked = prepared(self._path, value)
        if operator == "eq":
            return self._index.rows_with([*self._kinds[kind].get(asked, {}).values()])
        holds = COMPARE[operator]
        spellings = (spellings for key, spellings in self._kinds[kind].items() if holds(key, asked))
        return self._index.rows_with([number for each in spellings for number in each.values()])

    def present(self) -> int:
        """Return who has any value but the empty text."""
        return self._index.rows_with([number for value, number in self._index.values.items() if value != ""])

    def spelled(self) -> dict[str, int]:
        """Return every value but the empty text, in the first of its spellings, and who has it."""
        found: dict[str, int] = {}
        for spellings in chain.from_iterable(keys.values() for keys in self._kinds.values()):
            for number in spellings.values():
                found[min(spellings)] = found.get(min(spellings), 0) | self._index.rows_with([number])
        found.pop("", None)
        return found


def _spelled(value: Scalar) -> str:
    """Return a value as people write it: `true`, `7`, `Sales`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
