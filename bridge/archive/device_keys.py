"""The public keys of devices: what the archive's own device shows of itself, and whose a device is that we hear from.

The archive's account has a cross-signing identity (specification, "Cross-signing"): a master key, which signs a
self-signing key, which signs the device, so that clients that send to signed devices alone send to it. Both private
keys follow from the one secret in the data folder. Publishing and asking are left to `archivist`. Pure.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.archive.canonical import encode_value
from bridge.ids import UserId

ALGORITHMS = ("m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2")

Signer = Callable[[bytes], str]
"""Signs bytes with an Ed25519 key; returns unpadded base64."""


class Trust(StrEnum):
    """What the homeserver knew of a device that gave us a key."""

    SIGNED = "signed"
    """It is the sender's, who has signed it by cross-signing."""
    KNOWN = "known"
    """It is the sender's."""
    UNKNOWN = "unknown"
    """The sender has no such device any more, or never had."""


@dataclass(frozen=True, slots=True)
class CrossSigning:
    """The private keys of an account's identity."""

    master: Ed25519PrivateKey
    self_signing: Ed25519PrivateKey

    @classmethod
    def of(cls, secret: bytes) -> CrossSigning:
        """Derive both keys from a secret of 32 bytes."""
        return cls(_derived(secret, b"muster master key"), _derived(secret, b"muster self-signing key"))

    def documents(self, user_id: UserId) -> dict[str, Any]:
        """Return the body of `/keys/device_signing/upload`."""
        master = _cross_signing_key(user_id, "master", self.master)
        own = _cross_signing_key(user_id, "self_signing", self.self_signing)
        name = f"ed25519:{public_of(self.master)}"
        return {"master_key": master, "self_signing_key": signed(own, user_id, name, signer_of(self.master))}

    def sign_device(self, device: Mapping[str, Any], user_id: UserId) -> dict[str, Any]:
        """Return the device's keys with the signature that makes it the account's own."""
        name = f"ed25519:{public_of(self.self_signing)}"
        return signed({**device, "signatures": {}}, user_id, name, signer_of(self.self_signing))


def device_document(user_id: UserId, device_id: str, curve25519: str, ed25519: str, sign: Signer) -> dict[str, Any]:
    """Return a device's keys as they are published (specification, `DeviceKeys`)."""
    document = {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": list(ALGORITHMS),
        "keys": {f"curve25519:{device_id}": curve25519, f"ed25519:{device_id}": ed25519},
    }
    return signed(document, user_id, f"ed25519:{device_id}", sign)


def signed_keys(
    keys: Mapping[str, str], user_id: UserId, device_id: str, sign: Signer, *, fallback: bool = False
) -> dict[str, Any]:
    """Return one-time keys, or a fallback key, as they are published; `keys` are Curve25519 by ID."""
    extra = {"fallback": True} if fallback else {}
    return {
        f"signed_curve25519:{key_id}": signed({"key": key, **extra}, user_id, f"ed25519:{device_id}", sign)
        for key_id, key in keys.items()
    }


def signed(document: Mapping[str, Any], user_id: UserId, name: str, sign: Signer) -> dict[str, Any]:
    """Return the document with a signature more (specification, "Signing JSON")."""
    signatures = dict(document.get("signatures") or {})
    signatures[user_id] = {**signatures.get(user_id, {}), name: sign(_signable(document))}
    return {**document, "signatures": signatures}


def trust_of(answer: Mapping[str, Any], user_id: UserId, curve25519: str, ed25519: str) -> tuple[str, Trust]:
    """Return the ID of the user's device with these keys and its trust, by an answer of `/keys/query`; '' when none."""
    for device_id, document in _mapping(_mapping(answer.get("device_keys")).get(user_id)).items():
        keys = _mapping(_mapping(document).get("keys"))
        if (keys.get(f"curve25519:{device_id}"), keys.get(f"ed25519:{device_id}")) != (curve25519, ed25519):
            continue
        if document.get("user_id") != user_id or not is_signed(document, user_id, device_id, ed25519):
            continue
        return device_id, Trust.SIGNED if _is_own(answer, user_id, document) else Trust.KNOWN
    return "", Trust.UNKNOWN


def device_of(answer: Mapping[str, Any], user_id: UserId, curve25519: str) -> tuple[str, str] | None:
    """Return ID and Ed25519 key of the user's device with this Curve25519 key, by an answer of `/keys/query`."""
    for device_id, document in _mapping(_mapping(answer.get("device_keys")).get(user_id)).items():
        keys = _mapping(_mapping(document).get("keys"))
        ed25519 = keys.get(f"ed25519:{device_id}")
        if keys.get(f"curve25519:{device_id}") != curve25519 or not isinstance(ed25519, str):
            continue
        if is_signed(document, user_id, device_id, ed25519):
            return device_id, ed25519
    return None


def is_signed(document: Mapping[str, Any], user_id: UserId, key_id: str, ed25519: str) -> bool:
    """Tell whether the key signed the document in the user's name."""
    signature = _mapping(_mapping(document.get("signatures")).get(user_id)).get(f"ed25519:{key_id}")
    if not isinstance(signature, str):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(decoded(ed25519)).verify(decoded(signature), _signable(document))
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_own(answer: Mapping[str, Any], user_id: UserId, device: Mapping[str, Any]) -> bool:
    """Tell whether the user's self-signing key, which the user's master key signed, signed the device."""
    master = _only_key(_mapping(answer.get("master_keys")).get(user_id))
    own_document = _mapping(_mapping(answer.get("self_signing_keys")).get(user_id))
    own = _only_key(own_document)
    if not master or not own or not is_signed(own_document, user_id, master, master):
        return False
    return is_signed(device, user_id, own, own)


def _only_key(document: object) -> str:
    """Return the public key of a cross-signing key's document, '' when there is none."""
    keys = list(_mapping(_mapping(document).get("keys")).values())
    return keys[0] if len(keys) == 1 and isinstance(keys[0], str) else ""


def _cross_signing_key(user_id: UserId, usage: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    public = public_of(key)
    return {"user_id": user_id, "usage": [usage], "keys": {f"ed25519:{public}": public}}


def public_of(key: Ed25519PrivateKey) -> str:
    """Return the public half of a key in unpadded base64."""
    return encoded(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def signer_of(key: Ed25519PrivateKey) -> Signer:
    """Return what signs with a key."""
    return lambda message: encoded(key.sign(message))


def _derived(secret: bytes, purpose: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, purpose, "sha256"))


def _signable(document: Mapping[str, Any]) -> bytes:
    return encode_value({key: value for key, value in document.items() if key not in ("signatures", "unsigned")})


def encoded(content: bytes) -> str:
    """Return unpadded base64 (specification, "Unpadded Base64")."""
    return base64.b64encode(content).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Read unpadded base64; raises `ValueError`."""
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
