"""Selectors: which people a rule is about, written as SCIM filters (RFC 7644 section 3.4.2.2).

`department eq "Sales" and not (userType eq "Contractor")`. `parse` reads a text, `matches` asks it of one person's
attributes, `Census.select` of everybody; `grammar` has the rules of writing, `expression` those of comparing. Whether
an attribute exists is for the policy's loader to say: here every name is a fair question, and an absent attribute
equals nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.directory.expression import COMPARE, Comparison, Negation, Node, Presence, joined, leaves, prepared
from bridge.directory.grammar import read
from bridge.directory.person import Attributes


@dataclass(frozen=True, slots=True)
class Selector:
    """A question about people; equal texts are equal selectors. Made by `parse`."""

    text: str
    """As it was written."""
    root: Node = field(repr=False, compare=False)

    @property
    def normal(self) -> str:
        """The canonical text: two selectors with the same one ask the same."""
        return self.root.normal

    @property
    def attributes(self) -> frozenset[str]:
        """The lower-case paths it asks for."""
        return frozenset(leaf.path for leaf in leaves(self.root))

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Selector:
    """Return the selector of a text; raise `SelectorError`, which knows the column, when it is not a filter."""
    return Selector(text, read(text))


def any_of(selectors: Iterable[Selector]) -> Selector:
    """Return the selector of everybody whom at least one of the selectors (there must be one) matches."""
    return _joined("or", selectors)


def all_of(selectors: Iterable[Selector]) -> Selector:
    """Return the selector of everybody whom each of the selectors (there must be one) matches."""
    return _joined("and", selectors)


def matches(selector: Selector, attributes: Attributes) -> bool:
    """Tell whether somebody with these attributes is meant.

    Text is compared without regard to case, except `id` and `externalId`; of several values any may satisfy a
    comparison; `ne` holds when no value is equal, so also for an absent attribute; values of different kinds are
    never equal.
    """
    return _holds(selector.root, attributes)


def _holds(node: Node, attributes: Attributes) -> bool:
    if isinstance(node, Comparison):
        if node.operator == "ne":
            return not _compares(node, "eq", attributes)
        return _compares(node, node.operator, attributes)
    if isinstance(node, Presence):
        return any(value != "" for value in attributes.get(node.path, ()))
    if isinstance(node, Negation):
        return not _holds(node.term, attributes)
    answers = (_holds(term, attributes) for term in node.terms)
    return all(answers) if node.word == "and" else any(answers)


def _compares(node: Comparison, operator: str, attributes: Attributes) -> bool:
    asked_kind, asked = prepared(node.path, node.value)
    return any(
        kind == asked_kind and COMPARE[operator](value, asked)
        for kind, value in (prepared(node.path, value) for value in attributes.get(node.path, ()))
    )


def _joined(word: str, selectors: Iterable[Selector]) -> Selector:
    distinct = tuple({selector.normal: selector for selector in selectors}.values())
    if len(distinct) == 1:
        return distinct[0]
    text = f" {word} ".join(f"({selector.text})" for selector in distinct)
    return Selector(text, joined(word, tuple(selector.root for selector in distinct)))
