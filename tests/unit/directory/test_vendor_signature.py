"""Whose a webhook is, by the vendors' own rules."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.hook_adapters import ADAPTERS
from bridge.directory.vendor_signature import SCHEMES, delivery_of, is_ping, refusal_of, secret_of, sent_at, sign

KEY, NEXT_KEY = b"0123456789abcdef", b"fedcba9876543210"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECONDS = str(int(NOW.timestamp()))
BODY = '{"employee": "Müük"}'.encode()

BAMBOOHR, HIBOB, PERSONIO = SCHEMES["bamboohr"], SCHEMES["hibob"], SCHEMES["personio"]


def bamboohr(body: bytes = BODY, key: bytes = KEY, timestamp: str = SECONDS) -> dict[str, str]:
    """Return the headers as the vendor's PHP sample makes them: hash_hmac('sha256', $body . $timestamp, $key)."""
    signature = hmac.new(key, body + timestamp.encode(), hashlib.sha256).hexdigest()
    return {"x-bamboohr-signature": signature, "x-bamboohr-timestamp": timestamp}


def hibob(body: bytes = BODY, key: bytes = KEY) -> dict[str, str]:
    """Return the header as the vendor's Scala sample makes it."""
    return {"bob-signature": base64.b64encode(hmac.new(key, body, hashlib.sha512).digest()).decode()}


def test_every_scheme_is_an_adapters() -> None:
    """A vendor's signature is chosen by the adapter's name."""
    assert set(SCHEMES) == set(ADAPTERS) - {"generic"}


@given(st.binary(max_size=200))
def test_what_vendors_sign_is_taken(body: bytes) -> None:
    """BambooHR, HiBob and Personio need no relay; any of our keys will do, so that they can be exchanged."""
    for keys in ([KEY], [NEXT_KEY, KEY]):
        assert refusal_of(BAMBOOHR, bamboohr(body), body, keys, NOW) is None
        assert refusal_of(HIBOB, hibob(body), body, keys, NOW) is None
        assert refusal_of(PERSONIO, {"authorization": KEY.decode()}, body, keys, NOW) is None


def test_a_recorded_signature_of_a_known_client_is_ours_too() -> None:
    """The vector of a published client of BambooHR, made independently of this code."""
    signature = sign(BAMBOOHR, b"private-key-123", b'{"employees":[{"id":"123"}]}', "2024-02-01T11:05:12Z")
    assert signature == "2e5fcc0ed9bfc4b23327543cafb3f59a552b8f8039e0ad24f6b86498f3557801"


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        ("bamboohr", {}),
        ("bamboohr", bamboohr(BODY + b" ")),
        ("bamboohr", bamboohr(key=NEXT_KEY)),
        ("bamboohr", {**bamboohr(), "x-bamboohr-timestamp": str(int(SECONDS) + 1)}),
        ("bamboohr", {**bamboohr(), "x-bamboohr-timestamp": ""}),
        ("bamboohr", bamboohr(timestamp="soon")),
        ("bamboohr", {**bamboohr(), "x-bamboohr-signature": "ü"}),
        ("hibob", {}),
        ("hibob", hibob(BODY + b" ")),
        ("hibob", hibob(key=NEXT_KEY)),
        ("hibob", {"bob-signature": "%%%"}),
        ("personio", {}),
        ("personio", {"authorization": ""}),
        ("personio", {"authorization": "Bearer"}),
        ("personio", {"authorization": NEXT_KEY.decode()}),
        ("personio", {"authorization": KEY.decode() + "0"}),
    ],
)
def test_whatever_is_not_the_vendors_is_refused(scheme: str, headers: Mapping[str, str]) -> None:
    """And no message repeats a signature or a token."""
    refusal = refusal_of(SCHEMES[scheme], headers, BODY, [KEY], NOW)
    assert refusal
    assert not any(value and len(value) > 6 and value in refusal for value in headers.values())


def test_bamboohr_is_taken_while_it_tries_again() -> None:
    """Its tries go on for 75 minutes; what is older is a replay, what is newer comes from a wrong clock."""
    for offset, taken in ((timedelta(minutes=90), True), (timedelta(hours=2, seconds=1), False)):
        for sent in (NOW - offset, NOW + offset):
            headers = bamboohr(timestamp=str(int(sent.timestamp())))
            assert (refusal_of(BAMBOOHR, headers, BODY, [KEY], NOW) is None) == taken
    assert sent_at(BAMBOOHR, bamboohr(timestamp="2026-11-21T12:00:00Z")) == NOW
    assert sent_at(HIBOB, hibob()) is None


def test_deliveries_are_told_apart_by_what_they_say() -> None:
    """Vendors number no deliveries: the same body again is a replay, whatever its timestamp."""
    assert delivery_of(BODY) == delivery_of(bytes(BODY)) != delivery_of(BODY + b" ")


@given(st.text(max_size=60), st.text(max_size=30))
def test_no_header_is_more_than_refused(signature: str, timestamp: str) -> None:
    """Whatever stands in the headers, there is an answer."""
    for scheme in SCHEMES.values():
        headers = (
            {scheme.header: signature, scheme.timestamp: timestamp} if scheme.timestamp else {scheme.header: signature}
        )
        assert refusal_of(scheme, headers, BODY, [KEY], NOW)


@pytest.mark.parametrize("body", [b"Ping test", b'"Ping test"', b'{"text":"Ping test"}', b'{"text": "Ping test"}\n'])
def test_hibobs_ping_is_told_from_news(body: bytes) -> None:
    """Both its forms; nobody else has one, and nothing else is one."""
    assert is_ping(HIBOB, body)
    assert not is_ping(BAMBOOHR, body)
    assert not is_ping(HIBOB, body + b"x")
    assert not is_ping(HIBOB, b'{"text": "Ping test", "employee": {"id": "1"}}')


@pytest.mark.parametrize("secret", ["", "\n", "short", "whsec_" + "A" * 32])
def test_secret_that_is_none_is_refused_without_repeating_it(secret: str) -> None:
    """An empty one would let everybody in; one of Standard Webhooks belongs to another `signature`."""
    with pytest.raises(ValueError, match="expected") as caught:
        secret_of(secret)
    assert not secret.strip() or secret not in str(caught.value)


def test_secret_is_what_the_vendor_shows() -> None:
    """Without the line end of a file."""
    assert secret_of("Bearer 0123456789abcdef\n") == b"Bearer 0123456789abcdef"
