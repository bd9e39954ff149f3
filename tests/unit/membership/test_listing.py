"""The order in which a space lists what it has."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.directory.selector import parse
from bridge.membership.listing import behind, listings_of
from bridge.policy.schema import Space


@given(st.text(max_size=80))
@example("営業" * 30)
def test_an_order_is_one_that_the_specification_allows(name: str) -> None:
    """At most 50 characters from the space to `~`, whatever a room is called, and behind its place in the list."""
    order = behind("10001", name)
    assert re.fullmatch(r"[ -~]{1,50}", order)
    assert "10001" < order < "10002"


def test_rooms_of_one_rule_are_ordered_by_name() -> None:
    """Without regard to case and accents; letters of other scripts in the order of their alphabet."""
    names = ("Ärzte", "bureau", "Éditions", "Sales", "sales 2", "Бухгалтерия", "бюро", "Продажи", "営業")
    assert sorted(set(names), key=lambda name: behind("10001", name)) == list(names)


@given(st.integers(1, 300), st.integers(1, 300))
def test_children_are_in_the_order_listed(spaces: int, rooms: int) -> None:
    """The spaces first, then the rooms, however many there are."""
    inner, listed = [f"s{number}" for number in range(spaces)], [f"r{number}" for number in range(rooms)]
    found = listings_of([Space("company", "Company", parse("title pr"), tuple(listed), tuple(inner))])
    assert sorted(found, key=lambda child: found[child].order) == [*inner, *listed]
