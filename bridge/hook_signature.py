"""Signatures of webhooks, as standardwebhooks.com describes them. Pure.

The sender signs `ID.TIMESTAMP.BODY` with HMAC-SHA256; `webhook-signature` holds `v1,BASE64` once for each key while
keys are exchanged. A sender without ids signs the same with an empty id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
"""How far the sender's clock, and the time on the way, may be off."""
_PREFIX: Final = "whsec_"
_SHORTEST_KEY: Final = 16


def key_of(text: str) -> bytes:
    """Return the key of a secret, `whsec_` and base64. Raises ValueError, which does not repeat it."""
    encoded = text.strip().removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"expected a key of at least {_SHORTEST_KEY} bytes in base64, such as whsec_…")
    return key


def sign(key: bytes, delivery: str, sent: datetime, body: bytes) -> str:
    """Return one signature, as `webhook-signature` lists them."""
    return f"v1,{base64.b64encode(_mac(key, delivery, int(sent.timestamp()), body)).decode()}"


def refusal_of(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: datetime) -> str | None:
    """Return why the request is not the sender's, or None when it is.

    `headers` are looked up by lower-case name.
    """
    sent = sent_at(headers)
    if sent is None:
        return "expected the header webhook-timestamp with seconds since 1970"
    if abs(now - sent) > TOLERANCE:
        return "the webhook-timestamp is more than five minutes off; is a clock wrong, or is it sent again as it was?"
    made = tuple(_signatures(headers.get("webhook-signature", "")))
    if not made:
        return "expected the header webhook-signature with v1,BASE64"
    expected = [_mac(key, headers.get("webhook-id", ""), int(sent.timestamp()), body) for key in keys]
    matches = [hmac.compare_digest(one, other) for one in made for other in expected]
    return None if any(matches) else "no webhook-signature is that of a known key"


def sent_at(headers: Mapping[str, str]) -> datetime | None:
    """Return the moment of `webhook-timestamp`, None when there is none or it does not read."""
    text = headers.get("webhook-timestamp", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 11):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def _mac(key: bytes, delivery: str, seconds: int, body: bytes) -> bytes:
    return hmac.digest(key, f"{delivery}.{seconds}.".encode("utf-8", "surrogateescape") + body, hashlib.sha256)


def _signatures(header: str) -> Iterator[bytes]:
    """Yield those of version 1; what does not read is none."""
    for entry in header.split():
        version, _, text = entry.partition(",")
        if version == "v1":
            try:
                yield base64.b64decode(text.encode("ascii"), validate=True)
            except ValueError:  # binascii.Error is one
                continue
