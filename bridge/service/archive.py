"""What keeps the archive: complete, signed, its files fetched, encrypted rooms read."""

from __future__ import annotations

import asyncio
import functools
import logging
from contextlib import suppress
from datetime import timedelta

from bridge.app import Services
from bridge.archive import anchors, signing
from bridge.archive.anchors import Anchor, FileAnchor, RoomAnchor, TimestampAnchor
from bridge.archive.backfill import audit, backfill
from bridge.archive.blob import open_blobs
from bridge.archive.checkpoint import origin_of
from bridge.archive.feed import run_consumer
from bridge.archive.media_fetch import MediaConsumer, MediaFetcher
from bridge.archive.newest import Newest
from bridge.archive.notary import Notary
from bridge.archive.orphans import Orphans
from bridge.archive.search.index import SearchConsumer
from bridge.errors import DatabaseError, HomeserverError, HomeserverUnavailableError, MusterError, SecretError
from bridge.homeserver.attendance import attend
from bridge.ids import RoomId
from bridge.membership.desired import ADMINISTRATORS
from bridge.membership.place_store import read_places
from bridge.patience import Backoff, Patience, Wake

log = logging.getLogger(__name__)

_BACKOFF = Backoff(1.0, 60.0)
"""Between two tries of a comparison that failed."""
_AUDIT_AFTER = timedelta(hours=1)
"""A room is compared at most so often between two whole comparisons."""


async def make_findable(services: Services, wake: Wake, newest: Newest) -> None:
    """Index what comes, in large parts."""
    search = SearchConsumer(services.pool, services.homeserver.bot, services.config.archive.languages)
    await run_consumer(services.pool, search, wake, batch=search.batch, rest=search.rest, newest=newest)


async def fetch_media(services: Services, wake: asyncio.Event) -> None:
    """Fetch the files that events refer to, and remove those to which none does any more."""
    media = services.config.archive.media
    blobs = await asyncio.to_thread(open_blobs, media, services.config.data)
    fetcher = MediaFetcher(services.pool, services.homeserver, blobs, limit=media.limit, clock=services.clock)
    await asyncio.gather(fetcher.run(wake), Orphans(services.pool, blobs, clock=services.clock).run())


async def keep_signed(services: Services) -> None:
    """Make checkpoints, and anchor them where the configuration says."""
    config = services.config
    try:
        key = signing.open_key(config.data)
    except MusterError as error:
        log.error("the archive is not signed: %s", error.message, extra={"action": "archive.checkpoint"})
        return
    reopen = functools.partial(signing.open_key_of, config.data)
    notary = Notary(services.pool, key, origin_of(config.homeserver.server_name), reopen)
    publish = functools.partial(anchors.publish, services.pool, _anchors(services))
    await notary.run(config.archive.checkpoint_every, publish)


def _anchors(services: Services) -> list[Anchor]:
    wanted = services.config.archive.anchors
    found: list[Anchor] = []
    if wanted.room is not None:
        found.append(RoomAnchor(services.homeserver, functools.partial(_anchor_room, services, wanted.room)))
    if wanted.file is not None:
        found.append(FileAnchor(wanted.file))
    if wanted.rfc3161 is not None:
        found.append(TimestampAnchor(wanted.rfc3161))
    return found


async def _anchor_room(services: Services, wanted: str) -> RoomId | None:
    if wanted != ADMINISTRATORS:
        return RoomId(wanted)
    place = (await read_places(services.pool)).get(ADMINISTRATORS)
    return place.room_id if place else None


async def keep_complete(services: Services) -> None:
    """Compare the archive with the homeserver whenever that has come (back)."""
    async for _ in attend(services.homeserver, services.clock):
        with suppress(HomeserverUnavailableError):  # attending says so, and comes back
            await _compare(services)


async def keep_audited(services: Services) -> None:
    """Compare one room after another, slowly, with what was archived of it."""
    every = services.config.homeserver.compare_every.total_seconds()
    while True:
        await asyncio.sleep(every)
        with suppress(HomeserverError, DatabaseError):  # of which others tell
            await audit(services.homeserver, services.pool, services.clock() - _AUDIT_AFTER)


async def _compare(services: Services) -> None:
    """Compare until it has succeeded, which it does not before the bot is an administrator."""
    patience = Patience(
        _BACKOFF,
        lambda problem: log.warning("comparing the archive waits: %s", problem, extra={"action": "archive.backfill"}),
    )
    while True:
        try:
            found = await backfill(services.homeserver, services.pool)
            break
        except HomeserverUnavailableError:
            raise
        except (HomeserverError, DatabaseError) as error:
            await patience.wait_out(error)
    log.info(
        "the archive was compared with every room (%d); events that were missing and are there now: %d",
        found.rooms,
        found.missing,
        extra={"action": "archive.backfill"},
    )


async def read_encrypted(services: Services, wake: Wake) -> None:
    """Read the rooms that the policy encrypts, by the archive's own device."""
    from bridge.archive import encryption  # needs the extra `e2ee`

    try:
        search = SearchConsumer(services.pool, services.homeserver.bot, services.config.archive.languages)
        readers = search, MediaConsumer(services.pool, services.homeserver.server_name)
        await encryption.read_encrypted(services.pool, services.homeserver, services.config.data, readers, wake)
    except SecretError as error:
        log.error("encrypted rooms are not read: %s", error.message, extra={"action": "decrypt"})
