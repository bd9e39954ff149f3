"""Who has signed a webhook: ours and the reference implementation of Standard Webhooks agree."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bridge.hook_signature import TOLERANCE, key_of, refusal_of, sign

KEY = bytes(range(24))
NEXT_KEY = bytes(range(1, 33))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BODY = '{"employee": "Müük"}'.encode()


def signed(*signatures: str, sent: datetime = NOW, delivery: str = "msg_1") -> Mapping[str, str]:
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


@given(st.text(max_size=100), st.text("abc_.-", min_size=1, max_size=20))
def test_what_the_reference_signs_is_taken(text: str, delivery: str) -> None:
    """And the reference takes what we sign, for any body and id."""
    now = datetime.now(UTC).replace(microsecond=0)
    body = json.dumps(text)
    theirs = Webhook(SECRET).sign(delivery, now, body)

    assert theirs == sign(KEY, delivery, now, body.encode())
    assert refusal_of(signed(theirs, sent=now, delivery=delivery), body.encode(), [key_of(SECRET)], now) is None
    Webhook(SECRET).verify(body, dict(signed(sign(KEY, delivery, now, body.encode()), sent=now, delivery=delivery)))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-signature": sign(NEXT_KEY, "msg_1", NOW, BODY)},
        {"webhook-signature": sign(KEY, "msg_1", NOW, BODY + b" ")},
        {"webhook-signature": sign(KEY, "msg_1", NOW, BODY).replace("v1,", "v2,")},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v1,ü"},
        {"webhook-signature": "v1,a,b"},
        {"webhook-signature": ","},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-5"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "١٢٣"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
    ],
)
def test_whatever_is_not_the_senders_is_refused_and_nothing_raised(change: Mapping[str, str]) -> None:
    """Also a malformed signature, on which the reference stumbles."""
    headers = {**signed(sign(KEY, "msg_1", NOW, BODY)), **change}

    assert refusal_of(headers, BODY, [KEY], NOW)


def test_body_that_is_no_text_is_judged_by_its_bytes() -> None:
    """Whether it is text is asked later, and answered with 400."""
    assert refusal_of(signed(sign(KEY, "msg_1", NOW, b"\xff")), b"\xff", [KEY], NOW) is None
    with pytest.raises(UnicodeDecodeError):
        Webhook(SECRET).verify(b"\xff", dict(signed("v1,x")))


def test_delivery_is_taken_for_five_minutes_either_way() -> None:
    """Older ones are replays; newer ones come from a clock that is wrong."""
    for offset, taken in ((TOLERANCE, True), (TOLERANCE + timedelta(seconds=1), False)):
        for sent in (NOW - offset, NOW + offset):
            headers = signed(sign(KEY, "msg_1", sent, BODY), sent=sent)
            assert (refusal_of(headers, BODY, [KEY], NOW) is None) == taken


def test_keys_are_exchanged_without_a_gap() -> None:
    """One good signature of several suffices, and any of our keys."""
    old, new = sign(KEY, "msg_1", NOW, BODY), sign(NEXT_KEY, "msg_1", NOW, BODY)

    assert refusal_of(signed("v1,AAAA", new), BODY, [KEY, NEXT_KEY], NOW) is None
    assert refusal_of(signed(old), BODY, [NEXT_KEY, KEY], NOW) is None
    assert refusal_of(signed(old), BODY, [NEXT_KEY], NOW)


def test_sender_without_ids_signs_an_empty_one() -> None:
    """The header may be missing."""
    headers = {name: value for name, value in signed(sign(KEY, "", NOW, BODY)).items() if name != "webhook-id"}

    assert refusal_of(headers, BODY, [KEY], NOW) is None


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_no_header_is_more_than_refused(signature: str, timestamp: str, delivery: str) -> None:
    """Whatever stands in the headers, there is an answer."""
    headers = {"webhook-id": delivery, "webhook-timestamp": timestamp, "webhook-signature": signature}
    assert refusal_of(headers, BODY, [KEY], NOW)


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), f" {SECRET}\n", SECRET.rstrip("=")])
def test_key_is_read_as_it_is_handed_out(secret: str) -> None:
    """With or without its prefix, padding, and the line end of a file."""
    assert key_of(secret) == KEY


def test_empty_key_is_refused() -> None:
    """It would let everybody in."""
    for secret in ("", "whsec_", "\n"):
        with pytest.raises(ValueError, match="at least 16 bytes"):
            key_of(secret)


@pytest.mark.parametrize("secret", ["whsec_c2hvcnQ=", "not base64 at all!", "ü" * 40])
def test_key_that_is_none_is_refused_without_repeating_it(secret: str) -> None:
    """It may be a real one, mistyped."""
    with pytest.raises(ValueError, match="at least 16 bytes in base64") as caught:
        key_of(secret)
    assert secret not in str(caught.value)


def test_reference_refuses_what_we_refuse() -> None:
    """A signature by another key."""
    now = datetime.now(UTC)
    headers = dict(signed(sign(NEXT_KEY, "msg_1", now, BODY), sent=now))

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)
    assert refusal_of(headers, BODY, [KEY], now)
