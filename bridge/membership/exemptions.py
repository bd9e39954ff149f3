"""Whom a rule admits or keeps out by exception, today. Pure.

Exceptions stand in the policy and in a table of their own; here they are one. Each ends when its last day is over where
the person works, and none admits somebody who does not work here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.people_set import PeopleSet
from bridge.policy.schema import Exemption


@dataclass(frozen=True, slots=True)
class Exempt:
    """Whom the exceptions of one room concern."""

    admitted: PeopleSet = PeopleSet.none
    excluded: PeopleSet = PeopleSet.none
    because: dict[int, str] = field(default_factory=dict)
    """Row → why, in words for the audit log."""
    deciding: dict[int, Exemption] = field(default_factory=dict)
    """Row → the one of several exceptions that counts."""

    def applied(self, members: PeopleSet) -> PeopleSet:
        """Return who is in the room that would have these members."""
        return (members | self.admitted) - self.excluded if self.because else members


NOBODY = Exempt()


class Exemptions:
    """The exceptions of one rule, whether they are over or not."""

    def __init__(self, listed: Iterable[Exemption], census: Census) -> None:
        self._by_value: defaultdict[str, list[Exemption]] = defaultdict(list)
        self._census = census
        for each in listed:
            self._by_value[fold(each.value)].append(each)

    @property
    def exclude(self) -> bool:
        """Tell whether somebody is, or was, kept out, who must not come in through the space."""
        return any(not each.adds for listed in self._by_value.values() for each in listed)

    def values(self) -> Collection[str]:
        """Return the values of `for_each` whose rooms admit somebody of the census by exception."""
        listed = {each.value for each in self._by_value_named() if each.adds}
        return sorted(value for value in listed if self.of(value).admitted)

    def of(self, value: str) -> Exempt:
        """Return whom the exceptions of one room concern today; those without a value are about every room."""
        if not self._by_value:
            return NOBODY
        of_all = (each for each in self._by_value.get("", ()) if not (value and each.adds))
        listed = [*of_all, *(self._by_value.get(fold(value), ()) if value else ())]
        if not listed:
            return NOBODY
        admitted, excluded, because = PeopleSet.none, PeopleSet.none, dict[int, str]()
        deciding: dict[int, Exemption] = {}
        for each in sorted(listed, key=lambda one: (not one.adds, one.until)):
            for row in self._census.named(each.person) & self._census.active:
                if self._census.day_of(self._census.person(row)) <= each.until:
                    one = PeopleSet.of([row])
                    admitted, excluded = (admitted | one, excluded) if each.adds else (admitted, excluded | one)
                    because[row] = f"exception until {each.until}, owner {each.owner}: {each.reason}"
                    deciding[row] = each
        return Exempt(admitted, excluded, because, deciding)

    def _by_value_named(self) -> list[Exemption]:
        return [each for value, listed in self._by_value.items() if value for each in listed]
