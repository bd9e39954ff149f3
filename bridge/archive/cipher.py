"""Opening what is encrypted, by Olm and Megolm (specification, "End-to-end encryption"); needs the extra `e2ee`.

A message to the archive's device brings the key of a room (`open_channel`, `room_key_of`); with it events of the room
are opened (`open_event`). A key opens the messages of the one who gave it, and of nobody else. Keeping keys is left to
`crypto_store`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from vodozemac import (
    Account,
    AnyOlmMessage,
    Curve25519PublicKey,
    DecodeException,
    InboundGroupSession,
    KeyException,
    MegolmDecryptionException,
    MegolmMessage,
    OlmDecryptionException,
    PreKeyMessage,
    Session,
    SessionCreationException,
    SessionKey,
    SessionKeyDecodeException,
)

from bridge.archive.device_keys import ALGORITHMS, decoded, encoded
from bridge.archive.encrypted import Reason
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId

OLM, MEGOLM = ALGORITHMS
_PRE_KEY = 0
_LONGEST_NAME = 255
_UNREADABLE = (
    DecodeException,
    KeyException,
    OlmDecryptionException,
    SessionCreationException,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class RoomKey:
    """The key of a room as somebody's device gave it."""

    room_id: RoomId
    session_id: str
    owner: UserId
    sender_key: str
    """Curve25519 of the owner's device."""
    signing_key: str
    """Ed25519 of it."""
    session: InboundGroupSession


@dataclass(frozen=True, slots=True)
class Opened:
    """An encrypted event as it was meant."""

    type: str
    content: Mapping[str, Any]
    message_index: int


@dataclass(frozen=True, slots=True)
class Channel:
    """What opened a message to our device: its content, and the channel that has moved on."""

    payload: Mapping[str, Any]
    session: Session


def open_channel(
    account: Account, sessions: Sequence[Session], event: Mapping[str, Any], *, sender_key: str
) -> Channel | None:
    """Open an Olm message to our device with a known channel, or with the new one that it begins; None when it cannot.

    The account loses the one-time key of a new channel, and a channel the key of the message: both must be kept.
    """
    ciphertext = _text_map(event.get("content"), "ciphertext").get(account.curve25519_key.to_base64())
    if not isinstance(ciphertext, Mapping) or not isinstance(ciphertext.get("body"), str):
        return None
    try:
        message = AnyOlmMessage.from_parts(int(ciphertext.get("type", -1)), decoded(ciphertext["body"]))
        for session in sessions:
            if (plain := _decrypted(session, message)) is not None:
                return _channel(plain, session)
        if ciphertext["type"] != _PRE_KEY:
            return None
        first = PreKeyMessage.from_base64(ciphertext["body"])
        begun, plain = account.create_inbound_session(Curve25519PublicKey.from_base64(sender_key), first)
    except _UNREADABLE:
        return None
    return _channel(plain, begun)


def _decrypted(session: Session, message: AnyOlmMessage) -> bytes | None:
    try:
        return session.decrypt(message)
    except OlmDecryptionException:
        return None


def _channel(plain: bytes, session: Session) -> Channel:
    """Return what was opened; a text that is no JSON object counts as empty, as the channel has moved on."""
    try:
        payload = json.loads(plain)
    except (ValueError, RecursionError):
        payload = {}
    return Channel(payload if isinstance(payload, dict) else {}, session)


def begin_channel(account: Account, sender_key: str, once: str) -> Session | None:
    """Return a new channel to a device, by one of its one-time keys; None when that is no key."""
    try:
        return account.create_outbound_session(
            Curve25519PublicKey.from_base64(sender_key), Curve25519PublicKey.from_base64(once)
        )
    except _UNREADABLE:
        return None


def nothing_said(
    account: Account, session: Session, user_id: UserId, *, to: UserId, sender_key: str, signing_key: str
) -> dict[str, Any]:
    """Return the message that says nothing (`m.dummy`), at which the other device takes the new channel from then on.

    `sender_key` and `signing_key` are the other device's.
    """
    payload = {
        "type": "m.dummy",
        "content": {},
        "sender": user_id,
        "recipient": to,
        "recipient_keys": {"ed25519": signing_key},
        "keys": {"ed25519": account.ed25519_key.to_base64()},
    }
    kind, sealed = session.encrypt(json.dumps(payload).encode()).to_parts()
    ciphertext = {sender_key: {"type": kind, "body": encoded(sealed)}}
    return {"algorithm": OLM, "sender_key": account.curve25519_key.to_base64(), "ciphertext": ciphertext}


def room_key_of(
    payload: Mapping[str, Any], account: Account, user_id: UserId, *, sender: UserId, sender_key: str
) -> RoomKey | None:
    """Return the key of a room that a payload gives, when it was made by `sender` and for our device; else None.

    (Specification, "m.olm.v1.curve25519-aes-sha2": sender, recipient and both of their keys must be as claimed.)
    """
    content = _text_map(payload, "content")
    ours = _text_map(payload, "recipient_keys").get("ed25519") == account.ed25519_key.to_base64()
    signing_key = _text_map(payload, "keys").get("ed25519")
    if not ours or payload.get("recipient") != user_id or payload.get("sender") != sender:
        return None
    if payload.get("type") != "m.room_key" or content.get("algorithm") != MEGOLM or not isinstance(signing_key, str):
        return None
    room_id, session_key = content.get("room_id"), content.get("session_key")
    if not is_name(room_id) or not isinstance(session_key, str):
        return None
    try:
        session = InboundGroupSession(SessionKey(session_key))
    except (SessionKeyDecodeException, ValueError):
        return None
    return RoomKey(RoomId(room_id), session.session_id, sender, sender_key, signing_key, session)


def open_event(event: Event, session: InboundGroupSession) -> Opened | Reason:
    """Return an encrypted event as it was meant, or why it cannot be read; the key is as before."""
    try:
        message = MegolmMessage.from_base64(event.content["ciphertext"])
    except (DecodeException, ValueError, TypeError, KeyError):
        return Reason.BROKEN
    if message.message_index() < session.first_known_index:
        return Reason.TOO_EARLY
    try:
        opened = session.decrypt(message)
    except (MegolmDecryptionException, ValueError):
        return Reason.BROKEN
    try:
        plain = json.loads(opened.plaintext)
    except (ValueError, RecursionError):
        return Reason.SHAPELESS
    return _meant(event, plain, opened.message_index)


def _meant(event: Event, plain: object, message_index: int) -> Opened | Reason:
    if not isinstance(plain, dict):
        return Reason.SHAPELESS
    type_, content = plain.get("type"), plain.get("content")
    if not isinstance(type_, str) or not isinstance(content, dict):
        return Reason.SHAPELESS
    if plain.get("room_id") != event.room_id:
        return Reason.ELSEWHERE
    relation = event.content.get("m.relates_to")  # it stands outside, where the homeserver can read it
    return Opened(type_, content if relation is None else {**content, "m.relates_to": relation}, message_index)


def session_of(event: Event) -> str | Reason:
    """Return the ID of the key that opens an `m.room.encrypted`, or why there can be none."""
    session_id = event.content.get("session_id")
    if event.content.get("algorithm") != MEGOLM or not is_name(session_id):
        return Reason.UNKNOWN
    return session_id


def is_name(value: object) -> TypeGuard[str]:
    """Tell whether the value is a text by which something can be kept and found."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


def _text_map(value: object, name: str) -> Mapping[str, Any]:
    """Return an object inside of an object, or an empty one."""
    inner = value.get(name) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}
