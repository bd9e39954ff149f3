"""What a message in a desk becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.message import (
    LONGEST,
    Message,
    Refusal,
    compose,
    confirm,
    read_event,
    render,
    render_answer,
)
from bridge.homeserver.event import Event
from bridge.ids import EventId

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEXT = {"msgtype": "m.text", "body": "The gate is closed."}
NESTED: dict[str, Any] = {}
for _ in range(300):
    NESTED = {"in": NESTED}


def _event(content: object, kind: str = "m.room.message", *, age: timedelta = timedelta(0), **more: object) -> Event:
    moment = int((NOW - age).timestamp() * 1000)
    return Event.of(
        {"event_id": "$e", "room_id": "!desk", "type": kind, "content": content, "origin_server_ts": moment, **more}
    )


def _announced(content: object) -> dict[str, Any]:
    decision = read_event(_event(content), NOW)
    assert isinstance(decision, Message)
    return render(decision.body, author_name="Anna Tamm · Head of <b>Sales</b>", announcement="7kq2-m9xd")


def _refused(event: Event) -> str:
    decision = read_event(event, NOW)
    assert isinstance(decision, Refusal)
    return decision.reason


def test_a_text_names_its_author_and_asks_for_a_reaction() -> None:
    """People see who says it, the text as it was written, and how to acknowledge."""
    content = _announced(TEXT)
    assert content["body"] == (
        "📣 Anna Tamm · Head of <b>Sales</b>\n\nThe gate is closed.\n\nReact with ✅ to acknowledge."
    )
    assert "formatted_body" not in content


@pytest.mark.parametrize("kind", ["m.text", "m.notice", "m.emote"])
def test_every_text_is_announced_so_that_it_rings(kind: str) -> None:
    """An m.notice never notifies, so whatever came is announced as m.text."""
    assert _announced({"msgtype": kind, "body": "x"})["msgtype"] == "m.text"


def test_formatting_is_kept_and_the_author_is_escaped() -> None:
    """The author's HTML stays as it is; a display name is never HTML."""
    html = "The <strong>gate</strong> is closed."
    content = _announced({**TEXT, "format": "org.matrix.custom.html", "formatted_body": html})
    assert html in content["formatted_body"]
    assert "Anna Tamm · Head of &lt;b&gt;Sales&lt;/b&gt;" in content["formatted_body"]
    assert "<b>" not in content["formatted_body"]


@pytest.mark.parametrize("more", [{"format": "text/x"}, {"format": "org.matrix.custom.html", "formatted_body": 5}, {}])
def test_formatting_that_is_not_html_is_dropped(more: dict[str, Any]) -> None:
    """A formatted body counts only as the text of the one format that Matrix knows."""
    assert "formatted_body" not in _announced({"formatted_body": "<i>x</i>", **TEXT, **more})


def test_mentions_do_not_leak_into_the_rooms() -> None:
    """Whom the author mentions in the desk is not singled out in the rooms, and neither is everybody by @room."""
    content = _announced({**TEXT, "body": "@room, ask @m.tamm", "m.mentions": {"room": True, "user_ids": ["@a:b"]}})
    assert content["m.mentions"] == {}
    assert "@a:b" not in json.dumps(content)


def test_unknown_keys_do_not_leak_into_the_rooms() -> None:
    """Only what Muster knows goes out in its name; a marker of an announcement cannot be forged."""
    content = _announced({**TEXT, "com.example": 1, "io.muster.announcement": {"id": "0000-0000"}})
    assert set(content) == {"msgtype", "body", "m.mentions", "io.muster.announcement"}
    assert content["io.muster.announcement"]["id"] == "7kq2-m9xd"


@pytest.mark.parametrize("kind", ["m.image", "m.file", "m.audio", "m.video"])
def test_a_file_goes_as_it_is(kind: str) -> None:
    """Files keep their address, name and description, and carry the announcement's id."""
    file = {"msgtype": kind, "body": "plan.pdf", "filename": "plan.pdf", "url": "mxc://a/b", "info": {"size": 5}}
    assert _announced(file) == {
        **file,
        "m.mentions": {},
        "io.muster.announcement": {"id": "7kq2-m9xd", "version": 1},
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({**TEXT, "body": None}, "has no text"),
        ({**TEXT, "body": ["x"]}, "has no text"),
        ({**TEXT, "body": " \n"}, "has no text"),
        ({"msgtype": "m.text"}, "has no text"),
        ({"body": "x"}, "Only text, images and files"),
        ({"msgtype": ["m.text"], "body": "x"}, "Only text, images and files"),
        ({"msgtype": "m.location", "body": "x", "geo_uri": "geo:1,2"}, "Only text, images and files"),
        ({"msgtype": "m.image", "body": "x", "file": {"url": "mxc://a/b"}}, "Only text, images and files"),
        ({**TEXT, "m.relates_to": {"rel_type": "m.replace", "event_id": "$e"}}, "Edits are not carried out"),
        ({**TEXT, "m.relates_to": {"m.in_reply_to": {"event_id": "$e"}}}, "Replies are not announced"),
        ({**TEXT, "m.relates_to": 5}, "Replies are not announced"),
        ({**TEXT, "body": "x" * 62_000}, "too long"),
        ({**TEXT, "body": "Ж" * 31_000}, "too long"),
    ],
)
def test_what_cannot_be_announced_is_refused_in_words(content: dict[str, Any], words: str) -> None:
    """The author is told why nothing was announced, whatever shape the message has."""
    assert words in _refused(_event(content))


