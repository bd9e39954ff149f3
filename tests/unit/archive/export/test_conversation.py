"""What was said in a room on a day."""

from __future__ import annotations

from bridge.archive.export.values import Kind
from bridge.archive.values import text_of
from tests.unit.archive.export.conversations import (
    BOSS,
    DAY,
    MARI,
    a_conversation,
    amending,
    an_event,
    member,
    redaction,
)


def test_what_amends_a_message_is_told_with_it() -> None:
    """Edits, reactions and a redaction stand in the message, in their order, and nowhere else."""
    events = [
        an_event(1, "one"),
        amending(2, "m.replace", "$e1", "two"),
        amending(3, "m.replace", "$e1", "not hers", sender=BOSS),
        amending(4, "m.replace", "$e1", "three"),
        amending(5, "m.annotation", "$e1", sender=BOSS, key="👍"),
        redaction(6, "$e5"),
        redaction(7, "$e1"),
    ]
    (message,) = a_conversation(events).messages
    assert message.text == "one"
    assert [text_of(edit.event) for edit in message.edits] == ["two", "three"]
    assert [(one.key, one.version.redaction is not None) for one in message.reactions] == [("👍", True)]
    assert message.redaction is not None
    assert (message.redaction.event_id, message.redaction.sender) == ("$e7", BOSS)


def test_what_amends_something_that_is_not_exported_stands_for_itself() -> None:
    """A deletion of a message from before the export is not lost."""
    events = [an_event(1), redaction(2, "$e1"), an_event(3)]
    found = a_conversation(events, chosen=events[1:]).messages
    assert [(message.record.event.event_id, message.kind) for message in found] == [
        ("$e2", Kind.OTHER),
        ("$e3", Kind.MESSAGE),
    ]


def test_who_comes_and_goes_is_told() -> None:
    """Who was there before is there; a new name is no arrival; whoever leaves has left."""
    before = [member(-90_000, MARI, "join", "Mari")]
    events = [member(1, MARI, "join", "Mari T"), member(2, BOSS, "join"), member(3, MARI, "leave"), an_event(4)]
    found = a_conversation(events, before=before)
    assert found.present == {MARI}
    assert [message.kind for message in found.messages] == [Kind.OTHER, Kind.JOIN, Kind.LEAVE, Kind.MESSAGE]
    assert found.participant(MARI).display_name == "Mari T"


def test_answers_and_threads_are_named() -> None:
    """A message says what it answers, and in whose thread it stands."""
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": "$e1"}}, "body": "yes"}
    events = [an_event(1), an_event(2, content=reply), amending(3, "m.thread", "$e1", "more")]
    _, answer, thread = a_conversation(events).messages
    assert (answer.reply_to, answer.thread) == ("$e1", None)
    assert thread.thread == "$e1"


def test_the_order_is_that_of_sending() -> None:
    """What came late stands where it was said."""
    events = [an_event(2, "second", origin_server_ts=DAY + 2), an_event(1, "first", origin_server_ts=DAY + 1)]
    assert [message.text for message in a_conversation(events).messages] == ["first", "second"]
