"""What a device shows of itself, and whose a device is."""

from __future__ import annotations

from typing import Any

import pytest
from vodozemac import Account

from bridge.archive.device_keys import (
    CrossSigning,
    Trust,
    decoded,
    device_document,
    encoded,
    is_signed,
    public_of,
    signed_keys,
    trust_of,
)
from bridge.ids import UserId

ANN = UserId("@ann:example.org")
IDENTITY = CrossSigning.of(bytes(range(32)))


def answer(*, cross_signed: bool) -> tuple[dict[str, Any], str, str]:
    """Return an answer of `/keys/query` about one device of Ann's, and the device's two keys."""
    account = Account()
    curve25519, ed25519 = account.curve25519_key.to_base64(), account.ed25519_key.to_base64()
    document = device_document(ANN, "DESK", curve25519, ed25519, lambda message: account.sign(message).to_base64())
    found: dict[str, Any] = {"device_keys": {ANN: {"DESK": document}}}
    if cross_signed:
        own = IDENTITY.sign_device(document, ANN)["signatures"][ANN]
        signatures = {ANN: {**document["signatures"][ANN], **own}}
        found["device_keys"][ANN]["DESK"] = {**document, "signatures": signatures}
        documents = IDENTITY.documents(ANN)
        found |= {f"{name}s": {ANN: key} for name, key in documents.items()}
    return found, curve25519, ed25519


def test_device_that_its_owner_has_signed_is_trusted() -> None:
    """The master key signs the self-signing key, and that the device."""
    found, curve25519, ed25519 = answer(cross_signed=True)
    assert trust_of(found, ANN, curve25519, ed25519) == ("DESK", Trust.SIGNED)


def test_device_without_its_owners_signature_is_known_only() -> None:
    """Nobody has verified it."""
    found, curve25519, ed25519 = answer(cross_signed=False)
    assert trust_of(found, ANN, curve25519, ed25519) == ("DESK", Trust.KNOWN)


@pytest.mark.parametrize("place", ["master_keys", "self_signing_keys"])
def test_identity_that_another_signed_is_not_the_owners(place: str) -> None:
    """A self-signing key counts when the user's own master key signed it."""
    found, curve25519, ed25519 = answer(cross_signed=True)
    found[place] = {ANN: CrossSigning.of(bytes(32)).documents(ANN)[place.removesuffix("s")]}
    assert trust_of(found, ANN, curve25519, ed25519) == ("DESK", Trust.KNOWN)


def test_device_with_other_keys_or_an_altered_document_is_unknown() -> None:
    """Both keys must be the device's, and its own signature must hold."""
    found, curve25519, ed25519 = answer(cross_signed=True)
    assert trust_of(found, ANN, curve25519, "other") == ("", Trust.UNKNOWN)
    assert trust_of(found, UserId("@eve:example.org"), curve25519, ed25519) == ("", Trust.UNKNOWN)
    found["device_keys"][ANN]["DESK"]["algorithms"] = []
    assert trust_of(found, ANN, curve25519, ed25519) == ("", Trust.UNKNOWN)
    assert trust_of({"device_keys": {ANN: {"DESK": 5}}}, ANN, curve25519, ed25519) == ("", Trust.UNKNOWN)


def test_one_secret_gives_one_identity() -> None:
    """A restored installation is the same account to everybody; another secret is another."""
    again, other = CrossSigning.of(bytes(range(32))), CrossSigning.of(bytes(32))
    assert public_of(again.master) == public_of(IDENTITY.master) != public_of(IDENTITY.self_signing)
    assert public_of(other.master) != public_of(IDENTITY.master)
    assert again.documents(ANN) == IDENTITY.documents(ANN)


def test_keys_for_others_are_signed_by_the_device() -> None:
    """A one-time key that the device did not sign is somebody else's."""
    account = Account()
    account.generate_one_time_keys(2)
    once = {key_id: key.to_base64() for key_id, key in account.one_time_keys.items()}
    keys = signed_keys(once, ANN, "DESK", lambda message: account.sign(message).to_base64(), fallback=True)
    ed25519 = account.ed25519_key.to_base64()
    assert {name.removeprefix("signed_curve25519:") for name in keys} == set(once)
    assert all(key["fallback"] and is_signed(key, ANN, "DESK", ed25519) for key in keys.values())
    assert not any(is_signed({**key, "key": "x"}, ANN, "DESK", ed25519) for key in keys.values())


def test_base64_goes_both_ways_without_padding() -> None:
    """Keys have no padding on Matrix."""
    assert [decoded(encoded(bytes(size))) for size in range(5)] == [bytes(size) for size in range(5)]
    for text in ("ä", "a b=", "abcde"):
        with pytest.raises(ValueError, match=r"base64|ASCII"):
            decoded(text)
