"""Which files an event refers to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.media import Place, Reference, delay_after, is_link, references_of, server_of
from bridge.homeserver.event import Event
from tests.unit.archive.test_batch import KEYS, an_event
from tests.unit.archive.test_canonical import JSON

A, B, C = "mxc://x.example/aaa", "mxc://x.example:8448/B-_b", "mxc://[::1]/c"
LOCK = {"url": A, "key": {"k": "secret"}, "iv": "iv", "hashes": {"sha256": "h"}, "v": "v2"}


def of(content: dict[str, Any], kind: str = "m.room.message", **fields: Any) -> tuple[Reference, ...]:
    """Return what an event with this content refers to."""
    return references_of(Event.of(an_event(type=kind, content=content, **fields)))


def test_a_file_has_its_name_type_and_size_and_a_thumbnail() -> None:
    """As its sender claims them."""
    info = {
        "mimetype": "application/pdf",
        "size": 31037,
        "thumbnail_url": B,
        "thumbnail_info": {"mimetype": "image/png", "size": 9},
    }
    assert of({"msgtype": "m.file", "body": "budget.pdf", "url": A, "info": info}) == (
        Reference(A, Place.FILE, "budget.pdf", "application/pdf", 31037),
        Reference(B, Place.THUMBNAIL, "", "image/png", 9),
    )


def test_a_caption_is_not_the_name() -> None:
    """With a caption, `filename` is the name and `body` the caption."""
    (found,) = of({"msgtype": "m.image", "body": "our holidays", "filename": "beach.jpg", "url": A})
    assert found.name == "beach.jpg"


def test_encrypted_attachments_come_with_what_decrypts_them() -> None:
    """The link is in `file`, with key, iv and hashes; a thumbnail's likewise."""
    lock = {**LOCK, "url": B}
    found = of({"msgtype": "m.image", "body": "x.png", "file": LOCK, "info": {"thumbnail_file": lock}})
    assert [(one.mxc, one.place, one.encryption) for one in found] == [
        (A, Place.FILE, LOCK),
        (B, Place.THUMBNAIL, lock),
    ]


def test_stickers_avatars_and_pictures_in_texts_count() -> None:
    """Whatever a client shows."""
    assert [one.place for one in of({"body": "hi", "url": A}, "m.sticker")] == [Place.FILE]
    assert [one.place for one in of({"url": A}, "m.room.avatar", state_key="")] == [Place.AVATAR]
    member = of({"membership": "join", "avatar_url": A}, "m.room.member", state_key="@a:x")
    assert [(one.mxc, one.place) for one in member] == [(A, Place.AVATAR)]
    text = f"""<img alt="1" src="{A}"> <IMG SRC = '{B}'/> <img src={C}> <a href="mxc://x.example/link">"""
    assert [(one.mxc, one.place) for one in of({"formatted_body": text})] == [
        (link, Place.INLINE) for link in (A, B, C)
    ]


def test_an_edit_refers_to_the_new_files_too() -> None:
    """What an edit replaces a file with was shown as well; the same link counts once."""
    edit = {"body": "* b", "url": A, "m.new_content": {"body": "b", "url": B, "formatted_body": f'<img src="{A}">'}}
    assert [one.mxc for one in of(edit)] == [A, B]


@pytest.mark.parametrize(
    "link",
    [
        "https://x.example/a.png",
        "mxc://x.example",
        "mxc:///a",
        "mxc://x.example/../admin",
        "mxc://x/a?b",
        "mxc://x/a\n",
    ],
)
def test_what_is_no_link_to_media_is_none(link: str) -> None:
    """Nothing that somebody writes becomes another request than one for a file."""
    assert not is_link(link)
    assert of({"url": link, "file": {"url": link}, "info": {"thumbnail_url": link}}) == ()


def test_lies_are_kept_within_bounds() -> None:
    """Names that no text can hold, sizes that are none, more links than anybody sends."""
    (found,) = of({"url": A, "body": "a\0" * 500, "info": {"size": -1, "mimetype": 7}})
    assert (found.size, found.mimetype, len(found.name), "\0" in found.name) == (None, "", 255, False)
    assert of({"url": A, "info": {"size": True}})[0].size is None
    many = "".join(f'<img src="mxc://x/{number}">' for number in range(2000))
    assert len(of({"formatted_body": many})) == 100


@given(
    st.dictionaries(st.sampled_from(KEYS), JSON), st.sampled_from(["m.room.message", "m.room.member", "m.room.avatar"])
)
def test_no_event_is_too_strange(event: dict[str, Any], kind: str) -> None:
    """An event of any shape refers to files or does not; nothing is raised."""
    names = ("url", "file", "info", "m.new_content", "formatted_body", "thumbnail_url", "thumbnail_file")
    for content in ({name: event.get("content") for name in names}, event.get("content")):
        for one in references_of(Event.of(event | {"type": kind, "content": content})):
            assert is_link(one.mxc)


def test_whose_file_it_is_stands_in_the_link() -> None:
    """Also with a port, or an IPv6 address."""
    assert [server_of(link) for link in (A, B, C)] == ["x.example", "x.example:8448", "[::1]"]


def test_links_are_tried_for_four_days() -> None:
    """At growing intervals; then never again."""
    delays = [delay for tries in range(1, 7) if (delay := delay_after(tries))]
    assert delays == sorted(delays)
    assert timedelta(days=3) < sum(delays, timedelta()) < timedelta(days=4)
    assert delay_after(7) is None
