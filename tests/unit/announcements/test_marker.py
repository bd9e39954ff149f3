"""What the bot says is found again by its mark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.marker import editing, read_mark, sending, transaction_id
from bridge.announcements.message import LONGEST
from bridge.ids import EventId

_contents = st.dictionaries(st.sampled_from(["msgtype", "body", "url", "m.mentions", "x"]), st.text() | st.integers())
_keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
_turns = st.integers(0, 999_999_999)


@given(content=_contents, key=_keys, turn=_turns)
def test_what_was_said_reads_back(content: dict[str, Any], key: str, turn: int) -> None:
    """Key, turn and content come back as they were put, also when the key has a `#`; and whether it is an edit."""
    said = read_mark(sending(content, key, turn))
    edited = read_mark(editing(content, EventId("$e"), key, turn))
    assert said is not None
    assert edited is not None
    assert (said.key, said.turn, said.content, said.edits) == (key, turn, content, False)
    assert (edited.key, edited.turn, edited.content, edited.edits) == (key, turn, content, True)


@pytest.mark.parametrize("mark", [None, 5, "", "x", "#0", "x#", "x#-1", "x#1.5", "x#٣x", "\x00#1", "x#9999999999", []])
def test_a_malformed_mark_marks_nothing(mark: object) -> None:
    """Reading back never raises."""
    assert read_mark({"io.muster.outgoing": mark}) is None


def test_an_edit_names_what_it_replaces_and_rings_for_nobody() -> None:
    """It is an event replacement of the specification; clients that know none see a short text."""
    content = {"msgtype": "m.text", "body": "The gate is open.", "m.mentions": {"user_ids": ["@a:b"]}}
    edit = editing(content, EventId("$e"), "k", 0)
    assert edit["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$e"}
    assert edit["m.new_content"] == content
    assert (edit["msgtype"], edit["body"], edit["m.mentions"]) == ("m.text", "* The gate is open.", {})


def test_the_longest_text_can_be_edited() -> None:
    """What may be announced also fits into the event that replaces it."""
    content = {"msgtype": "m.text", "body": "𝕏" * (LONGEST // 4)}
    edit = editing(content, EventId("$" + "e" * 43), f"7kq2-m9xd/edit/{'r' * 255}", 999)
    assert len(json.dumps(edit, ensure_ascii=False).encode()) < LONGEST + 1500


def test_a_transaction_is_the_row_its_turn_and_its_words() -> None:
    """The same again is the same event on Synapse; anything else is another."""
    names = [transaction_id(key, turn, {"body": body}) for key in "ab" for turn in (0, 1) for body in "xy"]
    assert len(set(names)) == 8
    assert transaction_id("a", 0, {"body": "x", "url": "y"}) == transaction_id("a", 0, {"url": "y", "body": "x"})
