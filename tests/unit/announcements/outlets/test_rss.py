"""The public feed: read back by a feed reader, whatever stands in it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import feedparser
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.announcements.outlets.call import body_of_call, id_of_call
from bridge.announcements.outlets.rss import rss_of
from bridge.announcements.outlets.said import Said
from bridge.announcements.values import Priority, State, Whom

ADDRESS = "https://chat.example/feeds/desk.xml"
MOMENT = datetime(2027, 3, 1, 8, tzinfo=UTC)


def said(texts: dict[str, dict[str, Any]], **other: Any) -> Said:
    given = {
        "id": "7kq2-m9xd",
        "desk": "desk",
        "author_name": "Anna <CEO>",
        "state": State.OPEN,
        "priority": Priority.NORMAL,
        "audience": Whom(rooms=("news",)),
        "version": 1,
        "opened_at": MOMENT,
    }
    return Said(**{**given, **other}, texts=texts)


def read(document: bytes) -> Any:
    found = feedparser.parse(io.BytesIO(document), sanitize_html=False)
    assert not found.bozo, found.get("bozo_exception")
    return found


def test_a_feed_reader_reads_it() -> None:
    """Title, text, author and moment; pictures, which nobody outside could fetch, are named."""
    formatted = 'We <b>moved</b> &amp; more<img src="mxc://a/b" alt="map">'
    body = {"msgtype": "m.text", "body": "We moved\nto the harbour", "formatted_body": formatted}
    found = read(rss_of("Nordwind", "News & more", [said({"": body})], ADDRESS))
    assert found.feed.title == "Nordwind: News & more"
    [entry] = found.entries
    assert (entry.title, entry.id, entry.tags[0].term) == ("We moved", "7kq2-m9xd", "Anna <CEO>")
    assert entry.summary == "We <b>moved</b> &amp; moremap"
    assert entry.published_parsed[:4] == (2027, 3, 1, 8)


def test_all_languages_and_files_are_in_it() -> None:
    """One after another; a file is named behind what is said of it."""
    texts = {
        "et": {"msgtype": "m.text", "body": "Kolisime <ära>"},
        "en": {"msgtype": "m.file", "body": "We moved", "filename": "plan.pdf", "url": "mxc://a/b"},
    }
    [entry] = read(rss_of("N", "d", [said(texts)], ADDRESS)).entries
    assert entry.summary.replace("<br />", "<br>") == "We moved<br>\n<br>\n[plan.pdf]\nKolisime &lt;ära&gt;"


@settings(max_examples=50)
@given(st.text(), st.text(), st.text())
def test_any_text_makes_a_feed(text: str, formatted: str, name: str) -> None:
    """Control characters, markup and emojis: the feed stays one that reads."""
    texts = {"": {"msgtype": "m.text", "body": text, "formatted_body": formatted}}
    assert len(read(rss_of(name, name, [said(texts, author_name=name)], ADDRESS)).entries) == 1


def test_a_call_about_what_was_taken_back_repeats_nothing_of_it() -> None:
    """Who asks that something be forgotten does not send it once more."""
    retracted = said({"": {"msgtype": "m.text", "body": "secret"}}, state=State.RETRACTED)
    assert b"secret" in body_of_call(retracted, "opened", MOMENT)
    assert b"secret" not in body_of_call(retracted, "retracted", MOMENT)


def test_the_same_occurrence_has_the_same_id() -> None:
    """And every other another one."""
    ids = [id_of_call("a", "x", "edited", 2), id_of_call("a", "x", "edited", 2), id_of_call("a", "x", "edited", 3)]
    assert ids[0] == ids[1] != ids[2]
