"""Everybody at one moment, by row, and which of them a selector means.

A `Census` numbers the people in the order in which they were given; answers are sets of these numbers, so that rules
about a hundred thousand people are a few operations on bitmaps. What attributes people have is `person`'s, who has
which value `attribute_index`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from operator import and_, attrgetter

from bridge.directory.attribute_index import AttributeIndex, Key, key_of
from bridge.directory.expression import Comparison, Negation, Node, Presence
from bridge.directory.local_day import DayOf
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import EMPLOYMENT_FIELDS, OWN_FIELDS, Employment, Person
from bridge.directory.selector import Selector
from bridge.ids import PersonId


class Census:
    """The people of one moment and the answers to what selectors ask about them.

    `day_of` settles for each person which employments count. Answers are remembered, so one census is of one moment.
    """

    def __init__(self, people: Sequence[Person], day_of: DayOf) -> None:
        self.people = tuple(people)
        self.day_of = day_of
        self.everyone = PeopleSet.of(range(len(self.people)))
        self._indexes: dict[str, AttributeIndex] = {}
        self._answers: dict[str, PeopleSet] = {}

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
        return self._answer(selector.root)

    def named(self, name: str) -> PeopleSet:
        """Return whom an id or a userName, in which case does not matter, is of: one, or nobody."""
        row = self.row(PersonId(name))
        return PeopleSet.of([row]) if row is not None else self._index("username").compared("eq", name)

    def by_value(self, path: str) -> Mapping[str, PeopleSet]:
        """Return who has which value of an attribute (lower-case path), sorted by value, as text.

        Values that differ only by case are one; of its spellings the alphabetically first stands for it.
        """
        return dict(sorted(self._index(path).spelled().items()))

    def managers(self, people: PeopleSet, levels: int) -> PeopleSet:
        """Return who stands so many levels above one of the people, each step being from somebody to a manager.

        A circle of managers is gone round as often as there are levels; nobody is their own manager.
        """
        for _ in range(levels):
            above = chain.from_iterable(map(self._managers_of.__getitem__, people))
            people = PeopleSet.of(above)
        return people

    @cached_property
    def _managers_of(self) -> list[tuple[int, ...]]:
        """By row, the rows of the managers."""
        found: list[tuple[int, ...]] = [
            (row,) if row is not None else () for row in map(self._manager_row, self._jobs.first)
        ]
        for row, job in self._jobs.further:
            above = self._manager_row(job)
            if above is not None:
                found[row] += (above,)
        return [tuple(above for above in rows if above != row) for row, rows in enumerate(found)]

    def _manager_row(self, job: Employment) -> int | None:
        return self._rows.get(job.manager) if job.manager is not None else None

    @cached_property
    def _rows(self) -> dict[PersonId, int]:
        return {person.id: row for row, person in enumerate(self.people)}

    @cached_property
    def _jobs(self) -> _Jobs:
        return _jobs_on(self.people, self.day_of)

    def _answer(self, node: Node) -> PeopleSet:
        answer = self._answers.get(node.normal)
        if answer is None:
            answer = self._answers[node.normal] = self._work_out(node)
        return answer

    def _work_out(self, node: Node) -> PeopleSet:
        if isinstance(node, Comparison):
            if node.normal == "active eq true":  # asked by nearly every rule, and known without an index
                return self.active
            if node.operator == "ne":
                return self.everyone - self._index(node.path).compared("eq", node.value)
            return self._index(node.path).compared(node.operator, node.value)
        if isinstance(node, Presence):
            return self._index(node.path).present()
        if isinstance(node, Negation):
            return self.everyone - self._answer(node.term)
        answers = map(self._answer, node.terms)
        return reduce(and_, answers) if node.word == "and" else PeopleSet.union(answers)

    def _index(self, path: str) -> AttributeIndex:
        index = self._indexes.get(path)
        if index is None:
            index = self._indexes[path] = self._indexed(path)
        return index

    def _indexed(self, path: str) -> AttributeIndex:
        """Index what `values_of` says, a column at a time."""
        if path == "active":
            return AttributeIndex(path, (key_of(row in self.active) for row in range(len(self.people))))
        if path in OWN_FIELDS:
            return AttributeIndex(path, map(attrgetter(OWN_FIELDS[path]), self.people))
        if path in EMPLOYMENT_FIELDS:
            of = attrgetter(EMPLOYMENT_FIELDS[path])
            further = ((row, of(job)) for row, job in self._jobs.further)
            return AttributeIndex(path, map(of, self._jobs.first), (pair for pair in further if pair[1] is not None))
        return AttributeIndex(path, *self._other_values(path))

    def _other_values(self, path: str) -> tuple[list[Key | None], list[tuple[int, Key]]]:
        first: list[Key | None] = []
        further: list[tuple[int, Key]] = []
        for row, person in enumerate(self.people):
            values = person.other.get(path)
            if values:
                value = values[0]
                first.append(value if value.__class__ is str else key_of(value))
                if len(values) > 1:
                    further.extend((row, key_of(other)) for other in values[1:])
            else:
                first.append(None)
        return first, further


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
