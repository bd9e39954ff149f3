"""Dividing a transaction and laying out its events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.batch import columns_of, sort_out
from bridge.archive.canonical import encode
from bridge.archive.ledger import SALT_SIZE, leaf_hash
from tests.unit.archive.test_canonical import JSON

KEYS = ("event_id", "room_id", "type", "sender", "state_key", "content", "origin_server_ts", "redacts", "unsigned")
EVENT = st.dictionaries(st.sampled_from(KEYS), JSON)


def an_event(event_id: str = "$a", **fields: Any) -> dict[str, Any]:
    """Return a message event, with fields changed."""
    return {
        "event_id": event_id,
        "room_id": "!r",
        "type": "m.room.message",
        "sender": "@m.tamm:example.org",
        "origin_server_ts": 1700000000000,
        "content": {"msgtype": "m.text", "body": "hello"},
    } | fields


@given(st.lists(EVENT | JSON, max_size=6))
def test_every_entry_ends_up_somewhere(entries: list[Any]) -> None:
    """Entries of any shape are archived, kept or set aside, and what is archived can be laid out."""
    arrivals = sort_out(entries)
    ids = {*arrivals.events, *arrivals.redacted}
    assert len(ids) + len(arrivals.malformed) <= len(entries)
    assert bool(ids or arrivals.malformed) == bool(entries)
    columns = columns_of(list(arrivals.events.values()), bytes(SALT_SIZE * len(arrivals.events)))
    texts = [*columns.event_ids, *columns.room_ids, *columns.types, *columns.senders]
    texts += [text for text in (*columns.state_keys, *columns.relates_to) if text is not None]
    for text in texts:
        assert text.isprintable()
        assert len(text.encode()) <= 4 * 255


def test_event_that_comes_twice_is_taken_once() -> None:
    """Of two entries with the same event ID the first counts, and the order stays."""
    arrivals = sort_out([an_event("$b"), an_event("$a"), an_event("$b", sender="@other:x")])
    assert list(arrivals.events) == ["$b", "$a"]
    assert arrivals.events["$b"]["sender"] == "@m.tamm:example.org"


@pytest.mark.parametrize("event_id", [None, 5, "", "$" + "x" * 255, "$\0", "$\ud800", "$" + "ü" * 200])
def test_entry_without_usable_event_id_is_set_aside_whole(event_id: object) -> None:
    """What cannot be named cannot be archived, but its bytes are kept, `unsigned` too."""
    entry = an_event() | {"event_id": event_id, "unsigned": {"age": 1}}
    [malformed] = sort_out([entry]).malformed
    assert b'"unsigned":{"age":1}' in malformed.body
    assert "event_id" in malformed.reason


def test_redacted_message_waits_for_its_original_but_state_does_not() -> None:
    """A message that arrives without content is kept apart; redacted state still says who is in the room."""
    unsigned: dict[str, Any] = {"redacted_because": {}}
    arrivals = sort_out([an_event("$m", unsigned=unsigned), an_event("$s", state_key="", unsigned=unsigned)])
    assert list(arrivals.redacted) == ["$m"]
    assert list(arrivals.events) == ["$s"]


def test_leaves_are_over_salt_and_canonical_event() -> None:
    """Each event gets its own salt, and its leaf binds both."""
    events = [an_event("$a"), an_event("$b")]
    salts = bytes(range(2 * SALT_SIZE))
    columns = columns_of(events, salts)
    assert columns.salts == [salts[:SALT_SIZE], salts[SALT_SIZE:]]
    assert columns.bodies == [encode(event) for event in events]
    assert columns.leaves == [leaf_hash(columns.salts[n], columns.bodies[n]) for n in range(2)]


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({}, None),
        ({"content": {"m.relates_to": {"rel_type": "m.replace", "event_id": "$o"}}}, "$o"),
        ({"content": {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$o"}}}, "$o"),
        ({"content": {"m.relates_to": {"m.in_reply_to": {"event_id": "$o"}}}}, "$o"),
        ({"content": {"m.relates_to": {"rel_type": "m.thread", "event_id": "$o", "m.in_reply_to": {}}}}, "$o"),
        ({"content": {"m.relates_to": {"m.in_reply_to": 5}}}, None),
        ({"content": {"m.relates_to": {"rel_type": "m.replace", "event_id": 5}}}, None),
        ({"content": {"m.relates_to": []}}, None),
        ({"type": "m.room.redaction", "redacts": "$o"}, "$o"),
        ({"type": "m.room.redaction", "content": {"redacts": "$o"}}, "$o"),
        ({"type": "m.room.redaction", "content": 5}, None),
    ],
)
def test_an_event_names_what_it_is_about(fields: dict[str, Any], target: str | None) -> None:
    """Edits, redactions, reactions, answers and threads are found by the event that they are about."""
    assert columns_of([an_event(**fields)], bytes(SALT_SIZE)).relates_to == [target]


def test_text_that_a_column_cannot_hold_is_replaced_there_and_kept_in_the_body() -> None:
    """NUL, surrogates and overlong fields change only the column."""
    columns = columns_of([an_event(room_id="!\0\ud800", sender="x" * 999)], bytes(SALT_SIZE))
    assert columns.room_ids == ["!��"]
    assert columns.senders == ["x" * 255]
    assert b"\\u0000\xed\xa0\x80" in columns.bodies[0]
