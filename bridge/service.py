"""The service: everything that runs for as long as Muster lives, joined here and nowhere else.

Each task keeps its place in the database and waits by itself while something is away; a task that ends with an error
nobody foresaw ends the service, and whoever supervises it starts it again where it was.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp import web

from bridge.announcements.deliver import Deliverer
from bridge.announcements.desk import DeskConsumer
from bridge.app import Services
from bridge.archive import anchors, signing
from bridge.archive.anchors import Anchor, FileAnchor, RoomAnchor, TimestampAnchor
from bridge.archive.backfill import OriginalsConsumer, audit, backfill
from bridge.archive.blob import open_blobs
from bridge.archive.checkpoint import origin_of
from bridge.archive.feed import Consumer, run_consumer
from bridge.archive.held_media import HeldMedia
from bridge.archive.hold_store import held_seqs
from bridge.archive.ingest import ingest
from bridge.archive.media_fetch import MediaConsumer, MediaFetcher
from bridge.archive.newest import Newest
from bridge.archive.nightly import Nightly
from bridge.archive.notary import Notary
from bridge.archive.orphans import Orphans
from bridge.archive.residence import can_decrypt
from bridge.archive.search_index import SearchConsumer, prepare_index
from bridge.config import Applying, Config
from bridge.config_archive import Disposing
from bridge.config_feeds import SignatureName
from bridge.database import AWAY
from bridge.database.embedded import EmbeddedPostgres
from bridge.database.listen import (
    ANNOUNCEMENTS,
    BARRIERS,
    DIRECTORY,
    EVENTS,
    FACES,
    HOOKS,
    MEDIA,
    MEMBERSHIP,
    NOTICES,
    PROFILES,
    REMARKS,
    SELFSERVICE,
    Listener,
)
from bridge.directory.drop_folder import DropFolder
from bridge.directory.hook_adapters import ADAPTERS, own_paths
from bridge.directory.hook_inbox import HookInbox
from bridge.directory.hook_mapping import adapted
from bridge.directory.hooks import HookSource, hook_routes
from bridge.directory.ldap import LdapReader
from bridge.directory.refusals import Refusals
from bridge.directory.scim import scim_application
from bridge.directory.vendor_signature import SCHEMES
from bridge.errors import (
    DatabaseError,
    DatabaseUnavailableError,
    HomeserverError,
    HomeserverUnavailableError,
    MusterError,
    SecretError,
)
from bridge.homeserver.attendance import attend
from bridge.homeserver.transactions import LARGEST_BODY, routes
from bridge.housekeeping import keep_house
from bridge.ids import RoomId
from bridge.membership import photos, prevention
from bridge.membership.approvals import Approvals
from bridge.membership.barrier_guard import BarrierGuard
from bridge.membership.current import Membership
from bridge.membership.desired import ADMINISTRATORS
from bridge.membership.faces import Faces
from bridge.membership.noticeboard import Noticeboard
from bridge.membership.profile_audit import ProfileAudit
from bridge.membership.reconcile import Reconciler
from bridge.membership.remarks import Remarks
from bridge.membership.room_audit import RoomAudit
from bridge.membership.room_pictures import RoomPictures
from bridge.membership.store import read_places
from bridge.membership.upkeep import Upkeep
from bridge.patience import Backoff, Patience
from bridge.policy.source import PolicySource
from bridge.selfservice import look_up
from bridge.selfservice.conversation import Conversation
from bridge.selfservice.hold_notices import HoldNotices
from bridge.selfservice.requests import Requests
from bridge.selfservice.speaker import Speaker

log = logging.getLogger(__name__)

_BACKOFF = Backoff(1.0, 60.0)
"""Between two tries of a comparison that failed."""
_AUDIT_AFTER = timedelta(hours=1)
"""A room is compared at most so often between two whole comparisons."""
_HEALTH_SECONDS = 5.0
_SHUTDOWN_SECONDS = 5.0
"""What a request under way gets to end when the service ends."""


async def serve(services: Services) -> None:
    """Run until cancelled.

    Raises what keeps it from starting (a bad policy without a good one, a port in use), and
    `DatabaseUnavailableError` when the embedded server has ended: begin anew, which starts it again. Errors of the
    tasks come in an `ExceptionGroup`.
    """
    source = PolicySource(services.pool, services.config.policy, services.config.attributes, clock=services.clock)
    await source.open()
    refusals = Refusals(services.pool)
    await prepare_index(services.pool, services.config.archive.languages)
    async with _listening(services, refusals), asyncio.TaskGroup() as group:
        group.create_task(refusals.run())
        for task in _tasks(services, source):
            group.create_task(task)


def _tasks(services: Services, source: PolicySource) -> list[Coroutine[Any, Any, None]]:
    """Return everything that runs beside the listening; what listens to the database comes last, when all wait."""
    config, pool, clock = services.config, services.pool, services.clock
    listener = Listener(services.storage.url)
    newest, timezone = Newest(pool), config.directory.timezone
    profiles = ProfileAudit(pool, services.homeserver, lambda: source.policy, clock=clock)
    tasks = [
        *(run_consumer(pool, one, listener.subscribe(EVENTS), newest=newest) for one in _consumers(services, source)),
        Deliverer(pool, services.homeserver, clock=clock).run(listener.subscribe(ANNOUNCEMENTS)),
        HookInbox(pool, custom=config.attributes).run(listener.subscribe(HOOKS)),
        BarrierGuard(pool, services.homeserver, clock=clock).run(listener.subscribe(BARRIERS)),
        Noticeboard(pool, services.homeserver).run(listener.subscribe(NOTICES)),
        Remarks(pool, services.homeserver, clock=clock).run(listener.subscribe(REMARKS)),
        RoomAudit(
            pool, services.homeserver, Membership(pool, bot=services.homeserver.bot, clock=clock), clock=clock
        ).run(config.homeserver.compare_every),
        profiles.run(config.homeserver.compare_every),
        profiles.watch(listener.subscribe(PROFILES)),
        Speaker(pool, services.homeserver, clock=clock).run(listener.subscribe(SELFSERVICE)),
        Requests(pool, lambda: source.policy, clock=clock, timezone=timezone).run(listener.subscribe(SELFSERVICE)),
        _make_faces(services, source, listener.subscribe(FACES)),
        RoomPictures(pool, services.homeserver, lambda: source.policy, config.policy.parent, clock=clock).run(),
        look_up.keep(pool, listener.subscribe(DIRECTORY)),
        HoldNotices(pool, bot=services.homeserver.bot, clock=clock).run(listener.subscribe(SELFSERVICE)),
        HeldMedia(pool, services.homeserver).run(listener.subscribe(SELFSERVICE)),
        source.watch(),
        _keep_complete(services),
        _keep_audited(services),
        _keep_signed(services),
        keep_house(pool, clock),
        _fetch_media(services, listener.subscribe(MEDIA)),
    ]
    if config.applying is Applying.AUTOMATIC:
        wakes = [listener.subscribe(DIRECTORY), listener.subscribe(MEMBERSHIP), source.changed]
        reconciler = Reconciler(
            pool,
            services.homeserver,
            services.accounts,
            clock=clock,
            timezone=timezone,
            at_once=config.homeserver.concurrency,
        )
        tasks.append(Upkeep(reconciler, pool, lambda: source.policy, clock=clock, timezone=timezone).run(wakes))
    if config.archive.dispose is Disposing.AUTOMATIC:
        nightly = Nightly(
            pool,
            lambda: source.policy,
            services.homeserver.bot,
            held_seqs,
            clock=clock,
            timezone=config.directory.timezone,
            at_most=config.archive.dispose_at_most,
        )
        tasks.append(nightly.run())
    if (watch := config.directory.feeds.watch) is not None:
        tasks.append(
            DropFolder(
                pool, watch.folder, watch.mapping, every=watch.every, custom=config.attributes, clock=clock
            ).run()
        )
    tasks += [
        LdapReader(pool, ldap, timezone=config.directory.timezone, custom=config.attributes, clock=clock).run()
        for ldap in config.directory.feeds.ldap.values()
    ]
    if can_decrypt():
        tasks.append(_read_encrypted(services, listener.subscribe(EVENTS)))
    if services.storage.embedded is not None:
        tasks.append(_watch_embedded(services.storage.embedded))
    return [*tasks, listener.run()]


def _consumers(services: Services, source: PolicySource) -> tuple[Consumer, ...]:
    pool, bot, clock = services.pool, services.homeserver.bot, services.clock
    return (
        Membership(pool, bot=bot, clock=clock),
        DeskConsumer(pool, bot=bot, policy=lambda: source.policy, clock=clock),
        Conversation(
            pool,
            services.homeserver,
            services.accounts,
            lambda: source.policy,
            clock=clock,
            timezone=services.config.directory.timezone,
        ),
        Approvals(
            pool,
            bot=bot,
            policy=lambda: source.policy,
            clock=clock,
            timezone=services.config.directory.timezone,
            attributes=services.config.attributes,
        ),
        HoldNotices(pool, bot=bot, clock=clock),
        SearchConsumer(pool, bot, services.config.archive.languages),
        OriginalsConsumer(pool, services.homeserver),
        MediaConsumer(pool, services.homeserver.server_name),
    )


async def _make_faces(services: Services, source: PolicySource, wake: asyncio.Event) -> None:
    """Make the pictures of people; photos are fetched without anything that is the homeserver's."""
    where = services.config.directory.photos
    async with aiohttp.ClientSession() as session:
        faces = Faces(
            services.pool,
            services.homeserver,
            lambda: source.policy,
            functools.partial(photos.fetch, session),
            folder=where.folder,
            attribute=where.attribute,
            clock=services.clock,
        )
        await faces.run(wake)


