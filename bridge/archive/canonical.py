"""The bytes of an event: what is hashed, stored and read again.

`encode` is Matrix's canonical JSON (specification, appendix "Canonical JSON": sorted keys, no blanks, UTF-8, only the
escapes that JSON demands) made total, because a homeserver may deliver what canonical JSON forbids:

    a lone surrogate    its three bytes as in UTF-8 (Python's `surrogatepass`)
    a float             the shortest digits that read back as the same float: 1.5, 1e+16, NaN, Infinity, -Infinity
    any integer         its digits
    any depth           no limit

Equal events give equal bytes, and `encode(decode(encode(event))) == encode(event)` with `bridge.homeserver.wire`, which
reads. What the fields mean is left to `bridge.homeserver.event`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))


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
