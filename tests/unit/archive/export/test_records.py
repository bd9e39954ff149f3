"""Records as lines."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given

from bridge.archive import canonical
from bridge.archive.export.conversation import Surroundings, conversation_of
from bridge.archive.export.records import record_lines
from bridge.archive.export.transcript import transcript
from bridge.archive.export.values import Kind, Known, Record, Slice
from bridge.archive.ledger import leaf_hash
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from tests.unit.archive.export.conversations import MARI, a_record, amending, an_event, redaction
from tests.unit.archive.test_batch import EVENT


def line_of(record: Record, *following: Event) -> dict[str, Any]:
    """Return the record's line, as whoever reads it sees it."""
    about: dict[EventId, list[Event]] = {EventId("$e1"): list(following)}
    known = {(MARI, date(2023, 11, 14)): Known("m.tamm", "Mari Tamm")}
    content = record_lines([record], about, known, 9)
    assert content.endswith(b"\n")
    assert content.count(b"\n") == 1
    found: dict[str, Any] = wire.decode(content)
    return found


@given(EVENT)
def test_a_line_gives_the_leaf(raw: dict[str, Any]) -> None:
    """Whatever was archived, its line is one line of UTF-8 from which the leaf is computed again."""
    record = a_record(raw, 1)
    content = record_lines([record], {}, {}, 1)
    line = json.loads(content.decode(), parse_constant=refuse)
    assert line["leaf_index"] == 0
    if line["event"] is not None:
        assert leaf_hash(bytes(16), canonical.encode_value(wire.decode(content)["event"])) == record.leaf


def refuse(constant: str) -> None:
    """Refuse what is no JSON."""
    raise AssertionError(f"{constant} is no JSON")


def test_an_edit_names_what_it_replaces() -> None:
    """An edit tells the message, and the version before it."""
    edits = [amending(2, "m.replace", "$e1", "two"), amending(3, "m.replace", "$e1", "three")]
    events = [Event.of(raw, seq) for seq, raw in enumerate(edits, 2)]
    line = line_of(a_record(edits[1], 3), *events)
    assert (line["replaces"], line["previous"]) == ("$e1", "$e2")
    assert line_of(a_record(edits[0], 2), *events)["previous"] == "$e1"


def test_a_deleted_message_says_by_whom() -> None:
    """The text stays, with who deleted it and why."""
    line = line_of(a_record(an_event(1, "wrong"), 1), Event.of(redaction(2, "$e1"), 2))
    assert line["event"]["content"]["body"] == "wrong"
    assert (line["redaction"]["event_id"], line["redaction"]["reason"]) == ("$e2", "typo")
    assert line["sender_person"] == {"user_name": "m.tamm", "name": "Mari Tamm", "department": None}


def test_what_was_disposed_of_keeps_its_leaf() -> None:
    """Of a record that is gone the line has its ID and its leaf, and a conversation says so."""
    gone = Event(1, EventId("$e1"), RoomId("!a"), "", UserId(""), None, {}, 0, None)
    record = replace(a_record(an_event(1), 1), event=gone, body=None, salt=None)
    line = line_of(record)
    assert (line["event"], line["salt"], line["event_id"]) == (None, None, "$e1")
    around = Surroundings([], frozenset(), [], [], {})
    conversation = conversation_of(Slice(1, 1, RoomId("!a"), date(2023, 11, 14)), [record], around)
    assert conversation.messages[0].kind is Kind.OTHER
    assert "[disposed of]" in transcript(conversation)
