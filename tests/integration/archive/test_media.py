"""Noting and fetching what events refer to, from a small homeserver of files over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from bridge.archive.blob import Blobs, open_blobs
from bridge.archive.feed import run_consumer
from bridge.archive.ingest import ingest
from bridge.archive.media_fetch import MediaConsumer, MediaFetcher
from bridge.archive.media_store import Attachment, media_by_room, media_figures, read_attachments
from bridge.archive.status import status
from bridge.config_archive import MediaConfig
from bridge.database.listen import EVENTS, MEDIA, Listener
from bridge.errors import HomeserverUnavailableError, MediaUnavailableError
from bridge.homeserver.client import Homeserver
from bridge.homeserver.transport import Transport
from bridge.ids import RoomId, UserId
from tests.unit.archive.test_batch import an_event
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
PDF = b"%PDF" + b"x" * 300_000
LIMIT = 1_000_000


@dataclass
class FileServer:
    """A homeserver's files, and how it answers for those it has not."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Give the file, to whoever has the token."""
        mxc = f"mxc://{request.match_info['server']}/{request.match_info['media']}"
        self.asked.append(mxc)
        assert request.headers["Authorization"] == "Bearer token"
        if mxc in self.answers:
            return await self.answers[mxc](request)
        return web.json_response({"errcode": "M_NOT_FOUND", "error": "Not found"}, status=404)

    def has(self, mxc: str, content: bytes, mimetype: str = "application/pdf") -> None:
        """Give this file from now on."""

        async def give(_: web.Request) -> web.StreamResponse:
            return web.Response(body=content, content_type=mimetype)

        self.answers[mxc] = give

    def refuses(self, mxc: str, code: int, body: dict[str, Any] | None = None) -> None:
        """Refuse this file from now on, in the homeserver's words or as something in front of it does."""

        async def refuse(_: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=code) if body else web.Response(text="<html>", status=code)

        self.answers[mxc] = refuse


class Moment:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(days=1)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def server() -> FileServer:
    """The files."""
    return FileServer()


@pytest.fixture
async def homeserver(server: FileServer) -> AsyncIterator[Homeserver]:
    """The homeserver whose files these are."""
    application = web.Application()
    application.router.add_get("/_matrix/client/v1/media/download/{server}/{media}", server.answer)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        host, port = runner.addresses[0]
        transport = Transport(session, f"http://{host}:{port}", "token")
        yield Homeserver(transport, bot=UserId("@muster:x"), server_name="x", appservice_id="muster")
    await runner.cleanup()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """Where files are kept."""
    return open_blobs(MediaConfig(), tmp_path)


@pytest.fixture
def clock() -> Moment:
    """The fetcher's clock."""
    return Moment()


@pytest.fixture
def fetcher(pool: Pool, homeserver: Homeserver, blobs: Blobs, clock: Moment) -> MediaFetcher:
    """What is tested; it keeps files of up to a megabyte."""
    return MediaFetcher(pool, homeserver, blobs, limit=LIMIT, clock=clock)


def shared(event_id: str, mxc: str, **fields: Any) -> dict[str, Any]:
    """Return the event of somebody who sends a file."""
    info = {"size": fields.pop("size", None), "mimetype": "application/pdf"}
    return an_event(event_id, content={"msgtype": "m.file", "body": "a.pdf", "url": mxc, "info": info}, **fields)


async def note(pool: Pool, *events: dict[str, Any]) -> None:
    """Archive the events and give them to the consumer."""
    await ingest(pool, events)
    consumer = MediaConsumer(pool, "x")
    task = asyncio.create_task(run_consumer(pool, consumer, asyncio.Event()))

    async def handled() -> bool:
        seq = await pool.fetchval("SELECT seq FROM feed_cursor WHERE consumer = 'media'")
        return bool(seq == await pool.fetchval("SELECT max(seq) FROM event"))

    try:
        await wait_until(handled)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def drain(fetcher: MediaFetcher) -> int:
    """Fetch everything that is due and return how many links that were."""
    count = 0
    while await fetcher.fetch_next():
        count += 1
    return count


async def the_file(pool: Pool, seq: int = 1) -> Attachment:
    """Return the only file of an event."""
    (found,) = await read_attachments(pool, [seq])
    return found


