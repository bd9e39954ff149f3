"""Opening files that came encrypted, with the key that the message brings. Pure.

AES-256 in counter mode (Matrix specification, "Sending encrypted attachments", version v2).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

_KEY_BYTES, _COUNTER_BYTES, _HASH_BYTES = 32, 16, 32


@dataclass(frozen=True, slots=True)
class FileKey:
    """What opens a file."""

    key: bytes
    counter: bytes
    """At the beginning."""
    sha256: bytes
    """Of the encrypted file."""

    @classmethod
    def of(cls, file: Mapping[str, Any]) -> Self | None:
        """Return the key in an `EncryptedFile`, None when it holds none of the kind that the specification has."""
        try:
            key = cls(_bytes(file["key"]["k"]), _bytes(file["iv"]), _bytes(file["hashes"]["sha256"]))
            is_right = file["key"]["alg"] == "A256CTR"
        except (LookupError, TypeError, ValueError, binascii.Error):
            return None
        sizes = len(key.key), len(key.counter), len(key.sha256)
        return key if is_right and sizes == (_KEY_BYTES, _COUNTER_BYTES, _HASH_BYTES) else None

    def opener(self) -> CipherContext:
        """Return what opens the file, a piece after the other."""
        return Cipher(AES(self.key), CTR(self.counter)).decryptor()


def _bytes(text: str) -> bytes:
    """Return what base64 without padding holds, in either alphabet."""
    if not isinstance(text, str):
        raise ValueError(text)
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
