"""JSON as it arrives from a homeserver: of any depth, with numbers of any length.

Python's decoder gives up at a depth of about a thousand and at integers of more than 4,300 digits, and anybody in a
room may send such an event; a transaction or page that holds one must be read all the same.
"""

from __future__ import annotations

import json
import re
from typing import Any

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
_INTEGER = re.compile(r"-?[0-9]+")


def decode(text: bytes) -> Any:
    """Read JSON; raises `ValueError` when it is not JSON in UTF-8.

    As by `json.loads`, but lone surrogates may stand as bytes, and an integer too long for Python becomes a float.
    """
    characters = text.decode("utf-8", "surrogatepass")
    try:
        return json.loads(characters)
    except json.JSONDecodeError:
        raise
    except (RecursionError, ValueError):  # nested too deep for Python's decoder, or too many digits
        return _Reader(characters).read()


class _Reader:
    """A JSON reader that keeps the open arrays and objects in a list."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def read(self) -> Any:
        """Return the one value of the text."""
        root: list[Any] = []
        target: list[Any] | dict[str, Any] = root
        outer: list[list[Any] | dict[str, Any]] = []
        while True:
            value = self._member(target)
            if isinstance(value, list | dict) and not self._closed(value):
                outer.append(target)
                target = value
                continue
            while target is not root and self._closed(target):
                target = outer.pop()
            if target is root:
                break
            self._take(",")
        if self._peek():
            raise self._error("Extra data")
        return root[0]

    def _member(self, target: list[Any] | dict[str, Any]) -> object:
        """Read the next scalar, or the beginning of an array or object, into `target`."""
        if isinstance(target, list):
            value = self._value()
            target.append(value)
            return value
        if self._peek() != '"':
            raise self._error("Expecting property name enclosed in double quotes")
        key = self._scalar()
        self._take(":")
        value = self._value()
        target[str(key)] = value
        return value

    def _value(self) -> object:
        if self._took("["):
            return []
        if self._took("{"):
            return {}
        return self._scalar()

    def _scalar(self) -> object:
        try:
            value, self._place = _DECODER.raw_decode(self._text, self._place)
        except json.JSONDecodeError:
            raise
        except ValueError:  # more digits than Python reads
            digits = _INTEGER.match(self._text, self._place)
            assert digits is not None
            self._place = digits.end()
            return float(digits[0])
        return value

    def _closed(self, value: list[Any] | dict[str, Any]) -> bool:
        return self._took("]" if isinstance(value, list) else "}")

    def _peek(self) -> str:
        """Return the next character behind blanks, empty at the end."""
        blank = _BLANK.match(self._text, self._place)
        self._place = blank.end() if blank else self._place
        return self._text[self._place : self._place + 1]

    def _took(self, character: str) -> bool:
        taken = self._peek() == character
        self._place += taken
        return taken

    def _take(self, character: str) -> None:
        if not self._took(character):
            raise self._error(f"Expecting {character!r}")

    def _error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._place)
