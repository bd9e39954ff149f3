"""Opening files that came encrypted."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.archive.export.file_key import FileKey

FILE: dict[str, Any] = {
    "v": "v2",
    "key": {
        "alg": "A256CTR",
        "key_ops": ["encrypt", "decrypt"],
        "kty": "oct",
        "k": "__________________________________________8",
        "ext": True,
    },
    "iv": "/////////////////////w",
    "hashes": {"sha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
}


def test_a_key_is_read() -> None:
    """Key and counter in base64 without padding, in either alphabet."""
    key = FileKey.of(FILE)
    assert key is not None
    assert (key.key, key.counter) == (b"\xff" * 32, b"\xff" * 16)


def test_the_counter_runs_over() -> None:
    """From its last value it begins again at zero, and pieces of any length are one stream."""
    key = FileKey.of(FILE)
    assert key is not None
    one, many = key.opener(), key.opener()
    whole = one.update(bytes(50))
    assert b"".join(many.update(bytes(size)) for size in (1, 15, 17, 17)) == whole
    again = FileKey.of(FILE | {"iv": "AAAAAAAAAAAAAAAAAAAAAA"})
    assert again is not None
    assert again.opener().update(bytes(34)) == whole[16:]


@pytest.mark.parametrize(
    "change",
    [
        {"key": {**FILE["key"], "alg": "none"}},
        {"key": {**FILE["key"], "k": "AAAA"}},
        {"key": {**FILE["key"], "k": 5}},
        {"key": []},
        {"iv": "AAAA"},
        {"iv": "*"},
        {"hashes": {}},
        {"hashes": {"sha256": "é"}},
    ],
)
def test_what_is_no_key_is_none(change: dict[str, Any]) -> None:
    """Anybody can send anything."""
    assert FileKey.of(FILE | change) is None