async def _read_encrypted(services: Services, wake: asyncio.Event) -> None:
    """Read the rooms that the policy encrypts, by the archive's own device."""
    from bridge.archive.encryption import read_encrypted  # needs the extra `e2ee`

    try:
        search = SearchConsumer(services.pool, services.homeserver.bot, services.config.archive.languages)
        readers = search, MediaConsumer(services.pool, services.homeserver.server_name)
        await read_encrypted(services.pool, services.homeserver, services.config.data, readers, wake)
    except SecretError as error:
        log.error("encrypted rooms are not read: %s", error.message, extra={"action": "decrypt"})


async def _watch_embedded(server: EmbeddedPostgres) -> None:
    await server.ended()
    raise DatabaseUnavailableError(f"The embedded PostgreSQL has ended; see {server.log_path}.")


async def _fetch_media(services: Services, wake: asyncio.Event) -> None:
    """Fetch the files that events refer to, and remove those to which none does any more."""
    media = services.config.archive.media
    blobs = await asyncio.to_thread(open_blobs, media, services.config.data)
    fetcher = MediaFetcher(services.pool, services.homeserver, blobs, limit=media.limit, clock=services.clock)
    await asyncio.gather(fetcher.run(wake), Orphans(services.pool, blobs, clock=services.clock).run())


