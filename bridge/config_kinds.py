"""Kinds of values that several sections of the configuration have."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from bridge import document
from bridge.document import Kind, Value, duration, line, matching

KEY_HINT: Final = "expected $VARIABLE or the path of a file that holds"

source_name = matching(r"[a-z0-9][a-z0-9_-]{0,63}", "a name of small letters, digits, - and _")
"""What an administrator calls a source."""


def or_nothing(kind: Kind[document.T]) -> Kind[document.T | None]:
    """Return the kind of the same values, or `null`."""

    def make(value: Value) -> document.T | None:
        return None if value.scalar("null") is not None else kind.make(value)

    return Kind(make, lambda: None)


def secret(folder: Path, read: Callable[[str], document.T], stand_in: Callable[[], document.T]) -> Kind[document.T]:
    """Return the kind of secrets that are not in the file itself but in a variable or a file; no message repeats one.

    `read` makes a value of the text, or raises ValueError with what was expected.
    """

    def make(value: Value) -> document.T:
        where = line.make(value)
        if where.startswith("whsec_"):
            value.refuse(f"{KEY_HINT} the key, came the key itself")
        if where.startswith("$"):
            text = os.environ.get(where[1:], "")
            if not text:
                value.refuse(f"expected the environment variable `{where[1:]}` to hold a key; it is not set")
        else:
            try:
                text = (folder / where).read_text(encoding="utf-8")
            except (OSError, ValueError):
                value.refuse(f"{KEY_HINT} a key; there is none that can be read")
        try:
            return read(text)
        except ValueError as error:
            value.refuse(str(error))

    return Kind(make, stand_in)


def at_least(shortest: timedelta, written: str) -> Kind[timedelta]:
    """Return the kind of durations that are not shorter; `written` is how the shortest is written."""

    def make(value: Value) -> timedelta:
        found = duration.make(value)
        if found < shortest:
            value.expected(f"at least {written}")
        return found

    return Kind(make, lambda: shortest)
