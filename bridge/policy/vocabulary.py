"""The kinds of values that only a policy has: selectors, attributes, templates, identifiers.

They know the attributes of the directory, and say which known name an unknown one is nearest to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from bridge.directory.expression import Comparison, leaves
from bridge.directory.grammar import short_path
from bridge.directory.person import STANDARD_ATTRIBUTES, Attributes, Scalar
from bridge.directory.selector import Selector, parse
from bridge.directory.template import placeholders
from bridge.document import Kind, Value, integer, line, nearest, number, text
from bridge.errors import SelectorError
from bridge.policy.schema import Successor

EVERYONE = parse("active eq true")
RESERVED = "administrators"
"""The room of those who approve; Muster makes it itself."""

_STANDARD = {name.lower() for name in STANDARD_ATTRIBUTES}
_LONGEST_ID = 60
_LARGEST_INTEGER = 2**53  # the largest that JSON carries faithfully


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The kinds of a policy over one directory."""

    attributes: dict[str, str]
    """Lower-case path → the attribute as it is spelt."""

    @staticmethod
    def of(custom: Collection[str]) -> Vocabulary:
        """Return the vocabulary of the standard attributes and the configured ones."""
        return Vocabulary({name.lower(): name for name in (*STANDARD_ATTRIBUTES, *custom)})

    @property
    def selector(self) -> Kind[Selector]:
        """A SCIM filter that asks for known attributes."""
        return Kind(self._selector, lambda: EVERYONE)

    @property
    def attribute(self) -> Kind[str]:
        """The name of a known attribute; its lower-case path is the value."""
        return Kind(self._attribute, lambda: "department")

    @property
    def successor(self) -> Kind[Successor]:
        """The name of an attribute that names a person, or a selector."""
        return Kind(self._successor, Successor)

    @property
    def person_template(self) -> Kind[str]:
        """Text with at least one known attribute in braces."""
        return Kind(self._person_template, str)

    @property
    def person(self) -> Kind[Attributes]:
        """A made-up person: known attributes, each with a value or a list of them."""
        return Kind(self._person, dict)

    def room_template(self, for_each: str | None, *, must: bool) -> Kind[str]:
        """Text for one room; for those of `for_each`, with its value in braces, which it `must` contain if so."""
        return Kind(lambda value: self._room_template(value, for_each, must), str)

    def check(self, value: Value, path: str, *, offset: int | None = None) -> None:
        """Report an attribute that nobody can have."""
        if path not in self.attributes:
            hint = nearest(path, self.attributes.values()) or "; attributes of your own are named in the configuration"
            value.problem(f"unknown attribute `{path}`{hint}", offset=offset)

    def check_value(self, value: Value, path: str, given: Scalar, *, offset: int | None = None) -> None:
        """Report a value that no standard attribute's can equal."""
        if path == "active" and not isinstance(given, bool):
            value.problem(f"`active` is true or false, without quotes; came {given}", offset=offset)
        if path in _STANDARD - {"active"} and not isinstance(given, str):
            name, shown = self.attributes[path], str(given).lower()
            value.problem(f'`{name}` is text: put {shown} in double quotes, "{shown}"', offset=offset)

    def _selector(self, value: Value) -> Selector:
        written = value.scalar("str")
        if written is None:
            value.expected('a selector such as department eq "Sales"')
        try:
            selector = parse(written)
        except SelectorError as error:
            value.refuse(error.message, offset=error.column - 1)
        for leaf in leaves(selector.root):
            self.check(value, leaf.path, offset=leaf.column - 1)
            if isinstance(leaf, Comparison):
                self.check_value(value, leaf.path, leaf.value, offset=leaf.column - 1)
        return selector

    def _attribute(self, value: Value) -> str:
        path = short_path(line.make(value))
        self.check(value, path)
        return path

    def _successor(self, value: Value) -> Successor:
        written = value.scalar("str")
        if written is None:
            value.expected('an attribute such as manager, or a selector such as department eq "IT"')
        if re.search(r"[\s()]", written.strip()):
            return Successor(people=self._selector(value))
        return Successor(attribute=self._attribute(value))

    def _person_template(self, value: Value) -> str:
        template = _template(value)
        if not placeholders(template):
            value.expected("text with an attribute in braces, such as {userName}")
        for path in placeholders(template):
            self.check(value, path)
        return template

    def _room_template(self, value: Value, for_each: str | None, must: bool) -> str:
        template = _template(value)
        paths = placeholders(template)
        if for_each is None:
            if paths:
                value.refuse(
                    f"expected a text without braces, because this is one room without `for_each`, came {value}"
                )
            return template
        allowed = [for_each, "manager.displayname"] if for_each == "manager" else [for_each]
        choices = " or ".join(f"{{{self.attributes.get(path, path)}}}" for path in allowed)
        because = f"the rooms are made for each {self.attributes.get(for_each, for_each)}"
        for path in paths:
            if path not in allowed:
                value.problem(f"expected {choices}, because {because}, came {{{path}}}")
        if must and not paths:
            value.problem(f"expected a text with {choices}, because {because} and would all be called alike")
        return template

    def _person(self, value: Value) -> Attributes:
        made: dict[str, tuple[Scalar, ...]] = {}
        for name, (key, entry) in value.entries().items():
            path = short_path(name)
            self.check(key, path)
            scalar: Kind[Scalar] = Kind(partial(self._scalar, path=path), str)
            made[path] = tuple(scalar.read(item) for item in (entry.items() if entry.is_list else [entry]))
        return made

    def _scalar(self, value: Value, path: str) -> Scalar:
        """Return a value as its attribute has it; what is text in every directory need not be quoted here."""
        if (word := value.scalar("bool")) is not None:
            found: Scalar = word.lower() == "true"
        elif path in _STANDARD or value.scalar("str", "timestamp") is not None:
            found = text.make(value)
        elif value.scalar("int") is not None:
            found = integer(-_LARGEST_INTEGER, _LARGEST_INTEGER).make(value)
        else:
            found = number(-math.inf).make(value)
        self.check_value(value, path, found)
        return found


def identifier(seen: dict[str, int]) -> Kind[str]:
    """Return the kind of identifiers that are not in `seen` (identifier → line), where they are noted."""

    def make(value: Value) -> str:
        name = line.make(value)
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or len(name) > _LONGEST_ID:
            value.expected(f"an id of lower-case letters, digits and `-` (at most {_LONGEST_ID})")
        if name == RESERVED:
            value.refuse(f"`{name}` is reserved: Muster makes that room itself, for those who approve")
        if name in seen:
            value.refuse(f"`{name}` is already an id in line {seen[name]}; spaces, rooms and desks share their ids")
        seen[name] = value.line
        return name

    return Kind(make, str)


def _template(value: Value) -> str:
    template = line.make(value)
    if re.search(r"[{}]", re.sub(r"\{[^{}]+\}", "", template)):
        value.refuse("expected attributes in braces, such as {userName}, came a brace without its partner or its name")
    return template
