"""Opening Olm and Megolm, with another device that seals as the specification says."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vodozemac import Account, GroupSession, InboundGroupSession, Session

from bridge.archive.cipher import (
    MEGOLM,
    OLM,
    Opened,
    RoomKey,
    open_channel,
    open_event,
    room_key_of,
    session_of,
)
from bridge.archive.encrypted import Reason
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId
from tests.unit.archive.test_canonical import JSON

ROOM, ANN, ARCHIVE = RoomId("!board"), UserId("@ann:example.org"), UserId("@muster_archive:example.org")


@dataclass
class Sender:
    """Somebody's device that encrypts for ours."""

    user_id: UserId = ANN
    account: Account = field(default_factory=Account)
    group: GroupSession = field(default_factory=GroupSession)
    session: Session | None = None

    @property
    def key(self) -> str:
        return self.account.curve25519_key.to_base64()

    def give_key(self, to: Account, room_id: object = ROOM, **claims: object) -> dict[str, Any]:
        """Return the message to our device that gives it the room's key; `claims` go over its payload."""
        if self.session is None:
            to.generate_one_time_keys(1)
            (once,) = to.one_time_keys.values()
            self.session = self.account.create_outbound_session(to.curve25519_key, once)
            to.mark_keys_as_published()
        payload = {
            "type": "m.room_key",
            "sender": self.user_id,
            "recipient": ARCHIVE,
            "recipient_keys": {"ed25519": to.ed25519_key.to_base64()},
            "keys": {"ed25519": self.account.ed25519_key.to_base64()},
            "content": {
                "algorithm": MEGOLM,
                "room_id": room_id,
                "session_id": self.group.session_id,
                "session_key": self.group.session_key.to_base64(),
            },
        } | claims
        kind, sealed = self.session.encrypt(json.dumps(payload).encode()).to_parts()
        ciphertext = {to.curve25519_key.to_base64(): {"type": kind, "body": _base64(sealed)}}
        content = {"algorithm": OLM, "sender_key": self.key, "ciphertext": ciphertext}
        return {"type": "m.room.encrypted", "sender": self.user_id, "content": content}

    def say(
        self, body: str = "hello", *, room_id: RoomId = ROOM, plain: object = None, relation: object = None
    ) -> Event:
        """Return an event of the room that says something."""
        said = {"type": "m.room.message", "room_id": room_id, "content": {"msgtype": "m.text", "body": body}}
        sealed = self.group.encrypt(json.dumps(said if plain is None else plain).encode()).to_base64()
        content: dict[str, object] = {"algorithm": MEGOLM, "session_id": self.group.session_id, "ciphertext": sealed}
        if relation is not None:
            content["m.relates_to"] = relation
        return Event.of(
            {"event_id": "$a", "room_id": ROOM, "type": "m.room.encrypted", "sender": ANN, "content": content}
        )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode().rstrip("=")


def taken(account: Account, event: Mapping[str, Any], sender: Sender, *sessions: Session) -> RoomKey | None:
    """Return the key of a room that a message to our device gives."""
    channel = open_channel(account, sessions, event, sender_key=sender.key)
    if channel is None:
        return None
    return room_key_of(channel.payload, account, ARCHIVE, sender=ANN, sender_key=sender.key)


def test_key_of_a_room_opens_what_is_said_there() -> None:
    """A message to the device brings the key; with it the event says what was meant, and its relation stays."""
    ours, ann = Account(), Sender()
    key = taken(ours, ann.give_key(ours), ann)
    assert key is not None
    assert (key.room_id, key.session_id, key.owner) == (ROOM, ann.group.session_id, ANN)
    relation = {"rel_type": "m.thread", "event_id": "$root"}
    opened = open_event(ann.say("the merger", relation=relation), key.session)
    content = {"msgtype": "m.text", "body": "the merger", "m.relates_to": relation}
    assert opened == Opened("m.room.message", content, 0)


def test_second_key_comes_by_the_same_channel() -> None:
    """The channel that the first message began opens the next, and no other does."""
    ours, ann = Account(), Sender()
    first = open_channel(ours, [], ann.give_key(ours), sender_key=ann.key)
    assert first is not None
    second = ann.give_key(ours)
    assert open_channel(ours, [], second, sender_key=ann.key) is None
    assert taken(ours, second, ann, first.session) is not None


@pytest.mark.parametrize(
    "claims",
    [
        {"sender": "@eve:example.org"},
        {"recipient": "@eve:example.org"},
        {"recipient_keys": {"ed25519": "other"}},
        {"keys": {}},
        {"type": "m.forwarded_room_key"},
        {"content": {"algorithm": "m.other"}},
        {"content": {"algorithm": MEGOLM, "room_id": "!r\0", "session_key": "x"}},
        {"content": {"algorithm": MEGOLM, "room_id": "!r", "session_key": "x"}},
        {"content": None},
    ],
)
def test_key_that_is_not_from_and_for_whom_it_says_is_not_taken(claims: Mapping[str, object]) -> None:
    """Sender, recipient and both of their keys must be as claimed, and the key must be one."""
    ours, ann = Account(), Sender()
    assert taken(ours, ann.give_key(ours, **claims), ann) is None


@given(JSON, JSON)
def test_message_of_any_shape_to_the_device_is_survived(ciphertext: object, body: object) -> None:
    """Anybody can send the device anything; what is no message opens nothing."""
    ours = Account()
    inner = {ours.curve25519_key.to_base64(): {"type": ciphertext, "body": body}}
    for shape in (ciphertext, inner, {ours.curve25519_key.to_base64(): body}):
        event = {"type": "m.room.encrypted", "content": {"ciphertext": shape}}
        assert open_channel(ours, [], event, sender_key="x") is None


def test_what_cannot_be_opened_says_why() -> None:
    """Too early for the key, meant for another room, altered, not readable inside."""
    ours, ann = Account(), Sender()
    early = ann.say("before")
    key = taken(ours, ann.give_key(ours), ann)
    assert key is not None
    assert open_event(early, key.session) is Reason.TOO_EARLY
    assert open_event(ann.say(room_id=RoomId("!other")), key.session) is Reason.ELSEWHERE
    assert open_event(ann.say(plain=["no", "object"]), key.session) is Reason.SHAPELESS
    assert open_event(ann.say(plain={"type": "m.x", "room_id": ROOM}), key.session) is Reason.SHAPELESS
    ann.group = GroupSession()
    others = [ann.say(str(number)) for number in range(5)]
    assert open_event(others[-1], key.session) is Reason.BROKEN


@given(JSON)
def test_event_of_any_shape_has_a_reason(content: object) -> None:
    """An encrypted event of any shape is no error."""
    event = Event.of({"type": "m.room.encrypted", "content": content})
    assert session_of(event) is Reason.UNKNOWN
    shaped = Event.of({"content": {"algorithm": MEGOLM, "session_id": "s", "ciphertext": content}})
    key = InboundGroupSession(GroupSession().session_key)
    assert open_event(shaped, key) is Reason.BROKEN


@given(st.text())
def test_session_is_named_by_what_can_be_kept(session_id: str) -> None:
    """A name that no database takes is none."""
    event = Event.of({"content": {"algorithm": MEGOLM, "session_id": session_id}})
    found = session_of(event)
    assert found is Reason.UNKNOWN or (found == session_id and "\0" not in session_id and found.encode())
