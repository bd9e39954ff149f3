"""Texts with attributes in braces, such as `{displayName} · {title}`, filled for one person or room.

Pure. Whether the names in braces exist is checked when the policy is loaded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from bridge.directory.person import Scalar

Lookup = Callable[[str], tuple[Scalar, ...] | None]
"""From a lower-case attribute path to its values, such as the `get` of `Attributes`."""
NAME_MAX = 256
"""Synapse refuses longer display names (`MAX_DISPLAYNAME_LEN`)."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_BRACKETS = {"(": ")", "[": "]", "<": ">", "«": "»", "“": "”"}


def placeholders(template: str) -> tuple[str, ...]:
    """Return the attribute paths that the template names, in lower case, in order."""
    return _parsed(template)[1]


def fill(template: str, values_of: Lookup) -> str:
    """Fill the template; an attribute without a value drops together with the separator before it.

    The first of several values counts. Where nothing stands before an absent attribute, the separator behind it
    goes; a bracket that would stay empty goes too: `{displayName} ({title})`.
    """
    literals, paths = _parsed(template)
    text, separator = "", literals[0]
    for path, after in zip(paths, literals[1:], strict=True):
        values = values_of(path)
        if value := _as_text(values[0]) if values else "":
            text, separator = text + separator + value, after
        else:
            separator = _without(separator, after, first=not text)
    return text + separator


def display_name(template: str, values_of: Lookup) -> str:
    """Return the person's display name: one line, at most 256 characters, never empty.

    Falls back to `displayName`, then `userName`, then `id`.
    """
    for candidate in (template, "{displayName}", "{userName}", "{id}"):
        if name := one_line(fill(candidate, values_of)):
            return name
    return "?"


def one_line(text: str) -> str:
    """Return the text as one printable line of at most 256 characters; runs of white space become one space."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(char) in _INVISIBLE else char for char in text)
    return " ".join(text.split())[:NAME_MAX].rstrip()


@lru_cache(maxsize=512)
def _parsed(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the literals and, one fewer, the attribute paths between them."""
    parts = _PLACEHOLDER.split(template)
    return tuple(parts[0::2]), tuple(path.strip().lower() for path in parts[1::2])


def _as_text(value: Scalar) -> str:
    return value.strip() if isinstance(value, str) else str(value).lower()


def _without(before: str, after: str, *, first: bool) -> str:
    """Return what is left of the texts around an absent attribute."""
    closing = _BRACKETS.get(before.rstrip()[-1:])
    if closing is not None:
        return after.lstrip()[1:] if after.lstrip().startswith(closing) else before
    return before if first else after


_INVISIBLE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, lone surrogates, unassigned, line ends. Joiners and direction marks (Cf) belong to names."""
