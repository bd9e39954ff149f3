"""Who may be whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.identity import manager_cycles
from bridge.directory.person import Employment, Person
from bridge.ids import PersonId

IDS = [PersonId(letter) for letter in "abcdef"]


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from([*IDS, PersonId("stranger")])))
def test_circles_of_managers_are_found(managers: dict[PersonId, PersonId]) -> None:
    """Somebody is in a circle exactly when the way up leads back; each is in one, and it closes."""
    people = [Person(each, each, each, True, employments=(Employment(manager=managers.get(each)),)) for each in IDS]
    inside = set()
    for start in IDS:
        person, steps = managers.get(start), 0
        while person is not None and person != start and steps < len(IDS):
            person, steps = managers.get(person), steps + 1
        if person == start:
            inside.add(start)

    circles = manager_cycles(people)
    found = [person.id for circle in circles for person in circle]
    assert sorted(found) == sorted(inside)
    for circle in circles:
        for each, boss in zip(circle, (*circle[1:], circle[0]), strict=True):
            assert managers[each.id] == boss.id
        assert circle[0].id == min(person.id for person in circle)


@given(st.dictionaries(st.sampled_from(IDS), st.lists(st.sampled_from(IDS), max_size=3)))
def test_circles_of_managers_of_several_jobs_are_found(managers: dict[PersonId, list[PersonId]]) -> None:
    """Whoever can be reached from himself over the managers of any job is in a circle that closes, and nobody else."""
    people = [
        Person(each, each, each, True, employments=tuple(Employment(manager=boss) for boss in managers.get(each, ())))
        for each in IDS
    ]
    inside = set()
    for start in IDS:
        reached: set[PersonId] = set()
        ways = list(managers.get(start, ()))
        while ways:
            person = ways.pop()
            if person not in reached:
                reached.add(person)
                ways.extend(managers.get(person, ()))
        if start in reached:
            inside.add(start)

    circles = manager_cycles(people)
    assert {person.id for circle in circles for person in circle} == inside
    for circle in circles:
        for each, boss in zip(circle, (*circle[1:], circle[0]), strict=True):
            assert boss.id in managers[each.id]