async def _keep_signed(services: Services) -> None:
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


async def _keep_complete(services: Services) -> None:
    """Compare the archive with the homeserver whenever that has come (back)."""
    async for _ in attend(services.homeserver, services.clock):
        with suppress(HomeserverUnavailableError):  # attending says so, and comes back
            await _compare(services)


async def _keep_audited(services: Services) -> None:
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
            await patience.wait_out(error.message)
    log.info(
        "the archive was compared with every room (%d); events that were missing and are there now: %d",
        found.rooms,
        found.missing,
        extra={"action": "archive.backfill"},
    )


@asynccontextmanager
async def _listening(services: Services, refusals: Refusals) -> AsyncIterator[None]:
    """Serve Synapse, HR and whoever asks after our health, on the configured address."""
    pool, config = services.pool, services.config
    application = web.Application(client_max_size=LARGEST_BODY)
    application.add_routes(routes(functools.partial(ingest, pool), services.registration.hs_token))
    application.add_routes(hook_routes(pool, _hook_sources(config), services.clock, refusals=refusals))
    application.add_routes(prevention.routes(pool, services.registration.hs_token, bot=services.homeserver.bot))
    application.router.add_get("/healthz", functools.partial(_health, services))
    scim = scim_application(
        pool,
        # Every process has it, it outlives a restart, and the library derives the key of each cursor from it.
        secret=services.registration.hs_token,
        custom=config.attributes,
        rate=config.scim.rate,
        public_url=config.scim.public_url,
        refusals=refusals,
    )
    application.add_subapp("/scim/v2", scim)
    # Requests carry tokens and names in their paths, so they are not logged.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    address = config.appservice
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            raise MusterError(
                f"Muster cannot listen on {address.host}:{address.port} ({error.strerror}). "
                "Is it running already? Otherwise mend `appservice.listen` in the configuration."
            ) from error
        log.info("listening on http://%s:%d", address.host, address.port, extra={"action": "listen"})
        yield
    finally:
        await runner.cleanup()


def _hook_sources(config: Config) -> list[HookSource]:
    own = config.attributes
    return [
        HookSource(
            name,
            adapted(ADAPTERS[hook.adapter], {**own_paths(hook.adapter, own), **hook.attributes}, hook.statuses),
            hook.keys,
            SCHEMES[hook.adapter] if hook.signature is SignatureName.VENDOR else None,
        )
        for name, hook in config.directory.feeds.webhooks.items()
    ]


async def _health(services: Services, _request: web.Request) -> web.Response:
    """Answer 200 while the database answers, else 503."""
    try:
        async with asyncio.timeout(_HEALTH_SECONDS):
            await services.pool.fetchval("SELECT 1")
    except AWAY:
        return web.json_response({"status": "the database is away"}, status=503)
    return web.json_response({"status": "ok"})
