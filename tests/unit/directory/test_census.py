"""A census answers for everybody at once what `matches` answers for one."""

from __future__ import annotations

import pickle
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory import attribute_index
from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Employment, Person, attributes_of, values_of, works_here
from bridge.directory.selector import matches, parse
from bridge.ids import PersonId
from tests.unit.directory.people import DAY, people, selector_texts

crowds = st.builds(range, st.integers(0, 300), st.integers(300, 900)).map(set)
row_sets: st.SearchStrategy[set[int]] = st.sets(st.integers(0, 5_000)) | crowds


@given(people, st.lists(selector_texts, min_size=1, max_size=4))
def test_selecting_finds_exactly_those_who_match(staff: list[Person], texts: list[str]) -> None:
    """The index and the predicate are two ways to one answer."""
    census = Census(staff, everywhere(DAY))
    for selector in map(parse, texts):
        meant = [row for row, person in enumerate(staff) if matches(selector, attributes_of(person, DAY))]
        assert list(census.select(selector)) == meant


@given(people, selector_texts)
def test_values_of_many_people_are_kept_another_way_with_the_same_answer(staff: list[Person], text: str) -> None:
    """Few rows are a list and many a bitmap; what they answer is the same."""
    expected = Census(staff, everywhere(DAY)).select(parse(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribute_index, "_FEW", 1)
        assert Census(staff, everywhere(DAY)).select(parse(text)) == expected


@given(people)
def test_everyone_and_those_who_work_here(staff: list[Person]) -> None:
    """`active` is `works_here` of each, and what `active eq true` asks."""
    census = Census(staff, everywhere(DAY))
    assert list(census.everyone) == list(range(len(staff)))
    assert [row in census.active for row in range(len(staff))] == [works_here(person, DAY) for person in staff]
    assert census.select(parse("active eq true")) == census.active


@given(people, st.sampled_from(("department", "manager", "groups", "shift", "username", "active")))
def test_values_divide_the_people_whatever_their_order(staff: list[Person], path: str) -> None:
    """Each value but the empty one has those who have it; spellings that differ by case are one, the first of them."""
    by_value = Census(staff, everywhere(DAY)).by_value(path)
    for value, holders in by_value.items():
        assert value
        assert holders
        if all(isinstance(each, str) for person in staff for each in values_of(person, path, DAY)):
            question = parse(f'{path} eq "{value}"')
            assert holders == Census(staff, everywhere(DAY)).select(question)
    united = PeopleSet.none
    for holders in by_value.values():
        united |= holders
    assert united == Census(staff, everywhere(DAY)).select(parse(f"{path} pr"))
    backwards = Census(staff[::-1], everywhere(DAY)).by_value(path)
    assert list(backwards) == list(by_value)
    assert [len(holders) for holders in backwards.values()] == [len(holders) for holders in by_value.values()]


@pytest.mark.parametrize("order", [1, -1])
def test_the_first_spelling_stands_for_all(order: int) -> None:
    """Whichever person comes first."""
    staff = [
        Person(PersonId(word), word, word, active=True, employments=(Employment(department=word),))
        for word in ("sales", "Sales", "SALES", "IT")
    ]
    by_value = Census(staff[::order], everywhere(DAY)).by_value("department")
    assert {value: len(holders) for value, holders in by_value.items()} == {"IT": 1, "SALES": 3}


def test_an_attribute_without_a_value_is_absent() -> None:
    """Neither an empty list from HR nor a missing employment makes an attribute."""
    person = Person(PersonId("a"), "a", "A", active=True, other={"groups": (), "shift": ("x",)})
    assert set(attributes_of(person, DAY)) == {"id", "username", "displayname", "active", "shift"}


@given(people)
def test_one_attribute_is_what_all_attributes_say_of_it(staff: list[Person]) -> None:
    """`values_of` and `attributes_of` agree."""
    for person in staff:
        attributes = attributes_of(person, DAY)
        for path in {*attributes, "department", "active", "externalid", "shift", "nobodyhasthis"}:
            assert values_of(person, path, DAY) == attributes.get(path, ())


def test_only_employments_of_the_day_count() -> None:
    """Somebody who moves departments is in the one that holds on the day of the census, or in both."""
    jobs = (
        Employment(end=date(2027, 3, 1), department="Sales"),
        Employment(start=date(2027, 3, 1), department="Research"),
    )
    mover = Person(PersonId("m"), "mover", "Mover", active=True, employments=jobs)
    found = {
        day: [*Census([mover], everywhere(date(2027, *day))).by_value("department")]
        for day in ((2, 28), (3, 1), (3, 2))
    }
    assert found == {(2, 28): ["Sales"], (3, 1): ["Research", "Sales"], (3, 2): ["Research"]}


def test_a_census_knows_rows_and_people() -> None:
    """Rows are the order of the people; an unknown id has none."""
    staff = [Person(PersonId(str(number)), f"u{number}", "", active=True) for number in range(3)]
    census = Census(staff, everywhere(DAY))
    assert census.person(1) is staff[1]
    assert census.row(PersonId("2")) == 2
    assert census.row(PersonId("3")) is None
    assert not Census([], everywhere(DAY)).everyone


@given(row_sets, row_sets)
def test_people_sets_are_sets(left: set[int], right: set[int]) -> None:
    """Every operation is that of the sets of rows; iteration ascends."""
    one, two = PeopleSet.of(left), PeopleSet.of(sorted(right, reverse=True))
    assert list(one) == sorted(left)
    assert list(one & two) == sorted(left & right)
    assert list(one | two) == sorted(left | right)
    assert list(one - two) == sorted(left - right)
    assert list(one ^ two) == sorted(left ^ right)
    assert len(one) == len(left)
    assert bool(one) == bool(left)
    assert (one == two) == (left == right)
    assert hash(one) == hash(PeopleSet.of(sorted(left)))
    assert all((row in one) == (row in left) for row in range(50))
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - our own bytes


@pytest.mark.parametrize("rows", [[], [0], [99_999], range(0, 100_000, 3), range(0, 100_000, 40), range(100_000)])
def test_sets_of_every_density_give_back_their_rows(rows: range) -> None:
    """Few, some or all of a large company: each is read in its own way."""
    assert list(PeopleSet.of(rows)) == list(rows)


def test_a_people_set_prints_its_first_rows() -> None:
    """A failing test should not print a megabyte."""
    assert repr(PeopleSet.of([2, 1])) == "PeopleSet(1, 2)"
    assert repr(PeopleSet.of(range(50))) == "PeopleSet(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …)"
