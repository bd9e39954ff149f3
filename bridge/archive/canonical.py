"""The bytes of an event: what is hashed, stored and read again.

`encode` is Matrix's canonical JSON (specification, appendix "Canonical JSON": sorted keys, no blanks, UTF-8, only the
escapes that JSON demands) made total, because a homeserver may deliver what canonical JSON forbids:

    a lone surrogate    its three bytes as in UTF-8 (Python's `surrogatepass`)
    a float             the shortest digits that read back as the same float: 1.5, 1e+16, NaN, Infinity, -Infinity
    any integer         its digits
    any depth           no limit

Equal events give equal bytes, and `encode(decode(encode(event))) == encode(event)`. `decode` reads whatever JSON
arrives, at any depth; an integer of more than 4,300 digits, which Python refuses to read, becomes a float. What the
fields mean is left to `bridge.homeserver.event`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
_INTEGER = re.compile(r"-?[0-9]+")


def encode(event: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of an event as received, without `unsigned`, which every recipient sees differently.

    The values are those that `decode` makes; it cannot fail on them.
    """
    if "unsigned" in event:
        event = dict(event)
        del event["unsigned"]
    return encode_value(event)


def encode_value(value: object) -> bytes:
    """Return the canonical bytes of any JSON value, whole."""
    try:
        text = _ENCODER.encode(value)
    except RecursionError:  # nested too deep for Python's encoder
        text = "".join(_pieces(value))
    return text.encode("utf-8", "surrogatepass")


def decode(text: bytes) -> Any:
    """Read JSON of any depth; raises `ValueError` when it is not JSON in UTF-8."""
    characters = text.decode("utf-8", "surrogatepass")
    try:
        return json.loads(characters)
    except json.JSONDecodeError:
        raise
    except (RecursionError, ValueError):  # nested too deep for Python's decoder, or too many digits
        return _Reader(characters).read()


def _pieces(root: object) -> Iterator[str]:
    """Yield the encoding piece by piece, with a stack of our own instead of Python's."""
    waiting: list[object] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Literal):
            yield value
        elif isinstance(value, Mapping):
            waiting.append(_Literal("}"))
            for number, key in enumerate(sorted(value, reverse=True), 1 - len(value)):
                waiting += (value[key], _Literal(f"{_ENCODER.encode(key)}:"))
                waiting += (_Literal(","),) if number else ()
            waiting.append(_Literal("{"))
        elif isinstance(value, list):
            waiting.append(_Literal("]"))
            for number, item in enumerate(reversed(value), 1 - len(value)):
                waiting.append(item)
                waiting += (_Literal(","),) if number else ()
            waiting.append(_Literal("["))
        else:
            yield _ENCODER.encode(value)


class _Literal(str):
    """Text that is encoded already."""

    __slots__ = ()


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
