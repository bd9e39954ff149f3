"""The bytes of an event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.canonical import encode
from bridge.homeserver.wire import decode

TEXT = st.text(st.characters(codec=None), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
EVENT = st.dictionaries(TEXT, JSON, max_size=5)
DEEP = 40_000


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, "{}"),
        ({"one": 1, "two": "Two"}, '{"one":1,"two":"Two"}'),
        ({"b": "2", "a": "1"}, '{"a":"1","b":"2"}'),
        ({"a": "日本語"}, '{"a":"日本語"}'),
        ({"本": 2, "日": 1}, '{"日":1,"本":2}'),
        ({"a": "\u65e5"}, '{"a":"日"}'),
        ({"a": None}, '{"a":null}'),
        ({"a": -0, "b": 10000000000}, '{"a":0,"b":10000000000}'),
    ],
)
def test_examples_of_the_specification_are_encoded_as_printed(event: dict[str, Any], expected: str) -> None:
    """The examples of the Matrix appendix "Canonical JSON" give the bytes printed there."""
    assert encode(event) == expected.encode()


def test_unsigned_data_is_left_out() -> None:
    """What each recipient sees differently is not part of the record, at the top level only."""
    assert encode({"a": {"unsigned": 1}, "unsigned": {"age": 5}}) == b'{"a":{"unsigned":1}}'


def test_what_canonical_json_forbids_is_encoded_as_documented() -> None:
    """Floats, huge integers, lone surrogates and NUL have one form each."""
    event = {"f": [1.5, 1e16, float("nan"), float("-inf")], "i": 2**80, "n": "\0", "s": "\ud800"}
    expected = b'{"f":[1.5,1e+16,NaN,-Infinity],"i":1208925819614629174706176,"n":"\\u0000","s":"\xed\xa0\x80"}'
    assert encode(event) == expected
    assert encode(decode(expected)) == expected


@given(EVENT)
def test_encoding_is_total_and_stable(event: dict[str, Any]) -> None:
    """Whatever JSON holds is encoded, and reading the bytes back gives the same bytes."""
    encoded = encode(event)
    assert encode(decode(encoded)) == encoded


@given(EVENT)
def test_order_of_keys_does_not_matter(event: dict[str, Any]) -> None:
    """Equal objects give equal bytes."""
    assert encode(dict(reversed(event.items()))) == encode(event)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"k":', "}")])
def test_nesting_of_any_depth_is_read_and_encoded(opening: str, closing: str) -> None:
    """An event nested deeper than Python's recursion limit is neither refused nor shortened."""
    text = f'{{"content":{opening * DEEP}1{closing * DEEP}}}'.encode()
    assert encode(decode(text)) == text
