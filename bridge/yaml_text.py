"""A file → its text → its YAML 1.2 node graph, or the one problem that makes it none; and where a character stands.

On ruamel.yaml's composer, whose nodes know their places. A file cannot make more of itself through aliases than
`MOST_VALUES`. What the values mean is `document`'s.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from bridge.errors import DocumentError, Problem

LARGEST = 1024 * 1024
"""Bytes a file may have."""
MOST_VALUES = 100_000
"""Values a file may have when its aliases are written out."""


def read_text(file: Path) -> str:
    """Return the text of a file in UTF-8; raise `DocumentError` when it cannot be had."""
    try:
        with file.open("rb") as stream:
            octets = stream.read(LARGEST + 1)
    except OSError as error:
        raise unreadable(str(file), f"cannot be read: {error.strerror or error}") from error
    if len(octets) > LARGEST:
        raise unreadable(str(file), f"expected at most {LARGEST} bytes, came more")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        before = octets[: error.start].decode("utf-8")
        problem = Problem(str(file), *position(before, len(before)), "expected text in UTF-8; save the file as UTF-8")
        raise DocumentError([problem]) from error


def compose(text: str, file: str) -> Node:
    """Return the top node of a text; raise `DocumentError` when there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            node: Node | None = YAML(typ="safe", pure=True).compose(text)
        too_many = node is not None and _size(node, {}) > MOST_VALUES
    except MarkedYAMLError as error:
        raise DocumentError([_syntax_problem(file, error)]) from error
    except ReaderError as error:
        place = position(text, error.position)
        message = f"a control character (U+{error.character:04X}) must not stand here"
        raise DocumentError([Problem(file, *place, message)]) from error
    except YAMLError as error:
        raise unreadable(file, str(error).strip().splitlines()[0]) from error
    except RecursionError as error:
        raise unreadable(file, "values are nested too deeply, or an alias (`*…`) contains itself") from error
    if node is None:
        raise unreadable(file, "expected a mapping (`key: value`), came an empty file")
    if too_many:
        raise unreadable(file, f"expected at most {MOST_VALUES} values, its aliases (`*…`) make more")
    return node


def _size(node: Node, known: dict[int, int]) -> int:
    """Count the values under a node, aliases written out; a node inside itself ends in a RecursionError."""
    if isinstance(node, ScalarNode):
        return 1
    if id(node) not in known:
        parts = node.value if isinstance(node, SequenceNode) else [part for entry in node.value for part in entry]
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def _syntax_problem(file: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context)
    if "'\\t'" in problem:
        problem = "a tab; YAML is indented with spaces"
    elif problem.startswith("mapping values are not allowed"):
        problem = "a `:` must not stand here; put a text that contains `: ` in quotes, and check the indentation"
    return Problem(file, mark.line + 1, mark.column + 1, f"not YAML: {problem}")


def position(text: str, index: int) -> tuple[int, int]:
    """Return line and column, 1-based, of a character."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def source_index(text: str, node: Node, offset: int) -> int:
    """Return where in the file the character at an offset of a scalar's value stands.

    Quotes, escapes, indentation and folding are in the file and not in the value, space apart; so the value's
    characters are looked for one after the other.
    """
    index, end = int(node.start_mark.index), int(node.end_mark.index)
    style = getattr(node, "style", None)
    index = text.find("\n", index, end) if style in ("|", ">") else index + (style is not None)
    for character in str(node.value)[:offset]:
        if not character.isspace():
            index = text.find(character, index, end) + 1
            if not index:
                return int(node.start_mark.index)
    while index < end and text[index].isspace():
        index += 1
    return index


def unreadable(file: str, message: str) -> DocumentError:
    """Return the error for a file that has a problem as a whole."""
    return DocumentError([Problem(file, 0, 0, message)])
