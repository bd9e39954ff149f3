"""Keeping the files that events refer to: noting the links, and fetching what they lead to.

`MediaConsumer` notes each event's links and holds nothing up; `MediaFetcher` fetches them, our own homeserver's first,
a few at a time, each into the store while it comes. A link that fails is tried again for four days, at growing
intervals, then given up with the reason; what waits for something that is away (homeserver, store, database) waits and
counts no try. Any number of processes may fetch at once: each link is claimed by its row's lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from bridge.archive import disposal_store, media_store, store
from bridge.archive.batch import storable
from bridge.archive.blob import Blobs, Received
from bridge.archive.media import delay_after, references_of
from bridge.archive.media_store import Link
from bridge.archive.undecrypted import as_said
from bridge.clock import Clock, system_clock
from bridge.database.listen import MEDIA
from bridge.errors import (
    DatabaseUnavailableError,
    HomeserverError,
    HomeserverUnavailableError,
    MediaTooLargeError,
    MediaUnavailableError,
)
from bridge.homeserver.download import Download
from bridge.homeserver.event import Event
from bridge.patience import woken

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

_AT_ONCE = 4
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LOOK_EVERY = 15.0
"""Seconds after which what failed may be due again."""
_LONGEST_REASON = 300


class Repository(Protocol):
    """The homeserver's files."""

    server_name: str

    def download(self, mxc: str) -> AbstractAsyncContextManager[Download]:
        """Request a file; raises `HomeserverError`."""
        ...


class MediaConsumer:
    """The consumer of the feed that notes which files are to be fetched."""

    name = "media"

    def __init__(self, pool: Pool, own_server: str) -> None:
        self._pool = pool
        self._own_server = own_server

    async def handle(self, events: Sequence[Event]) -> None:
        """Note the files that the events, in their order, refer to, unless they were disposed of; again is fine.

        Encrypted ones that were read count as what they said.
        """
        events = await as_said(self._pool, events)
        found = [(event.seq, reference) for event in events for reference in references_of(event)]
        if not found:
            return
        async with store.transaction(self._pool) as connection:
            await disposal_store.hold_off_disposal(connection)
            gone = await disposal_store.read_gone(connection, found[0][0], found[-1][0])
            await media_store.put_references(
                connection, [each for each in found if each[0] not in gone], self._own_server
            )
            await media_store.wake_fetchers(connection, MEDIA)


class MediaFetcher:
    """Fetches what waits; `limit` is the size in bytes of the largest file that is kept."""

    def __init__(
        self, pool: Pool, repository: Repository, blobs: Blobs, *, limit: int, clock: Clock = system_clock
    ) -> None:
        self._pool = pool
        self._repository = repository
        self._blobs = blobs
        self._limit = limit
        self._clock = clock
        self._said = ""
        """Why everything waits; it is logged once."""

    async def run(self, wake: asyncio.Event) -> None:
        """Fetch until cancelled; `wake` is set when something may wait (channel `MEDIA`)."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._work(wake))

    async def fetch_next(self) -> bool:
        """Fetch the next link that is due and note what came of it; return whether there was one.

        Raises `HomeserverUnavailableError`, `MediaUnavailableError` or `DatabaseUnavailableError`: then the link waits.
        """
        async with store.transaction(self._pool) as connection:
            link = await media_store.claim_link(connection, self._clock(), self._limit)
            if link is None:
                return False
            try:
                received, mimetype = await self._fetch(link)
            except (HomeserverUnavailableError, MediaUnavailableError):
                raise
            except MediaTooLargeError as error:
                await self._note_too_large(connection, link, error)
            except HomeserverError as error:
                await self._note_failure(connection, link, error.message, gone=error.status == HTTPStatus.NOT_FOUND)
            except Exception as error:  # one link that nobody foresaw does not stop the others
                log.exception("a file cannot be fetched", extra={"action": "media.failed"})
                await self._note_failure(connection, link, type(error).__name__)
            else:
                await media_store.put_file(connection, link.mxc, received.sha256, received.size, mimetype)
                await self._insist_on(received.sha256)
        return True

    async def _insist_on(self, sha256: bytes) -> None:
        """Raise `MediaUnavailableError` when the file was removed before its row was ours, as an orphan of others."""
        if not await self._blobs.has(sha256):
            raise MediaUnavailableError("A file was removed while it came again; it is fetched once more.")

    async def _work(self, wake: asyncio.Event) -> None:
        pause = 0.0
        while True:
            wake.clear()
            try:
                found = await self.fetch_next()
            except (HomeserverUnavailableError, MediaUnavailableError, DatabaseUnavailableError) as error:
                self._say(error.message)
                pause = min(pause * 2 or _SHORTEST_PAUSE, _LONGEST_PAUSE)
                await asyncio.sleep(pause)
                continue
            if found:
                pause = 0.0
                self._say("")
            else:
                await woken(wake, _LOOK_EVERY)

    def _say(self, words: str) -> None:
        if words and not self._said:
            log.warning("media wait: %s", words, extra={"action": "media.wait"})
        elif self._said and not words:
            log.info("media go on", extra={"action": "media.go_on"})
        self._said = words

    async def _fetch(self, link: Link) -> tuple[Received, str]:
        async with self._repository.download(link.mxc) as download:
            if download.size is not None and download.size > self._limit:
                raise MediaTooLargeError(download.size)
            received = await self._blobs.receive(download.chunks, self._limit)
            return received, storable(download.mimetype, _LONGEST_REASON)

    async def _note_too_large(self, connection: Connection, link: Link, error: MediaTooLargeError) -> None:
        reason = storable(error.message, _LONGEST_REASON)
        await media_store.put_failure(connection, link.mxc, "too_large", reason, needs=error.size)
        log.warning("%s (%d bytes)", reason, error.size, extra={"action": "media.failed"})

    async def _note_failure(self, connection: Connection, link: Link, words: str, *, gone: bool = False) -> None:
        reason = storable(words, _LONGEST_REASON)
        delay = delay_after(link.tries + 1)
        if delay is not None:
            await media_store.put_failure(connection, link.mxc, "waiting", reason, next_try=self._clock() + delay)
            return
        await media_store.put_failure(connection, link.mxc, "gone" if gone else "failed", reason)
        log.warning("a file is given up: %s", reason, extra={"action": "media.failed"})