async def test_a_file_is_fetched_and_kept_by_its_hash(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, blobs: Blobs
) -> None:
    """What was shared is in the store, byte by byte, and the event knows it."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a", size=len(PDF)))
    assert (await the_file(pool)).state == "waiting"
    assert await drain(fetcher) == 1
    found = await the_file(pool)
    assert (found.state, found.sha256, found.size, found.name, found.reason) == (
        "stored",
        hashlib.sha256(PDF).digest(),
        len(PDF),
        "a.pdf",
        None,
    )
    assert found.sha256 is not None
    assert b"".join([piece async for piece in blobs.read(found.sha256)]) == PDF
    assert await drain(fetcher) == 0


async def test_a_link_is_fetched_once_and_a_file_stored_once(
    pool: Pool, server: FileServer, fetcher: MediaFetcher
) -> None:
    """However many events refer to it, and however often the same bytes were uploaded."""
    for mxc in ("mxc://x/a", "mxc://x/b"):
        server.has(mxc, PDF)
    await note(pool, shared("$1", "mxc://x/a"), shared("$2", "mxc://x/a"), shared("$3", "mxc://x/b", room_id="!other"))
    await note(pool, shared("$4", "mxc://x/a"))
    assert await drain(fetcher) == 2
    assert sorted(server.asked) == ["mxc://x/a", "mxc://x/b"]
    figures = await media_figures(pool)
    assert (figures.files, figures.size, figures.stored) == (1, len(PDF), 2)
    rooms = await media_by_room(pool)
    assert {room: (one.files, one.stored, one.waiting) for room, one in rooms.items()} == {
        "!r": (1, 1, 0),
        "!other": (1, 1, 0),
    }


async def test_a_sender_who_lies_about_the_size_is_told_apart(
    pool: Pool, server: FileServer, fetcher: MediaFetcher
) -> None:
    """The file is kept as it is, and what was claimed is said."""
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a", size=5))
    await drain(fetcher)
    found = await the_file(pool)
    assert (found.state, found.reason) == ("stored", f"the sender claims 5 bytes, it has {len(PDF)}")


async def test_a_missing_file_is_tried_for_days_and_then_given_up(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, clock: Moment
) -> None:
    """With the homeserver's words; those of the other rooms go on meanwhile."""
    server.has("mxc://x/b", PDF)
    await note(pool, shared("$a", "mxc://x/a"), shared("$b", "mxc://x/b", room_id="!other"))
    assert await drain(fetcher) == 2
    assert (await the_file(pool)).state == "waiting"
    assert (await the_file(pool, 2)).state == "stored"
    tries = 1
    for _ in range(30):
        clock.now += timedelta(hours=6)
        tries += await drain(fetcher)
    found = await the_file(pool)
    assert (found.state, found.reason, tries) == ("gone", "404 M_NOT_FOUND: Not found", 7)
    by_room = await media_by_room(pool, [RoomId("!r")])
    assert [(one.failed, one.reasons) for one in by_room.values()] == [(1, {"404 M_NOT_FOUND: Not found": 1})]
    assert (await status(pool)).media.failed == 1


async def test_what_comes_later_is_fetched_then(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, clock: Moment
) -> None:
    """An upload that was not ready, another homeserver that was away."""
    server.refuses("mxc://y/a", 504, {"errcode": "M_NOT_YET_UPLOADED", "error": "Media has not been uploaded yet"})
    await note(pool, shared("$a", "mxc://y/a"))
    assert await drain(fetcher) == 1
    server.has("mxc://y/a", PDF)
    assert await drain(fetcher) == 0
    clock.now += timedelta(minutes=2)
    assert await drain(fetcher) == 1
    assert (await the_file(pool)).state == "stored"


