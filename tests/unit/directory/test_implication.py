"""What words alone tell of who is among whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.implication import implies
from bridge.directory.person import Attributes
from bridge.directory.selector import Selector, matches, parse

LEAVES = ("title pr", 'title eq "a"', 'department eq "b"', 'not (division eq "c")', 'department ne "b"')
selectors = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
        lambda it: f"({it[0]}) {it[1]} ({it[2]})"
    ),
    max_leaves=6,
).map(parse)
people: st.SearchStrategy[Attributes] = st.dictionaries(
    st.sampled_from(["title", "department", "division"]), st.sampled_from([("a",), ("b",), ("c",), ("b", "c")])
)


@given(selectors, selectors, people)
def test_whom_one_matches_the_implied_one_matches(one: Selector, other: Selector, person: Attributes) -> None:
    """It is told only when it is sure."""
    if implies(one, other) and matches(one, person):
        assert matches(other, person)


@given(selectors, selectors)
def test_asking_more_implies_and_asking_less_is_implied(one: Selector, other: Selector) -> None:
    """What `and` adds narrows, what `or` adds widens."""
    assert implies(one, one)
    assert implies(parse(f"({one.text}) and ({other.text})"), one)
    assert implies(one, parse(f"({one.text}) or ({other.text})"))


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ('title pr and department eq "b"', "title pr", True),
        ("title pr", 'title pr and department eq "b"', False),
        ("title pr", "active eq true", True),
        ('title pr and department eq "b"', "active eq true and title pr", True),
        ('title pr and (department eq "b" or department eq "c")', 'department eq "c" or department eq "b"', True),
        ('title eq "a"', "title pr", False),
    ],
)
def test_conjunctions_and_disjunctions_are_taken_apart(one: str, other: str, told: bool) -> None:
    """In whatever order they are written; what values mean is not looked at."""
    assert implies(parse(one), parse(other)) is told
