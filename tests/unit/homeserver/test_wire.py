"""Reading JSON that Python's decoder gives up on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.canonical import encode
from bridge.homeserver.wire import _Reader, decode
from tests.unit.archive.test_canonical import DEEP, EVENT


@given(EVENT, st.sampled_from([None, 1, "\t"]))
def test_reader_without_recursion_reads_what_python_reads(event: dict[str, Any], indent: int | str | None) -> None:
    """The slow path gives the same value as Python's decoder."""
    text = json.dumps(event, indent=indent)
    assert encode(_Reader(text).read()) == encode(json.loads(text))


@given(st.text(alphabet='[]{}:," 1ae-.', max_size=12))
def test_reader_without_recursion_refuses_what_python_refuses(text: str) -> None:
    """The slow path accepts exactly the same texts."""
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(json.JSONDecodeError):
            _Reader(text).read()
    else:
        assert _Reader(text).read() == expected


def test_integer_longer_than_python_reads_becomes_a_float() -> None:
    """A number of 5,000 digits does not stop the rest."""
    event = decode(b'{"a":-%s,"b":[%s],"c":1}' % (b"1" * 5000, b"2" * 5000))
    assert encode(event) == b'{"a":-Infinity,"b":[Infinity],"c":1}'


@pytest.mark.parametrize("text", [b"", b"{", b'{"a"}', b"\xff", b"[1,]", b"{}{}", b"[" * DEEP, b'["\n"]'])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    """Anything that is not JSON in UTF-8 is a ValueError, however deep."""
    with pytest.raises(ValueError, match=r"."):
        decode(text)
