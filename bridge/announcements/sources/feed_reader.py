"""Reading RSS and Atom feeds: what is new in them is announced, each entry once.

The first reading of an address announces nothing: what stands there then is old. An entry is known by its id and not
announced again when it changes. An entry and the note that it was announced are one database transaction. Until all
news is announced (a room may be missing, or there is more than one reading may announce) the feed is asked for anew,
whether it has changed or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import aiohttp

from bridge.announcements.sources import store
from bridge.announcements.sources.feed import Entry, body_of_entry, news
from bridge.announcements.sources.feed_process import parse
from bridge.announcements.sources.fetch import LARGEST, AwayError, fetch
from bridge.announcements.sources.intake import Intake
from bridge.announcements.sources.passage import Incoming
from bridge.announcements.sources.store import FeedPlace
from bridge.clock import Clock
from bridge.config_announcements import FeedConfig
from bridge.database import AWAY
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import InputError, MusterError, RefusedError, UnknownNameError

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

_TOLD_AFTER: Final = 3
"""Readings in a row that fail before anybody is told: servers are restarted."""


class FeedReader:
    """Who reads one feed; any number of processes may do so at once."""

    def __init__(
        self,
        pool: Pool,
        session: aiohttp.ClientSession,
        name: str,
        feed: FeedConfig,
        intake: Intake,
        *,
        clock: Clock,
        largest: int = LARGEST,
    ) -> None:
        """Take the name from the configuration; `largest` is in bytes."""
        self._pool = pool
        self._session = session
        self._name = name
        self._feed = feed
        self._intake = intake
        self._clock = clock
        self._largest = largest

    async def run(self) -> None:
        """Read again and again until cancelled; while the database is away, wait."""
        while True:
            try:
                await self.read()
            except AWAY as error:
                log.warning("feed %s waits: %s", self._name, type(error).__name__, extra={"action": "feed.wait"})
            except Exception as error:  # one feed nobody foresaw must not stop all others
                log.error("feed %s cannot be read: %s", self._name, type(error).__name__, extra={"action": "feed.wait"})
            await asyncio.sleep(self._feed.every.total_seconds())

    async def read(self) -> int:
        """Read the feed once and return how many entries became announcements; the administrators hear of trouble."""
        place = await store.load_place(self._pool, self._name)
        if place is None or place.url != self._feed.url:
            place = FeedPlace(self._feed.url)
        try:
            document = await fetch(
                self._session, place.url, etag=place.etag, modified=place.modified, largest=self._largest
            )
            if document is None:
                await store.put_place(self._pool, self._name, replace(place, failures=0))
                return 0
            entries = await parse(document.content, document.content_type, document.address)
        except (AwayError, InputError) as error:
            await self._failed(place, error)
            return 0
        now = FeedPlace(self._feed.url, True, document.etag, document.modified)
        if not place.begun:
            await self._begin(now, entries)
            return 0
        return await self._take(now, entries)

    async def _begin(self, place: FeedPlace, entries: Sequence[Entry]) -> None:
        """Note what stands there now, which is not news."""
        async with self._pool.acquire() as db, db.transaction():
            await store.remember_all(db, self._origin, [entry.id for entry in entries], self._clock())
            await store.put_place(db, self._name, place)
        log.info("feed %s is read from now on", self._name, extra={"action": "feed.read"})

    async def _take(self, place: FeedPlace, entries: Sequence[Entry]) -> int:
        known = await store.touch_known(self._pool, self._origin, [entry.id for entry in entries], self._clock())
        fresh = news(entries, known)
        done = [await self._announce(entry) for entry in fresh[: self._feed.at_most]]
        complete = all(done) and len(done) == len(fresh)
        await store.put_place(self._pool, self._name, place if complete else replace(place, etag="", modified=""))
        log.info("feed %s is read; new: %d", self._name, sum(done), extra={"action": "feed.read"})
        return sum(done)

    async def _announce(self, entry: Entry) -> bool:
        """Announce one entry; False when it was refused and has to wait."""
        now, body = self._clock(), body_of_entry(entry)
        try:
            async with self._pool.acquire() as db, db.transaction():
                if body:
                    incoming = Incoming({"": body})
                    await self._intake.announce(db, self._feed.source, self._origin, entry.id, incoming, now)
                else:
                    await store.remember(db, self._origin, entry.id, now)
        except (RefusedError, UnknownNameError) as error:
            await self._tell("refused", f"An entry of the feed {self._name!r} is not announced yet: {error.message}")
            return False
        return True

    async def _failed(self, place: FeedPlace, error: MusterError) -> None:
        """Count the failure, and tell the administrators when it goes on or does not mend itself."""
        failures = place.failures + 1
        await store.put_place(self._pool, self._name, replace(place, failures=failures))
        log.warning("feed %s is not read: %s", self._name, error.message, extra={"action": "feed.wait"})
        if failures >= _TOLD_AFTER or isinstance(error, InputError):
            await self._tell(
                "failing",
                f"The feed {self._name!r} is not read: {error.message}. Muster keeps trying; nothing of it was "
                "announced. To mend it: see `announcements: feeds:` in the configuration.",
            )

    async def _tell(self, what: str, words: str) -> None:
        await put_notice(self._pool, Notice(f"{self._origin}:{what}", words))

    @property
    def _origin(self) -> str:
        return f"feed/{self._name}"
