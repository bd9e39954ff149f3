"""What the archive's verbs print."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bridge.archive.inspection import Finding, Problem, Verdict
from bridge.archive.rendering import (
    moment,
    status_as_text,
    verdict_as_json,
    verdict_as_text,
)
from bridge.archive.story_text import Around, story_as_json, story_as_text
from bridge.archive.values import Status, Story, Version
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from tests.unit.archive.test_batch import an_event

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEXT = st.text(st.characters(codec=None), max_size=300)
STATUS = Status(
    size=12345,
    root=bytes(32),
    newest=NOON,
    rooms=3,
    checked_at=NOON,
    backfilled=1,
    awaiting=0,
    set_aside=2,
    behind={"search": 5, "membership": 0},
)


def a_version(redaction: dict[str, Any] | None = None, **fields: Any) -> Version:
    """Return a version of an event, perhaps redacted."""
    event = Event.of(an_event("$o", **fields), 7)
    return Version(event, Event.of(an_event("$r", type="m.room.redaction", **redaction)) if redaction else None)


@given(TEXT, st.integers(40, 100))
def test_no_text_leaves_its_columns_or_steers_the_terminal(text: str, width: int) -> None:
    """Whatever was typed is wrapped, and what a terminal would obey is replaced."""
    story = Story(a_version(content={"body": text}), (), NOON, NOON, backfilled=False)
    printed = story_as_text(story, Around(), width)
    assert all(cell_len(line) <= width for line in printed.split("\n")[6:])
    assert not set(printed) & set("\x1b\x07\r\x9b\u202e\u2066\0")
    printed.encode()


def test_long_text_is_shown_whole() -> None:
    """A story has all of it."""
    text = "word " * 500
    story = Story(a_version(content={"body": text}), (), NOON, NOON, backfilled=False)
    assert story_as_text(story, Around(), 80).count("word") == 500


def test_story_shows_every_text_and_who_took_it_back() -> None:
    """Original, edit and redaction stand in order, with time and person."""
    redaction = {"sender": "@boss:x", "origin_server_ts": 1700000001000, "content": {"reason": "typo"}}
    edit = Version(Event.of(an_event("$e", content={"body": "second"})), None)
    text = story_as_text(Story(a_version(redaction), (edit,), NOON, NOON, backfilled=True), Around(), 80)
    assert "archived  2026-03-02 12:00:00Z at position 7, fetched afterwards" in text
    assert "\n  hello\ndeleted 2023-11-14 22:13:21Z by @boss:x: typo\n" in text
    assert text.endswith("edited 2023-11-14 22:13:20Z · $e\n  second")


def test_event_without_text_shows_its_content() -> None:
    """What is no message is shown as JSON."""
    story = Story(a_version(type="m.room.topic", content={"topic": "x"}), (), NOON, NOON, backfilled=False)
    assert '{"topic":"x"}' in story_as_text(story, Around(), 80)


def test_json_of_poison_can_be_written() -> None:
    """Lone surrogates and nesting without end become text that any JSON writer takes."""
    deep = wire.decode(b"[" * 20_000 + b"]" * 20_000)
    content = {"body": "\ud800", "deep": deep, "\udfff": "x"}
    story = Story(a_version({"content": {"reason": deep}}, content=content), (), NOON, NOON, backfilled=False)
    json.dumps(story_as_json(story, Around()), ensure_ascii=False).encode()


def test_verdict_names_what_and_where() -> None:
    """A good verdict gives size and root, a bad one the first position."""
    good = Verdict(12345, bytes(32), None)
    assert verdict_as_text(good).startswith("12,345 events: every event and the root agree.")
    bad = replace(good, finding=Finding(Problem.MISSING, 17))
    assert "the event at position 17 is missing" in verdict_as_text(bad)
    assert verdict_as_json(bad) == {
        "ok": False,
        "size": 12345,
        "root": "00" * 32,
        "problem": "missing",
        "first_bad": 17,
        "event_id": "",
        "room_id": "",
        "checkpoint": 0,
        "checkpoints": 0,
        "since": 0,
    }
    for problem in Problem:
        text = verdict_as_text(replace(bad, finding=Finding(problem, 1)))
        assert all(len(line) <= 80 for line in text.split("\n"))


def test_status_fits_its_columns() -> None:
    """Each figure has a line, and readers that are up to date are not named."""
    text = status_as_text(STATUS)
    assert all(len(line) <= 80 for line in text.split("\n"))
    assert "events      12,345" in text
    assert text.endswith("behind      search 5")


def test_impossible_times_are_said_to_be_unknown() -> None:
    """A sender may claim any time."""
    assert moment(0) == moment(-1) == moment(2**53) == "at an unknown time"
    assert moment(1) == "1970-01-01 00:00:00Z"
