"""Receipts in ephemeral data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.receipts import Receipt, read_receipts
from bridge.ids import EventId, RoomId, UserId

BO = UserId("@bo:x")


def _event(event_id: str, kinds: object, room_id: object = "!room") -> dict[str, object]:
    return {"type": "m.receipt", "room_id": room_id, "content": {event_id: kinds}}


def test_the_newest_public_receipt_of_each_person_is_read() -> None:
    """Of several in one transaction the latest says how far somebody has read; private ones are dropped."""
    ephemeral: list[object] = [
        _event("$b", {"m.read": {BO: {"ts": 2}}}),
        _event("$a", {"m.read": {BO: {"ts": 1}}, "m.read.private": {"@cy:x": {"ts": 5}}}),
        {"type": "m.typing", "room_id": "!room", "content": {"user_ids": [BO]}},
    ]
    assert read_receipts(ephemeral) == [Receipt(RoomId("!room"), BO, EventId("$b"), 2)]


_JSON = st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.text(), inner))


@given(st.lists(_JSON | st.builds(_event, st.text(), _JSON, _JSON)))
def test_nothing_of_another_shape_is_read_or_fails(ephemeral: list[object]) -> None:
    """Whatever a homeserver sends."""
    assert all(receipt.user_id and receipt.timestamp >= 0 for receipt in read_receipts(ephemeral))


def test_odd_receipts_are_passed_over() -> None:
    """A moment, a user or a room that is none."""
    odd: list[object] = [
        _event("$a", {"m.read": {BO: {"ts": True}}}),
        _event("$a", {"m.read": {BO: {"ts": -1}}}),
        _event("$a", {"m.read": {"\x00": {"ts": 1}}}),
        _event("no event", {"m.read": {BO: {"ts": 1}}}),
        _event("$a", {"m.read": {BO: {"ts": 1}}}, room_id=7),
    ]
    assert read_receipts(odd) == []
