"""Feeds served on loopback: what is new is announced once, and what is bad is told and changes nothing."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bridge.announcements.sources.feed_process import parse
from bridge.announcements.sources.feed_reader import FeedReader
from bridge.announcements.sources.intake import Intake
from bridge.config_announcements import FeedConfig, SourceConfig
from bridge.errors import InputError
from bridge.housekeeping import tidy
from tests.integration.announcements.company import NOW
from tests.integration.announcements.sources.desk_view import announcements, nothing_changed, notices

if TYPE_CHECKING:
    from bridge.database import Pool

LARGEST = 100_000


def rss(*ids: int) -> bytes:
    """A feed with entries of these numbers, newest first, as feeds are written."""
    items = "".join(f'<item><guid isPermaLink="false">{each}</guid><title>No. {each}</title></item>' for each in ids)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>S</title>{items}</channel></rss>'.encode()


@dataclass
class Site:
    """Somebody who publishes a feed."""

    document: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/rss+xml"})
    status: int = 200
    unchanged: int = 0
    """How often it had to answer that nothing changed."""

    async def answer(self, request: web.Request) -> web.Response:
        etag = f'"{hash(self.document)}"'
        if self.status == 200 and request.headers.get("If-None-Match") == etag:
            self.unchanged += 1
            return web.Response(status=304)
        return web.Response(body=self.document, status=self.status, headers={**self.headers, "ETag": etag})


@dataclass
class Feed:
    """A feed, and who reads it."""

    site: Site
    reader: FeedReader

    async def read(self, document: bytes, **headers: str) -> int:
        """Publish this and read it once."""
        self.site.document = document
        self.site.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.reader.read()


@pytest.fixture
async def feed(pool: Pool, intake: Intake) -> AsyncIterator[Feed]:
    """A feed that is announced without asking, two entries a reading at most."""
    site = Site()
    application = web.Application()
    application.router.add_get("/feed.xml", site.answer)
    async with TestServer(application) as server, ClientSession() as session:
        config = FeedConfig(
            SourceConfig("desk", "Status", True), str(server.make_url("/feed.xml")), timedelta(minutes=1), 2
        )
        reader = FeedReader(pool, session, "status", config, intake, clock=lambda: NOW, largest=LARGEST)
        yield Feed(site, reader)


async def test_only_what_is_new_is_announced_and_once(pool: Pool, feed: Feed) -> None:
    """The first reading announces nothing; later the oldest news first, at most so many a reading, none twice."""
    assert await feed.read(rss(2, 1)) == 0
    assert await announcements(pool) == []
    assert await feed.read(rss(5, 4, 3, 2, 1)) == 2
    assert await feed.read(rss(5, 4, 3, 2, 1)) == 1
    assert await feed.read(rss(5, 4, 3, 2, 1)) == 0
    assert feed.site.unchanged == 1
    assert [text for _, _, text in await announcements(pool)] == ["No. 3", "No. 4", "No. 5"]


async def test_what_a_silent_feed_said_is_never_news(pool: Pool, feed: Feed) -> None:
    """A feed that did not change for a year still knows its old entries; those that are gone from it are forgotten."""
    await feed.read(rss(2, 1))
    await pool.execute("UPDATE source_item SET seen_at = seen_at - interval '1 year'")
    await tidy(pool, NOW)
    assert await feed.read(rss(3, 2)) == 1
    await tidy(pool, NOW)
    rows = await pool.fetch("SELECT item FROM source_item ORDER BY item")
    assert [row["item"] for row in rows] == ["2", "3"]


async def test_what_cannot_be_announced_yet_waits(pool: Pool, feed: Feed) -> None:
    """An audience of nobody: told to the administrators, and announced when somebody is there."""
    await feed.read(rss(1))
    members = await pool.fetch("DELETE FROM room_member RETURNING *")
    assert await feed.read(rss(2, 1)) == 0
    assert "Nobody is in the rooms" in (await notices(pool))[0]
    await pool.executemany("INSERT INTO room_member VALUES ($1, $2, $3, $4, $5)", [tuple(row) for row in members])
    assert await feed.read(rss(2, 1)) == 1


@pytest.mark.parametrize(
    ("document", "headers", "words"),
    [
        (rss() + b" " * LARGEST, {}, "larger than 100,000 bytes"),
        (gzip.compress(bytes(50_000_000)), {"Content_Encoding": "gzip"}, "when it is unpacked"),
        (b"no gzip", {"Content_Encoding": "gzip"}, "does not unpack"),
        (b"x", {"Content_Encoding": "br"}, "expected gzip"),
        (b'<!DOCTYPE l [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]><rss/>', {}, "entities of its own"),
        (b"<rss>", {"Content_Type": "video/mp4"}, "came video/mp4"),
    ],
)
async def test_a_feed_bomb_is_refused(
    pool: Pool, feed: Feed, document: bytes, headers: dict[str, str], words: str
) -> None:
    """Whatever way a feed grows, the administrators are told once why it is not read, and nothing is changed."""
    assert await feed.read(document, **headers) == 0
    assert words in (await notices(pool))[0]
    assert await feed.reader.read() == 0
    assert len(await notices(pool)) == 1
    assert await nothing_changed(pool)


async def test_a_feed_that_takes_too_long_is_ended() -> None:
    """A feed bomb of the slow kind, on which a parser thinks for minutes: the process that reads it is ended."""
    with pytest.raises(InputError, match="takes more than 1 s"):
        await parse(
            b"<rss><channel>" + b"<a>" * 300_000, "application/xml; charset=utf-8", "https://a.example", seconds=1
        )


async def test_a_server_that_is_away_is_told_when_it_stays_away(pool: Pool, feed: Feed) -> None:
    """One failure is nobody's business, three in a row are; a login page in between does not begin anything."""
    feed.site.status = 503
    for _ in range(2):
        await feed.reader.read()
    assert await notices(pool) == []
    await feed.reader.read()
    assert "its address answers 503" in (await notices(pool))[0]
    feed.site.status = 200
    assert await feed.read(rss(1)) == 0
    assert await feed.read(rss(2, 1)) == 1
