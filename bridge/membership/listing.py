"""Which spaces list a room, and where among the others. Pure.

Clients sort what a space lists by the `order` of its `m.space.child` (Matrix specification, "Ordering of children
within a space"): text of at most 50 characters between space and `~`, compared character by character. Here the spaces
of a space come first, then its rooms, both as the policy lists them; the rooms of a `for_each` rule by name.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.ids import RoomKey
from bridge.policy.schema import RuleId, Space

_LONGEST = 50
_DIGITS = 95
"""The characters that an order may hold, counted from the space on."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a rule's rooms, or a space, are listed."""

    parents: tuple[RoomKey, ...] = ()
    """Sorted."""
    order: tuple[str, ...] = ()
    """The place in each of the parents."""


Listings = Mapping[RuleId, Listing]
NOWHERE = Listing()


def listings_of(spaces: Iterable[Space]) -> Listings:
    """Return for each rule and each space where it is listed."""
    listed: defaultdict[RuleId, dict[RoomKey, str]] = defaultdict(dict)
    for space in spaces:
        for kind, children in enumerate((space.spaces, space.rooms)):
            for number, child in enumerate(children, 1):
                listed[child][RoomKey(space.id)] = f"{kind}{number:04d}"
    return {child: Listing(*zip(*sorted(places.items()), strict=True)) for child, places in listed.items()}


def behind(place: str, name: str) -> str:
    """Return the order of a room with this name among those that share a place in the list.

    Case and accents do not count. Other letters than those of ASCII come after them, each written as four characters.
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    letters = (_written(each) for each in plain if each.isprintable() and unicodedata.category(each) != "Mn")
    return f"{place} {''.join(letters)}"[:_LONGEST]


def _written(letter: str) -> str:
    if letter.isascii():
        return letter
    rest, last = divmod(ord(letter), _DIGITS)
    first, middle = divmod(rest, _DIGITS)
    return "~" + "".join(chr(0x20 + digit) for digit in (first, middle, last))
