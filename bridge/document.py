"""YAML files read strictly, each value with its place: what config and policy have in common.

`read` hands the top mapping to a function that asks for its keys one by one; the code of a section reads like its
documentation. Every problem is collected and reported at once, as `policy.yaml:12:7: error: …`; keys nobody asked for
are refused, with the nearest known one named.

    @dataclass(frozen=True, slots=True)
    class Listen:
        host: str
        port: int

    def listen(section: Section) -> Listen:
        return Listen(
            host=section.optional("host", line, "127.0.0.1"),
            port=section.required("port", integer(1, 65535)),
        )

    def config(section: Section) -> Config:
        return Config(
            homeserver=section.required("homeserver", url),
            listen=section.optional("listen", a(listen), Listen("127.0.0.1", 8080)),
            idle=section.optional("idle", duration, timedelta(minutes=5)),
            scopes=section.optional("scopes", list_of(line), ()),
        )

    settings = read(read_text(Path("config.yaml")), "config.yaml", config)

A *kind* (`line`, `integer(…)`, `list_of(…)`, `a(function)`) makes a value of a YAML node. Where a value is missing or
wrong, its kind's stand-in is used, so that reading goes on; nothing made with a stand-in ever leaves `read`, which
raises `DocumentError`. YAML is 1.2. Pure; reading the file is left to
`bridge.yaml_text`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Generic, Never, TypeVar
from urllib.parse import urlsplit

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bridge.errors import DocumentError, Problem
from bridge.yaml_text import compose, position, source_index

T = TypeVar("T")
D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)

_TAG = "tag:yaml.org,2002:"


def read(text: str, file: str, function: Callable[[Section], T]) -> T:
    """Return what the function makes of the file's top mapping; raise `DocumentError` with every problem."""
    document = _Document(text.removeprefix("\ufeff"), file)
    made = a(function).read(Value(document, compose(document.text, file)))
    if document.problems:
        raise DocumentError(document.problems)
    return made


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """The problem is already noted."""


@dataclass(frozen=True, slots=True)
class _Document:
    text: str
    file: str
    problems: list[Problem] = field(default_factory=list)


class Value:
    """A YAML node on its way to become a value; later, where that value stands."""

    def __init__(self, document: _Document, node: Node, name: str = "", key: Value | None = None) -> None:
        self._document = document
        self.node = node
        self.name = name
        """The key under which it stands; empty at the top and in lists."""
        nowhere = key is not None and node.start_mark.index == node.end_mark.index
        mark = key.node.start_mark if key is not None and nowhere else node.start_mark
        self.line: int = mark.line + 1
        """1-based."""
        self.column: int = mark.column + 1
        """1-based. What is not written stands where its key does."""

    def problem(self, message: str, *, offset: int | None = None) -> None:
        """Report a problem with the value, or with the character at that offset (0-based) of its text."""
        place = self.line, self.column
        if offset is not None:
            place = position(self._document.text, source_index(self._document.text, self.node, offset))
        self._document.problems.append(Problem(self._document.file, *place, message))

    def refuse(self, message: str, *, offset: int | None = None) -> Never:
        """Report a problem and let the stand-in take the value's place."""
        self.problem(message, offset=offset)
        raise _Refused

    def expected(self, what: str) -> Never:
        """Report that something else came."""
        self.refuse(f"expected {what}, came {self}")

    @property
    def is_mapping(self) -> bool:
        """Tell whether there are keys."""
        return isinstance(self.node, MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, SequenceNode)

    def items(self) -> list[Value]:
        """Return the items of a list."""
        if not self.is_list:
            self.expected("a list")
        return [Value(self._document, node) for node in self.node.value]

    def entries(self) -> dict[str, tuple[Value, Value]]:
        """Return the keys of a mapping, in order, each with its own place and its value; report wrong keys."""
        if not isinstance(self.node, MappingNode) or self.node.tag != _TAG + "map":
            self.expected("a mapping (`key: value`)")
        found: dict[str, tuple[Value, Value]] = {}
        for key_node, node in self.node.value:
            key = Value(self._document, key_node)
            name = key.scalar("str", "int", "float", "bool", "timestamp")
            if name is None:
                key.problem(f"expected a key, came {key}")
            elif name in found:
                key.problem(f"the key `{name}` is already given in line {found[name][0].line}")
            else:
                found[name] = key, Value(self._document, node, name, key)
        return found

    def scalar(self, *tags: str) -> str | None:
        """Return the text of a scalar of one of these YAML types, None for anything else."""
        fits = isinstance(self.node, ScalarNode) and self.node.tag in {_TAG + tag for tag in tags}
        return str(self.node.value) if fits else None

    def __str__(self) -> str:
        if not str(self.node.tag).startswith(_TAG):
            return f"the tag {self.node.tag}"
        if isinstance(self.node, MappingNode):
            return "a mapping"
        if self.is_list:
            return "a list"
        if self.node.tag == _TAG + "null":
            return "nothing"
        text = str(self.node.value)
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        return shown if shown.isprintable() and shown.strip() else repr(shown)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How a node becomes a value, and what stands in for one that cannot."""

    make: Callable[[Value], T]
    """Calls `refuse` for a node of the wrong sort."""
    stand_in: Callable[[], T]

    def read(self, value: Value) -> T:
        try:
            return self.make(value)
        except _Refused:
            return self.stand_in()


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value that remembers where it stood, for checks across sections."""

    value: T
    place: Value | None
    """None for a stand-in."""

    def problem(self, message: str, *, offset: int | None = None) -> None:
        """Report a problem with the value, unless it only is a stand-in."""
        if self.place is not None:
            self.place.problem(message, offset=offset)