async def test_too_large_a_file_is_not_kept_until_the_limit_allows_it(
    pool: Pool, server: FileServer, homeserver: Homeserver, blobs: Blobs, fetcher: MediaFetcher, clock: Moment
) -> None:
    """Whether it says its size or goes on and on."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            for _ in range(20):
                await response.write(b"x" * 100_000)
        return response

    server.has("mxc://x/a", b"x" * (LIMIT + 1))
    server.answers["mxc://x/b"] = endless
    await note(pool, shared("$a", "mxc://x/a"), shared("$b", "mxc://x/b"))
    assert await drain(fetcher) == 2
    for seq in (1, 2):
        found = await the_file(pool, seq)
        assert (found.state, found.reason) == ("too_large", "The file is larger than `archive.media.limit`.")
    clock.now += timedelta(days=30)
    assert await drain(fetcher) == 0
    assert await drain(MediaFetcher(pool, homeserver, blobs, limit=3 * LIMIT, clock=clock)) == 2
    assert [(await the_file(pool, seq)).size for seq in (1, 2)] == [LIMIT + 1, 2_000_000]


async def test_a_file_that_breaks_off_is_not_half_kept(pool: Pool, server: FileServer, fetcher: MediaFetcher) -> None:
    """Fewer bytes than the homeserver announced are no file; they are asked for again."""

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x" * 100)
        assert request.transport is not None
        request.transport.close()
        return response

    server.answers["mxc://x/a"] = cut
    await note(pool, shared("$a", "mxc://x/a"))
    assert await drain(fetcher) == 1
    found = await the_file(pool)
    assert (found.state, found.reason) == ("waiting", "the file ended before its announced size")
    assert (await media_figures(pool)).files == 0


@pytest.mark.parametrize("code", [400, 403, 404, 410, 500, 504])
async def test_whatever_is_answered_for_one_file_the_next_is_fetched(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, code: int
) -> None:
    """No link holds the others up, also not one that something before the homeserver refuses."""
    server.refuses("mxc://x/a", code)
    server.has("mxc://x/b", PDF)
    await note(pool, shared("$a", "mxc://x/a"), shared("$b", "mxc://x/b"))
    assert await drain(fetcher) == 2
    assert (await the_file(pool)).reason == f"{code} from what is in front of the homeserver"
    assert (await the_file(pool, 2)).state == "stored"


async def test_a_redirection_that_leads_nowhere_is_a_failure_of_one_file(
    pool: Pool, server: FileServer, fetcher: MediaFetcher
) -> None:
    """In circles, or to what is no address."""

    async def around(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(request.path)

    async def away(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "nonsense://"})

    server.answers |= {"mxc://x/a": around, "mxc://x/b": away}
    await note(pool, shared("$a", "mxc://x/a"), shared("$b", "mxc://x/b"))
    assert await drain(fetcher) == 2
    assert [(await the_file(pool, seq)).state for seq in (1, 2)] == ["waiting"] * 2


@pytest.mark.parametrize("code", [401, 429, 502, 503])
async def test_while_the_homeserver_is_away_no_try_counts(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, code: int
) -> None:
    """Not there, no token that it accepts, too many requests: everything waits."""
    words = {"errcode": "M_UNKNOWN_TOKEN", "error": "No"} if code < 500 else None
    server.refuses("mxc://x/a", code, words)
    await note(pool, shared("$a", "mxc://x/a"))
    with pytest.raises(HomeserverUnavailableError):
        await fetcher.fetch_next()
    server.has("mxc://x/a", PDF)
    assert await drain(fetcher) == 1
    assert (await the_file(pool)).state == "stored"


async def test_while_the_store_is_away_no_try_counts(
    pool: Pool, server: FileServer, homeserver: Homeserver, fetcher: MediaFetcher, tmp_path: Path, clock: Moment
) -> None:
    """A full or missing disk is ours to mend, and the file is fetched then."""
    (tmp_path / "no-folder").write_text("")
    stuck = MediaFetcher(
        pool, homeserver, open_blobs(MediaConfig(tmp_path / "no-folder"), tmp_path), limit=LIMIT, clock=clock
    )
    server.has("mxc://x/a", PDF)
    await note(pool, shared("$a", "mxc://x/a"))
    with pytest.raises(MediaUnavailableError):
        await stuck.fetch_next()
    assert await drain(fetcher) == 1
    assert (await the_file(pool)).state == "stored"


async def test_our_own_files_come_before_those_of_others(pool: Pool, server: FileServer, fetcher: MediaFetcher) -> None:
    """Another homeserver that is slow does not hold up what our people share."""
    links = ["mxc://other/1", "mxc://other/2", "mxc://x/1", "mxc://x/2"]
    for mxc in links:
        server.has(mxc, mxc.encode())
    await note(pool, *(shared(f"${mxc}", mxc) for mxc in links))
    await drain(fetcher)
    assert sorted(server.asked[:2]) == ["mxc://x/1", "mxc://x/2"]
    assert sorted(server.asked[2:]) == ["mxc://other/1", "mxc://other/2"]


async def test_the_service_fetches_by_itself_several_at_once(
    pool: Pool, database_url: str, server: FileServer, fetcher: MediaFetcher
) -> None:
    """From the event on, woken by the database; two who fetch do not fetch the same."""
    links = [f"mxc://x/{number}" for number in range(40)]
    for mxc in links:
        server.has(mxc, mxc.encode())
    listener = Listener(database_url)
    coroutines = [
        run_consumer(pool, MediaConsumer(pool, "x"), listener.subscribe(EVENTS)),
        fetcher.run(listener.subscribe(MEDIA)),
        fetcher.run(listener.subscribe(MEDIA)),
        listener.run(),
    ]
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]

    async def stored() -> bool:
        return (await media_figures(pool)).stored == len(links)

    try:
        await ingest(pool, [shared(f"${mxc}", mxc) for mxc in links])
        await wait_until(stored)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert sorted(server.asked) == sorted(links)


async def test_a_fetch_that_is_cut_off_is_done_again(
    pool: Pool, server: FileServer, fetcher: MediaFetcher, tmp_path: Path
) -> None:
    """Whoever ends in the middle of a file leaves the link to the next, no try counted and nothing half on the disk."""
    begun = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(PDF[:1000])
        begun.set()
        await asyncio.Event().wait()
        return response

    server.answers["mxc://x/a"] = hang
    await note(pool, shared("$a", "mxc://x/a"))
    task = asyncio.create_task(fetcher.fetch_next())
    await begun.wait()
    assert not await fetcher.fetch_next()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert [file for file in (tmp_path / "media").rglob("*") if file.is_file()] == []
    server.has("mxc://x/a", PDF)
    assert await drain(fetcher) == 1
    row = await pool.fetchrow("SELECT state, tries FROM media_link")
    assert row is not None
    assert tuple(row) == ("stored", 0)
