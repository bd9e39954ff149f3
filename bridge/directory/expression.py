"""What a selector asks, as a small tree, and how one value answers.

A `Node` knows its canonical text (`normal`), which also is its identity: equal texts are equal questions. `grammar`
makes the tree of a text; `selector` asks it of one person, `census` of everybody at once. Both go through `prepared`
and `COMPARE`, so they cannot disagree about what is equal.
"""

from __future__ import annotations

import json
import operator
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.directory.person import Scalar

CASE_EXACT = frozenset({"id", "externalid"})
"""Attributes whose text is compared as it stands (RFC 7643, `caseExact`); every other ignores case."""

Prepared = tuple[str, Any]
"""Kind (`text`, `number` or `boolean`) and the value in the form in which values of that kind are compared."""

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
"""Operator → whether a person's value and the asked one, both prepared and of one kind, satisfy it. `ne` is: no value
is `eq`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path operator value`, such as `department eq "Sales"`."""

    normal: str
    path: str
    operator: str
    value: Scalar
    column: int
    """1-based column of the path in the selector's text."""


@dataclass(frozen=True, slots=True)
class Presence:
    """`path pr`: the attribute has a value that is not the empty text."""

    normal: str
    path: str
    column: int


@dataclass(frozen=True, slots=True)
class Negation:
    """`not (term)`."""

    normal: str
    term: Node


@dataclass(frozen=True, slots=True)
class Junction:
    """Two or more terms that must `and` hold all, or `or` at least one; a term is no junction by the same word."""

    normal: str
    word: str
    terms: tuple[Node, ...]


Node = Comparison | Presence | Negation | Junction


def compared(path: str, operator: str, value: Scalar, column: int = 1) -> Comparison:
    """Return the node that compares an attribute with a value."""
    text = json.dumps(value, ensure_ascii=False)
    return Comparison(f"{path} {operator} {text}", path, operator, value, column)


def present(path: str, column: int = 1) -> Presence:
    """Return the node that asks whether an attribute has a value."""
    return Presence(f"{path} pr", path, column)


def negated(term: Node) -> Node:
    """Return the opposite of a node; twice is not at all."""
    return term.term if isinstance(term, Negation) else Negation(f"not ({term.normal})", term)


def joined(word: str, terms: tuple[Node, ...]) -> Node:
    """Return the terms joined by `and` or `or`; inner junctions by the same word are unfolded."""
    flat = tuple(part for term in terms for part in _parts(word, term))
    if len(flat) == 1:
        return flat[0]
    return Junction(f" {word} ".join(_enclosed(part) for part in flat), word, flat)


def leaves(node: Node) -> Iterator[Comparison | Presence]:
    """Yield every comparison and presence test, in the order of the text."""
    if isinstance(node, Comparison | Presence):
        yield node
        return
    for term in (node.term,) if isinstance(node, Negation) else node.terms:
        yield from leaves(term)


def fold(text: str) -> str:
    """Return the form of a text in which case and Unicode composition make no difference."""
    if text.isascii():
        return text.casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def prepared(path: str, value: Scalar) -> Prepared:
    """Return the kind of a value and its comparable form; values of different kinds are never equal."""
    if isinstance(value, str):
        return "text", value if path in CASE_EXACT else fold(value)
    return ("boolean" if isinstance(value, bool) else "number"), value


def _parts(word: str, term: Node) -> tuple[Node, ...]:
    return term.terms if isinstance(term, Junction) and term.word == word else (term,)


def _enclosed(term: Node) -> str:
    """`and` binds tighter than `or`, so only an `or` inside an `and` needs its parentheses."""
    return f"({term.normal})" if isinstance(term, Junction) and term.word == "or" else term.normal
