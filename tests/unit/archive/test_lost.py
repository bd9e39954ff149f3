"""What is given back of a message, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.lost import MARK, Lost, content_of, lost_of, restored_by, transaction_of
from bridge.homeserver.event import Event
from bridge.ids import RoomId
from tests.integration.archive.test_search import edited, redacted, said
from tests.unit.archive.test_batch import an_event

AT = 1_700_000_000_000
LEAF = bytes(32)


def lost(*raws: dict[str, Any]) -> Lost | None:
    """Return the first event as it is given back after the others."""
    original, *related = [Event.of(raw, seq) for seq, raw in enumerate(raws, start=1)]
    return lost_of(original, LEAF, related)


def given_back(*raws: dict[str, Any]) -> dict[str, Any]:
    """Return the content that the bot sends for it."""
    found = lost(*raws)
    assert found
    return content_of(found, "Mari Tamm (Sales)")


def test_the_bot_says_who_wrote_what_and_when() -> None:
    """It is marked with everything by which the original is found and proven, and rings for nobody."""
    content = given_back(said("$a", "Lift at dock 3", AT))
    assert content["body"] == "Restored: Mari Tamm (Sales) wrote on 2023-11-14 22:13:20Z:\n\nLift at dock 3"
    assert (content["msgtype"], content["m.mentions"]) == ("m.notice", {})
    assert content[MARK] == {
        "event_id": "$a",
        "room_id": "!r",
        "sender": "@m.tamm:example.org",
        "origin_server_ts": AT,
        "version": "$a",
        "deleted": None,
        "leaf": "00" * 32,
    }


def test_an_edited_message_comes_as_it_read_last() -> None:
    """An edit of somebody else's, or one that was taken back, does not count."""
    raws = [
        said("$a", "one", AT),
        edited("$e1", "$a", "two"),
        edited("$e2", "$a", "three"),
        edited("$e3", "$a", "forged", sender="@mallory:x"),
        redacted("$r", "$e2"),
    ]
    content = given_back(*raws)
    assert content["body"].endswith("Z, and edited it later:\n\ntwo")
    assert content[MARK]["version"] == "$e1"


def test_an_edit_is_no_message_of_its_own() -> None:
    """Else it would be said twice."""
    assert lost(edited("$e", "$a", "two")) is None


def test_a_deleted_message_says_by_whom() -> None:
    """Whoever restores it does not hide that it had been deleted."""
    found = lost(said("$a", "one", AT), redacted("$r", "$a", sender="@boss:x", origin_server_ts=AT))
    assert found
    assert found.redaction
    content = content_of(found, "Mari")
    assert "; deleted 2023-11-14 22:13:20Z by @boss:x:\n\none" in content["body"]
    assert content[MARK]["deleted"] == "$r"


def test_formatting_is_kept_and_names_are_escaped() -> None:
    """What people call themselves is no HTML."""
    text = {"body": "*x*", "format": "org.matrix.custom.html", "formatted_body": "<b>x</b>", "msgtype": "m.text"}
    found = lost(an_event("$a", content=text))
    assert found
    formatted = content_of(found, "<script>")["formatted_body"]
    assert formatted.startswith("<p><em>Restored: &lt;script&gt; wrote")
    assert formatted.endswith("</em></p><b>x</b>")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"body": "lift.pdf"}, "(file lift.pdf, which is not restored)"),
        ({"body": "see page 2", "filename": "lift.pdf"}, "(file lift.pdf, which is not restored)\nsee page 2"),
        ({}, "(file without a name, which is not restored)"),
    ],
)
def test_a_file_is_named(content: dict[str, Any], line: str) -> None:
    """That it does not come back is said where it was."""
    assert given_back(an_event("$a", content={"msgtype": "m.file", "url": "mxc://x/1", **content}))["body"].endswith(
        line
    )


def test_a_file_that_was_uploaded_again_comes_with_its_message() -> None:
    """It looks as it did, except for where it lies; what else its sender claimed of it is left out."""
    info = {"mimetype": "application/pdf", "size": 7, "thumbnail_url": "mxc://x/2", "w": {}}
    raw = an_event("$a", content={"msgtype": "m.file", "body": "lift.pdf", "url": "mxc://x/1", "info": info})
    found = lost(raw)
    assert found
    sent = content_of(found, "Mari", "mxc://x/new")
    assert (sent["msgtype"], sent["url"], sent["filename"]) == ("m.file", "mxc://x/new", "lift.pdf")
    assert sent["info"] == {"mimetype": "application/pdf", "size": 7}
    assert sent["body"].endswith("\n\n(file lift.pdf)")


@given(
    body=st.one_of(st.text(max_size=50), st.integers(1, 62_000).map(lambda count: "\x00" * count)),
    formatted=st.one_of(st.none(), st.integers(1, 60_000).map(lambda count: "ж" * (count // 2))),
    name=st.text(max_size=100),
)
def test_whatever_was_said_can_be_sent(body: str, formatted: str | None, name: str) -> None:
    """The content is JSON that fits into an event, and says what it restores."""
    content = {"body": body, "format": "org.matrix.custom.html", "formatted_body": formatted}
    found = lost(an_event("$a", content=content))
    assert found
    sent = content_of(found, name)
    assert len(json.dumps(sent, ensure_ascii=False).encode()) < 64_000
    assert restored_by(Event.of(an_event("$b", content=sent))) == "$a"


def test_a_message_goes_to_a_room_under_one_name() -> None:
    """The same again is the same transaction; another room or event is another."""
    rooms = [RoomId("!a"), RoomId("!b")]
    names = {transaction_of(event, room) for event in ("$a", "$b") for room in rooms}
    assert len(names) == 4
    assert transaction_of("$a", rooms[0]) in names