class Section:
    """A mapping whose keys are known: those that are asked for.

    A section of nothing stands in for one that could not be read: it has every value's stand-in and reports nothing.
    """

    def __init__(self, value: Value | None) -> None:
        self.place = value
        """None for a section of nothing."""
        self._entries = {} if value is None else value.entries()
        self._known: dict[str, None] = {}
        self.name = "" if value is None else value.name
        """The key under which it stands in its mapping; empty at the top and in lists."""

    def required(self, key: str, kind: Kind[T]) -> T:
        """Return the value of a key that must be there."""
        self._known[key] = None
        if key in self._entries:
            return kind.read(self._entries[key][1])
        if self.place is not None:
            self.place.problem(f"`{key}` is missing")
        return kind.stand_in()

    def optional(self, key: str, kind: Kind[T], default: D) -> T | D:
        """Return the value of a key, or the default when the key is not there."""
        self._known[key] = None
        return kind.read(self._entries[key][1]) if key in self._entries else default

    def problem(self, message: str, *, key: str = "") -> None:
        """Report a problem with the value of a key, or with the section as a whole."""
        where = self._entries[key][1] if key in self._entries else self.place
        if where is not None:
            where.problem(message)

    def finish(self) -> None:
        """Refuse the keys nobody asked for."""
        for key, (place, _) in self._entries.items():
            if key not in self._known:
                place.problem(f"unknown key `{key}`{nearest(key, self._known)}")


def nearest(word: str, known: Collection[str]) -> str:
    """Return the end of an error message: which of the known words was probably meant, or which there are."""
    listed = f"; expected one of: {', '.join(known)}" if 0 < len(known) <= 12 else ""
    return _probably(word, known) or listed


def placed(kind: Kind[T]) -> Kind[Placed[T]]:
    """Return the kind of the same values with their places."""
    return Kind(lambda value: Placed(kind.make(value), value), lambda: Placed(kind.stand_in(), None))


def a(function: Callable[[Section], T]) -> Kind[T]:
    """Return the kind of what a function makes of a mapping with known keys."""

    def make(value: Value) -> T:
        section = Section(value)
        made = function(section)
        section.finish()
        return made

    return Kind(make, lambda: function(Section(None)))