def test_a_long_text_is_announced_while_an_event_can_hold_it() -> None:
    """A text of 60 KB goes out and stays under the limit of an event with all that is added."""
    content = _announced({**TEXT, "body": "x" * 60_000})
    assert len(json.dumps(content, ensure_ascii=False).encode()) <= LONGEST


@pytest.mark.parametrize(
    "event",
    [
        _event({}),
        _event({**TEXT, "m.relates_to": {"rel_type": "m.thread", "event_id": "$e"}}),
        _event(TEXT, "m.room.topic", state_key=""),
        _event(TEXT, "m.room.message", state_key="odd"),
        _event(TEXT, "m.sticker"),
        _event({"membership": "join"}, "m.room.member", state_key="@a:b"),
    ],
)
def test_what_is_no_new_message_is_passed_over(event: Event) -> None:
    """Redacted messages, talk in threads and state of the room neither announce anything nor get an answer."""
    assert read_event(event, NOW) is None


def test_an_encrypted_message_is_answered() -> None:
    """Nobody waits in vain in a desk that was made encrypted."""
    assert "encrypted" in _refused(_event({"algorithm": "m.megolm.v1.aes-sha2"}, "m.room.encrypted"))


def test_a_message_from_long_ago_is_not_announced() -> None:
    """After an outage or from a restored database, yesterday's news do not ring everybody's telephone."""
    assert "late" in _refused(_event(TEXT, age=timedelta(hours=25)))
    assert isinstance(read_event(_event(TEXT, age=timedelta(hours=23)), NOW), Message)


@pytest.mark.parametrize("moment", [0, -5, 2**53, 2**70, "noon", None, True])
def test_an_unreadable_time_never_raises(moment: object) -> None:
    """Any origin_server_ts is decided on."""
    assert read_event(_event(TEXT, origin_server_ts=moment), NOW) is not None


def test_what_a_database_cannot_hold_is_replaced() -> None:
    """NUL and lone surrogates become U+FFFD, in text and in descriptions of files; nesting has an end."""
    info = {"a\x00": "\ud800", "deep": NESTED, "list": [["\x00"]]}
    body = {"msgtype": "m.file", "body": "a\x00b\udfff", "url": "mxc://a/b", "info": info}
    text = json.dumps(_announced(body))
    assert "\\u0000" not in text
    assert "\\ud800" not in text
    assert "a\\ufffdb\\ufffd" in text
    assert len(text) < 500


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(["msgtype", "body", "url", "info", "format", "formatted_body", "m.relates_to", "filename"])
_kinds = st.sampled_from(["m.text", "m.image", "org.matrix.custom.html", "m.emote"])


@given(st.dictionaries(_keys, json_values | _kinds))
def test_whatever_people_send_is_decided(content: dict[str, Any]) -> None:
    """No content raises, and whatever is announced is UTF-8 without NUL and fits into an event."""
    decision = read_event(_event(content), NOW)
    if isinstance(decision, Message):
        sent = json.dumps(render(decision.body, author_name="Anna", announcement="7kq2-m9xd"), ensure_ascii=False)
        assert len(sent.encode()) <= LONGEST
        assert "\\u0000" not in sent


@pytest.mark.parametrize("name", ["Anna\nTamm", "Anna\x1b[31m Tamm", "  Anna   Tamm "])
def test_an_author_is_named_in_one_line(name: str) -> None:
    """A display name cannot pretend to be a line of the announcement."""
    content = render(TEXT, author_name=name, announcement="7kq2-m9xd")
    assert content["body"].split("\n")[0].startswith("📣 Anna")
    assert content["body"].split("\n")[1:] == ["", "The gate is closed.", "", "React with ✅ to acknowledge."]


def test_the_command_line_composes_the_same_message() -> None:
    """A text from the command line obeys the same rules as one from a desk."""
    assert compose("Hello") == Message({"msgtype": "m.text", "body": "Hello"})
    assert isinstance(compose(" "), Refusal)


def test_the_answer_in_the_desk_does_not_ring() -> None:
    """The bot answers with a notice that replies to the message."""
    answer = render_answer("Announced.", EventId("$e"))
    assert answer["msgtype"] == "m.notice"
    assert answer["m.relates_to"] == {"m.in_reply_to": {"event_id": "$e"}}


@pytest.mark.parametrize(
    ("rooms", "people", "words"),
    [(1, 1, "1 person in 1 room:"), (3, 1200, "1,200 people in 3 rooms:"), (1, 0, "0 people in 1 room:")],
)
def test_the_author_is_told_how_many_hear_it(rooms: int, people: int, words: str) -> None:
    """The confirmation has the id and the figures."""
    text = confirm("7kq2-m9xd", rooms=rooms, people=people)
    assert words in text
    assert "`muster announcements 7kq2-m9xd`" in text
