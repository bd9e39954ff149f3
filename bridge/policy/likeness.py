"""Somebody just like a made-up person, but on the other side of a barrier. Pure.

A barrier says that both its sides exist; so a test of a policy must reckon with somebody of the other side whom the
same rules ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from bridge.directory.expression import Comparison, Negation, Node, Presence
from bridge.directory.person import Scalar
from bridge.directory.selector import Selector, matches

Given = Mapping[str, tuple[Scalar, ...]]
_TRIED = 256
_OWN = frozenset({"id", "username", "externalid", "displayname"})
"""What tells people apart, and whom exceptions name."""


def likeness(given: Given, own: Selector, other: Selector) -> Given | None:
    """Return attributes like these with which `other` holds and `own` does not; None where none are found."""
    plain = {path: values for path, values in given.items() if path not in _OWN}
    for found in islice(_satisfying(other.root, plain, holds=True), _TRIED):
        attributes = {"active": (True,), **found}
        if matches(other, attributes) and not matches(own, attributes):
            return found
    return None


def _satisfying(node: Node, given: Given, *, holds: bool) -> Iterator[Given]:
    """Yield attributes with which the node may hold, or not; whether it does is for the caller to ask."""
    if isinstance(node, Negation):
        yield from _satisfying(node.term, given, holds=not holds)
    elif isinstance(node, Presence):
        yield given if bool(given.get(node.path)) is holds else _changed(given, node.path, "x" if holds else None)
    elif isinstance(node, Comparison):
        equal = (node.operator != "ne") is holds
        yield _changed(given, node.path, node.value if equal else None)
        if node.operator in ("gt", "lt"):
            yield _changed(given, node.path, _beyond(node.value, up=(node.operator == "gt") is holds))
    elif (node.word == "and") is holds:
        yield from _all(node.terms, given, holds=holds)
    else:
        for term in node.terms:
            yield from _satisfying(term, given, holds=holds)


def _all(terms: tuple[Node, ...], given: Given, *, holds: bool) -> Iterator[Given]:
    if not terms:
        yield given
        return
    for found in _satisfying(terms[0], given, holds=holds):
        yield from _all(terms[1:], found, holds=holds)


def _changed(given: Given, path: str, value: Scalar | None) -> Given:
    others = {other: values for other, values in given.items() if other != path}
    return others if value is None else {**others, path: (value,)}


def _beyond(value: Scalar, *, up: bool) -> Scalar:
    if isinstance(value, str):
        return f"{value}z" if up else ""
    return value + 1 if up else value - 1
