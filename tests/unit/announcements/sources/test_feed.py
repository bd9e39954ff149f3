"""Feeds: what they say, what of it is news, and what is not read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.announcements.sources.feed import LONGEST_CONTENT, Entry, body_of_entry, news, read_feed
from bridge.errors import InputError

ADDRESS = "https://status.example/feed.xml"
RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Status</title>
<item><title>Second &amp; last</title><guid isPermaLink="false">2</guid><link>/2</link>
<pubDate>Tue, 02 Mar 2027 10:00:00 GMT</pubDate>
<description>&lt;p onclick="x()"&gt;Up&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;
&lt;img src="https://evil.example/p"&gt;</description></item>
<item><title>First</title><guid isPermaLink="false">1</guid><link>javascript:alert(1)</link>
<pubDate>Mon, 01 Mar 2027 10:00:00 GMT</pubDate></item>
</channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title>
<entry><id>urn:2</id><title type="html">&lt;b&gt;B&lt;/b&gt;</title><link href="https://a.example/2"/>
<content type="html">&lt;p&gt;two&lt;/p&gt;</content></entry>
<entry><id>urn:1</id><title>A</title></entry></feed>"""


def read(document: bytes) -> tuple[Entry, ...]:
    return read_feed(document, "application/xml; charset=utf-8", ADDRESS)


def test_entries_come_oldest_first() -> None:
    """By their dates; without dates the end of the document is the oldest."""
    assert [entry.id for entry in read(RSS)] == ["1", "2"]
    assert [entry.title for entry in read(ATOM)] == ["A", "B"]


def test_html_with_scripts_loses_them() -> None:
    """What is announced of an entry: title, text and link, and nothing that runs or is fetched."""
    body = body_of_entry(read(RSS)[1])
    assert body["formatted_body"].startswith("<h3>Second &amp; last</h3>\n<p>Up</p>")
    assert 'href="https://status.example/2"' in body["formatted_body"]
    assert not any(word in str(body) for word in ("alert", "script", "onclick", "evil"))
    assert read(RSS)[0].link == ""


def test_a_long_entry_is_its_title_and_link() -> None:
    """Whoever wants to read all of it follows the link."""
    body = body_of_entry(Entry("1", "Long", "<p>x</p>" * LONGEST_CONTENT, "https://a.example/1"))
    assert body["body"] == "Long\n\nhttps://a.example/1"


def test_only_news_is_news() -> None:
    """What is known is not."""
    entries = [Entry(str(number), "t", "", "") for number in range(5)]
    assert [entry.id for entry in news(entries, {"0", "2"})] == ["1", "3", "4"]


@pytest.mark.parametrize(
    "document",
    [
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><channel/></rss>',
        '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss/>'.encode("utf-16"),
    ],
)
def test_a_feed_with_entities_is_refused(document: bytes) -> None:
    """A feed bomb of the small kind: entities that grow, or that read files."""
    with pytest.raises(InputError, match="entities of its own"):
        read(document)


@pytest.mark.parametrize("document", [b"", b"<html><body>Log in</body></html>", b"{}", b"\xff\xfe\x00"])
def test_what_is_no_feed_is_refused(document: bytes) -> None:
    """A login page is no feed without entries."""
    with pytest.raises(InputError, match="expected an RSS or Atom feed"):
        read(document)


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(middle: bytes) -> None:
    """Whatever stands in a feed, its entries have a text, or it is refused."""
    try:
        entries = read(RSS[:200] + middle + RSS[200:])
    except InputError:
        return
    assert all(entry.title or entry.content for entry in entries)
