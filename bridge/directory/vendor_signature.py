"""How vendors prove that a webhook is theirs where they do not follow Standard Webhooks. Pure.

BambooHR signs the body with the text of its timestamp behind it, HMAC-SHA256 in hexadecimal
(documentation.bamboohr.com/docs/webhooks, "Security", and the PHP sample there). HiBob signs the body, HMAC-SHA512 in
base64, and proves nothing about the time (apidocs.hibob.com/docs/working-with-webhooks, "Authenticate your events").
Personio signs nothing: it repeats a token, the whole of the header `Authorization`
(developer.personio.de/reference/post_v2-webhooks, `auth_type` TOKEN). The key is the vendor's secret as it is shown,
in UTF-8. Whoever is asked twice with the same body is told by the digest of the body, which the inbox keeps.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

_SHORTEST_SECRET: Final = 16


@dataclass(frozen=True, slots=True)
class Scheme:
    """One vendor's way; headers are in lower case."""

    header: str
    digest: str = ""
    """What `hashlib` calls it; without one the header repeats the secret itself."""
    encoding: Literal["hex", "base64"] = "hex"
    timestamp: str = ""
    """The header that is signed behind the body: Unix seconds or ISO 8601; empty where nothing is said of the time."""
    tolerance: timedelta = timedelta()
    """How old or new the timestamp may be."""
    ping: str = ""
    """What is sent to see whether anybody answers, as it is or as JSON's `{"text": …}`; it says nothing."""


SCHEMES: Final[Mapping[str, Scheme]] = {
    "bamboohr": Scheme(
        "x-bamboohr-signature",
        "sha256",
        "hex",
        timestamp="x-bamboohr-timestamp",
        # It tries again for 75 minutes, and does not say whether it signs anew.
        tolerance=timedelta(hours=2),
    ),
    "hibob": Scheme("bob-signature", "sha512", "base64", ping="Ping test"),
    "personio": Scheme("authorization"),
}
"""By the names of the adapters; whoever is not here follows Standard Webhooks."""


def secret_of(text: str) -> bytes:
    """Return the key of a vendor's secret. Raises ValueError, which does not repeat it."""
    secret = text.strip()
    if secret.startswith("whsec_"):
        raise ValueError("expected the vendor's own secret, came one of Standard Webhooks; say `signature: standard`")
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(f"expected a secret of at least {_SHORTEST_SECRET} characters")
    return secret.encode()


def sign(scheme: Scheme, key: bytes, body: bytes, timestamp: str = "") -> str:
    """Return what the vendor puts into its header."""
    if not scheme.digest:
        return key.decode()
    mac = hmac.digest(key, body + timestamp.encode("utf-8", "surrogateescape"), scheme.digest)
    return mac.hex() if scheme.encoding == "hex" else base64.b64encode(mac).decode()


def refusal_of(
    scheme: Scheme, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: datetime
) -> str | None:
    """Return why the request is not the vendor's, or None when it is; `headers` are looked up by lower-case name."""
    made = headers.get(scheme.header, "").strip()
    if not made:
        return f"expected the header {scheme.header}"
    if scheme.timestamp:
        sent = sent_at(scheme, headers)
        if sent is None:
            return f"expected the header {scheme.timestamp} with the time of sending"
        if abs(now - sent) > scheme.tolerance:
            return f"the {scheme.timestamp} is too far off; is a clock wrong, or is it sent again as it was?"
    made = made.lower() if scheme.digest and scheme.encoding == "hex" else made
    expected = [sign(scheme, key, body, headers.get(scheme.timestamp, "")) for key in keys]
    given = made.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(given, each.encode()) for each in expected]
    return None if any(matches) else f"the {scheme.header} is not that of a known key"


def sent_at(scheme: Scheme, headers: Mapping[str, str]) -> datetime | None:
    """Return when it was sent by the header that is signed, None when there is none or it does not read."""
    text = headers.get(scheme.timestamp, "") if scheme.timestamp else ""
    if text.isascii() and text.isdecimal() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def is_ping(scheme: Scheme, body: bytes) -> bool:
    """Tell whether this is only the vendor's question whether anybody is there; it need not be signed."""
    if not scheme.ping or len(body) > 2 * len(scheme.ping) + 20:
        return False
    try:
        text = body.decode().strip()
        return text == scheme.ping or json.loads(text) in (scheme.ping, {"text": scheme.ping})
    except ValueError:
        return False


def delivery_of(body: bytes) -> str:
    """Return what tells a delivery from one that came before: vendors number none, so it is all that was said."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
