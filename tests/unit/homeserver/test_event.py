"""Reading events of any shape."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.homeserver.event import Event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["event_id", "room_id", "type", "sender", "state_key", "content", "origin_server_ts", "redacts"])


def test_event_is_read_field_by_field() -> None:
    """Every field of a well-formed event arrives under its name."""
    raw = {
        "event_id": "$a",
        "room_id": "!r",
        "type": "m.room.topic",
        "sender": "@m:x",
        "state_key": "",
        "content": {"topic": "t"},
        "origin_server_ts": 1700000000000,
    }
    event = Event.of(raw, seq=7)
    assert (event.seq, event.event_id, event.room_id) == (7, "$a", "!r")
    assert (event.type, event.sender) == ("m.room.topic", "@m:x")
    assert (event.state_key, event.content, event.timestamp) == ("", {"topic": "t"}, 1700000000000)
    assert event.redacts is None


def test_redaction_names_its_target_in_either_place() -> None:
    """The redacted event is found at the top level and in the content, and only in redactions."""
    redaction = {"type": "m.room.redaction"}
    assert Event.of({**redaction, "redacts": "$a"}).redacts == "$a"
    assert Event.of({**redaction, "content": {"redacts": "$b"}}).redacts == "$b"
    assert Event.of({**redaction, "redacts": 5, "content": {"redacts": ""}}).redacts is None
    assert Event.of({"type": "m.room.message", "redacts": "$a"}).redacts is None


@given(st.dictionaries(KEYS, JSON))
def test_event_of_any_shape_is_read(raw: dict[str, Any]) -> None:
    """No object makes reading fail, and every field has its promised type."""
    event = Event.of(raw)
    assert all(isinstance(text, str) for text in (event.event_id, event.room_id, event.type, event.sender))
    assert isinstance(event.content, dict)
    assert type(event.timestamp) is int
    assert 0 <= event.timestamp < 2**53
