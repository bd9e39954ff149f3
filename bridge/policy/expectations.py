"""The policy's own tests: whom they make up, and which rooms they speak of."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bridge.document import Kind, Placed, Section, Value, choice, line, list_of, mapping_of, nearest, placed
from bridge.policy import room_section
from bridge.policy.schema import PolicyTest, Room, RuleId
from bridge.policy.settings import Rank
from bridge.policy.vocabulary import RESERVED, Vocabulary


class Expectations:
    """Reads the tests, and knows the rooms they speak of once all rooms are known."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._keys: tuple[Placed[str], ...] = ()

    def read(self, section: Section) -> PolicyTest:
        """Read one test."""
        given = section.required("given", self._vocabulary.person)
        expected = section.optional("in", list_of(placed(line)), ())
        unexpected = section.optional("not_in", list_of(placed(line)), ())
        self._keys += (*expected, *unexpected)
        power = section.optional("power", mapping_of(choice(*Rank), Kind(self._expect, str)), {})
        company = section.optional("with", list_of(self._vocabulary.person), ())
        day = section.optional("day", room_section.day, None)
        if not expected and not unexpected and not power:
            section.problem("this test expects nothing; say `in`, `not_in` or `power`")
        return PolicyTest(
            given=given,
            in_rooms=tuple(key.value for key in expected),
            not_in_rooms=tuple(key.value for key in unexpected),
            line=section.place.line if section.place else 0,
            column=section.place.column if section.place else 0,
            power=power,
            company=company,
            day=day,
        )

    def check(self, rooms: Mapping[RuleId, Room], others: Collection[RuleId]) -> None:
        """Refuse room keys that no rule can make: that nobody is in a misspelt room proves nothing."""
        known = (*rooms, *others, RESERVED)
        for key in self._keys:
            rule, _, value = key.value.partition("/")
            for_each = rooms[rule].for_each if rule in rooms else None
            if rule not in known:
                key.problem(f"there is no room, space or desk `{rule}`{nearest(rule, known)}")
            elif for_each is not None and not value:
                key.problem(f"`{rule}` makes a room for each {for_each}: write `{rule}/` and the value")
            elif for_each is None and value:
                key.problem(f"`{rule}` is one room: write `{rule}`")

    def _expect(self, value: Value) -> str:
        """Take the key of a room that a test speaks of."""
        key = placed(line).make(value)
        self._keys += (key,)
        return key.value
