"""What the policy asks of people for a room, and what the directory answers and since when. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from bridge.directory.expression import Node, compared, fold, joined, leaves
from bridge.directory.history import HistoryEntry
from bridge.directory.person import Attributes, Scalar, values_of
from bridge.directory.selector import Selector, any_of, matches
from bridge.membership.desired import ADMINISTRATORS, name_now
from bridge.policy.schema import Policy, Room


@dataclass(frozen=True, slots=True)
class Question:
    """Where the policy asks who is in a room, and what."""

    rule: str
    selector: Selector


@dataclass(frozen=True, slots=True)
class Source:
    """Who said something of a person, and when."""

    source: str
    """`scim:<token name>`, `csv:<file name>` and so on."""
    at: str
    """ISO 8601, UTC: when it was recorded."""
    version: int
    """The directory version that it made."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One comparison of a selector, what the directory says to it, and who said so."""

    asked: str
    holds: bool
    attribute: str
    values: tuple[str, ...]
    source: Source | None


def question_of(key: str, policy: Policy, value: str | None = None) -> Question | None:
    """Return the question of the rule that makes this room; None when no rule makes it (any more).

    `value` is that of `for_each` which the room is for, where it is not the one in the key.
    """
    rule, slash, own = key.partition("/")
    if slash and (room := policy.rooms.get(rule)) is not None and room.for_each is not None:
        node = joined("and", (_for_value(room, room.for_each, value or own), room.members.root))
        return Question(f"rooms.{rule}", Selector(node.normal, node))
    if rule in policy.rooms:
        return Question(f"rooms.{rule}", policy.rooms[rule].members)
    if rule in policy.spaces:
        return Question(f"spaces.{rule}", policy.spaces[rule].members)
    if rule in policy.desks:
        return Question(f"announcements.{rule}", policy.desks[rule].posters)
    if key == ADMINISTRATORS and policy.brake.approvers:
        return Question("brake.approvers", any_of(policy.brake.approvers))
    return None


def _for_value(room: Room, for_each: str, value: str) -> Node:
    """Return what makes somebody one of a value's people: to have it, or one that is called so by now."""
    path = "groups.value" if for_each == "groups" else for_each
    former = [
        old for old in room.renamed if fold(old) != fold(value) and fold(name_now(old, room.renamed)) == fold(value)
    ]
    asked = tuple(compared(path, "eq", each) for each in (value, *former))
    return joined("or", asked) if former else asked[0]


def answers(selector: Selector, attributes: Attributes, history: Sequence[HistoryEntry], day: date) -> Iterator[Answer]:
    """Yield the answer to each comparison, in the order of the text; `history` is in the order of recording."""
    for leaf in leaves(selector.root):
        values = tuple(_shown(value) for value in attributes.get(leaf.path, ()))
        said = source_of(leaf.path, history, day)
        yield Answer(leaf.normal, matches(Selector(leaf.normal, leaf), attributes), leaf.path, values, said)


def source_of(path: str, history: Sequence[HistoryEntry], day: date) -> Source | None:
    """Return who first said of that day what is known of it now, and has not been contradicted since."""
    own = "manager" if path == "manager.displayname" else path
    first: HistoryEntry | None = None
    for entry in reversed(history):
        if first is not None and values_of(entry.person, own, day) != values_of(first.person, own, day):
            break
        first = entry
    return as_source(first) if first is not None else None


def as_source(entry: HistoryEntry) -> Source:
    """Return who made this state of a person, and when."""
    return Source(entry.source, entry.recorded_at.isoformat(timespec="seconds"), entry.version)


def _shown(value: Scalar) -> str:
    """Return a value as a selector would name it, without the quotes of a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