def list_of(kind: Kind[T], *, least: int = 0) -> Kind[tuple[T, ...]]:
    """Return the kind of lists of at least so many items; each wrong item is reported."""

    def make(value: Value) -> tuple[T, ...]:
        if len(items := value.items()) < least:
            value.refuse(f"expected at least {least} in the list, came {len(items)}")
        return tuple(kind.read(item) for item in items)

    return Kind(make, tuple)


def mapping_of(kind: Kind[T], key: Kind[str] | None = None) -> Kind[dict[str, T]]:
    """Return the kind of mappings with free keys, which must be of the kind `key` where one is given."""

    def make(value: Value) -> dict[str, T]:
        made = {}
        for name, (place, entry) in value.entries().items():
            if key is not None:
                key.read(place)
            made[name] = kind.read(entry)
        return made

    return Kind(make, dict)


# The kinds of scalars


def _written(value: Value) -> str:
    found = value.scalar("str", "int", "float", "timestamp")
    if found is None:
        value.expected("text" if value.scalar("bool") is None else "text (put it in quotes if it is meant as text)")
    return found


def _line(value: Value) -> str:
    found = _written(value).strip()
    if not found:
        value.expected("some text")
    if not found.isprintable():
        value.refuse("expected one line of text without control characters")
    return found


def _boolean(value: Value) -> bool:
    found = value.scalar("bool")
    if found is None:
        value.expected("true or false")
    return found.lower() == "true"


def _duration(value: Value) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", _written(value))
    if match is None:
        value.expected("a duration such as 90s, 5m, 12h, 30d or 2w")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _url(value: Value) -> str:
    found = _line(value)
    try:
        parts = urlsplit(found)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or " " in found:
        value.expected("an address such as https://matrix.example.org")
    return found


text = Kind(_written, str)
"""Text of any length and shape; numbers and dates are taken as they are written."""
line = Kind(_line, str)
"""One line of text, not empty, without space around it."""
boolean = Kind(_boolean, bool)
duration = Kind(_duration, timedelta)
"""`90s`, `5m`, `12h`, `30d`, `2w`."""
url = Kind(_url, str)
"""An http or https address."""
path = Kind(lambda value: Path(_line(value)), Path)
"""A path as it is written; who uses it knows what it is relative to."""


def integer(low: int, high: int | None = None) -> Kind[int]:
    """Return the kind of whole numbers from `low` to `high`, both included."""
    return Kind(lambda value: int(_bounded(value, r"[-+]?\d{1,18}", "whole number", low, high)), lambda: low)


def number(low: float, high: float | None = None) -> Kind[float]:
    """Return the kind of numbers from `low` to `high`, both included."""
    pattern = r"[-+]?\d*\.?\d+([eE][-+]?\d+)?"
    return Kind(lambda value: float(_bounded(value, pattern, "number", low, high)), lambda: low)


def choice(*allowed: E) -> Kind[E]:
    """Return the kind of these words."""

    def make(value: Value) -> E:
        found = value.scalar("str")
        for each in allowed:
            if found == each.value:
                return each
        words = [each.value for each in allowed]
        value.refuse(f"expected {' or '.join(words)}, came {value}{_probably(found or '', words)}")

    return Kind(make, lambda: allowed[0])


def matching(pattern: str, what: str) -> Kind[str]:
    """Return the kind of one-line texts that match a regular expression; `what` describes them in the error."""

    def make(value: Value) -> str:
        found = _line(value)
        if not re.fullmatch(pattern, found):
            value.expected(what)
        return found

    return Kind(make, str)


def _bounded(value: Value, pattern: str, what: str, low: float, high: float | None) -> str:
    found = value.scalar("int", "float") or ""
    if not re.fullmatch(pattern, found) or not low <= float(found) <= (math.inf if high is None else high):
        value.expected(f"a {what} from {low:g} {'on' if high is None else f'to {high:g}'}")
    return found


def _probably(word: str, known: Collection[str]) -> str:
    by_folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean `{by_folded[close[0]]}`?" if close else ""
