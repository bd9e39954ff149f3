"""What a search prints."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bridge.archive.search.document import Kind
from bridge.archive.search.hits import Found, Hit
from bridge.archive.search.rendering import found_as_json, found_as_text
from bridge.archive.search.snippet import Snippet
from bridge.ids import EventId, RoomId, UserId

HIT = Hit(
    seq=7,
    event_id=EventId("$e"),
    room_id=RoomId("!r"),
    sender=UserId("@m.tamm:x"),
    timestamp=1700000000000,
    kind=Kind.MESSAGE,
    text="hello there",
    snippet=Snippet("hello there", ((0, 5),)),
    edits=None,
    edited=False,
    deleted=False,
)
NOTHING = Found((), None, 0, closed_exactly=True)


def test_hit_shows_when_who_what_and_where() -> None:
    """A hit names time, sender, what was found, event and room, and whether it is a file, an edit or deleted."""
    assert found_as_text(replace(NOTHING, hits=(HIT,)), 80) == (
        "2023-11-14 22:13:20Z  @m.tamm:x\n  **hello** there\n  $e\n  in !r"
    )
    marked = replace(HIT, kind=Kind.FILE, edits=EventId("$o"), edited=True, deleted=True)
    assert "[file]  [edit]  [deleted]" in found_as_text(replace(NOTHING, hits=(marked,)), 80)
    assert "[edited]" in found_as_text(replace(NOTHING, hits=(replace(HIT, edited=True),)), 80)


def test_what_is_closed_and_how_to_go_on_is_said() -> None:
    """The end of the list counts what direct rooms hold and gives the next page."""
    assert found_as_text(NOTHING, 80) == "Nothing was found."
    text = found_as_text(Found((HIT,), "abc", 1200, closed_exactly=False), 80)
    assert text.endswith(
        "At least 1,200 more in direct rooms, which only a case opens.\n\nMore: the same search with\n  --page abc"
    )


@given(st.text(st.characters(codec=None), max_size=300), st.integers(40, 100))
def test_no_text_leaves_its_columns_or_steers_the_terminal(text: str, width: int) -> None:
    """Whatever was typed is wrapped, what a terminal would obey is replaced, and JSON takes it."""
    found = replace(NOTHING, hits=(replace(HIT, text=text, snippet=Snippet(text, ()), sender=UserId("\udc00")),))
    printed = found_as_text(found, width)
    assert all(cell_len(line) <= width for line in printed.split("\n")[1:])
    assert not set(printed) & set("\x1b\x07\r\x9b\u202e\u2066\0")
    printed.encode()
    json.dumps(found_as_json(found), ensure_ascii=False).encode()
