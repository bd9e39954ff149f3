"""The service: everything that runs for as long as Muster lives, joined here and nowhere else.

Each task keeps its place in the database and waits by itself while something is away; a task that ends with an error
nobody foresaw ends the service, and whoever supervises it starts it again where it was.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Coroutine
from typing import Any

import aiohttp

from bridge.announcements.quiet_choices import QuietChoices
from bridge.app import Services
from bridge.archive.backfill import OriginalsConsumer
from bridge.archive.feed import Consumer, run_consumer
from bridge.archive.held_media import HeldMedia
from bridge.archive.hold_store import held_seqs
from bridge.archive.media_fetch import MediaConsumer
from bridge.archive.newest import Newest
from bridge.archive.nightly import Nightly
from bridge.archive.residence import can_decrypt
from bridge.archive.search.index import prepare_index
from bridge.concern.hearing import Hearing
from bridge.concern.intake import Intake
from bridge.concern.reports import Reports
from bridge.config import Applying
from bridge.config_archive import Disposing
from bridge.database.embedded import EmbeddedPostgres
from bridge.database.listen import (
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
from bridge.directory.hook_inbox import HookInbox
from bridge.directory.ldap import LdapReader
from bridge.directory.refusals import Refusals
from bridge.errors import (
    DatabaseUnavailableError,
)
from bridge.housekeeping import keep_house
from bridge.membership import photos
from bridge.membership.approvals import Approvals
from bridge.membership.barrier_guard import BarrierGuard
from bridge.membership.current import Membership
from bridge.membership.faces import Faces
from bridge.membership.noticeboard import Noticeboard
from bridge.membership.profile_audit import ProfileAudit
from bridge.membership.reconcile import Reconciler
from bridge.membership.remarks import Remarks
from bridge.membership.room_audit import RoomAudit
from bridge.membership.room_pictures import RoomPictures
from bridge.membership.upkeep import Upkeep
from bridge.policy.source import PolicySource
from bridge.selfservice import look_up
from bridge.selfservice.conversation import Conversation
from bridge.selfservice.hold_notices import HoldNotices
from bridge.selfservice.requests import Requests
from bridge.selfservice.speaker import Speaker
from bridge.service.announcements import announcement_consumers, announcement_tasks
from bridge.service.archive import fetch_media, keep_audited, keep_complete, keep_signed, make_findable, read_encrypted
from bridge.service.listening import listening


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
    async with listening(services, source, refusals), asyncio.TaskGroup() as group:
        group.create_task(refusals.run())
        for task in _tasks(services, source):
            group.create_task(task)


def _tasks(services: Services, source: PolicySource) -> list[Coroutine[Any, Any, None]]:
    """Return everything that runs beside the listening; what listens to the database comes last, when all wait."""
    config, pool, clock = services.config, services.pool, services.clock
    timezone = config.directory.timezone
    policy, listener = source.now, Listener(services.storage.url)
    newest = Newest(pool)
    profiles = ProfileAudit(pool, services.homeserver, policy, clock=clock)
    tasks = [
        *(run_consumer(pool, one, listener.subscribe(EVENTS), newest=newest) for one in _consumers(services, source)),
        make_findable(services, listener.subscribe(EVENTS), newest),
        *announcement_tasks(services, policy, listener),
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
        Reports(pool, services.homeserver, clock=clock, timezone=timezone).run(listener.subscribe(SELFSERVICE)),
        Requests(pool, policy, clock=clock, timezone=timezone).run(listener.subscribe(SELFSERVICE)),
        _make_faces(services, source, listener.subscribe(FACES)),
        RoomPictures(pool, services.homeserver, policy, config.policy.parent, clock=clock).run(),
        look_up.keep(pool, listener.subscribe(DIRECTORY)),
        HoldNotices(pool, bot=services.homeserver.bot, clock=clock).run(listener.subscribe(SELFSERVICE)),
        HeldMedia(pool, services.homeserver).run(listener.subscribe(SELFSERVICE)),
        source.watch(),
        keep_complete(services),
        keep_audited(services),
        keep_signed(services),
        keep_house(pool, clock),
        fetch_media(services, listener.subscribe(MEDIA)),
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
        tasks.append(Upkeep(reconciler, pool, policy, clock=clock, timezone=timezone).run(wakes))
    if config.archive.dispose is Disposing.AUTOMATIC:
        nightly = Nightly(
            pool,
            policy,
            services.homeserver.bot,
            held_seqs,
            clock=clock,
            timezone=timezone,
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
        LdapReader(pool, ldap, timezone=timezone, custom=config.attributes, clock=clock).run()
        for ldap in config.directory.feeds.ldap.values()
    ]
    if can_decrypt():
        tasks.append(read_encrypted(services, listener.subscribe(EVENTS)))
    if services.storage.embedded is not None:
        tasks.append(_watch_embedded(services.storage.embedded))
    return [*tasks, listener.run()]


def _consumers(services: Services, source: PolicySource) -> tuple[Consumer, ...]:
    pool, bot, clock = services.pool, services.homeserver.bot, services.clock
    zone, policy = services.config.directory.timezone, source.now
    return (
        Membership(pool, bot=bot, clock=clock),
        *announcement_consumers(services, policy),
        Conversation(
            pool,
            services.homeserver,
            services.accounts,
            policy,
            QuietChoices(pool, zone),
            clock=clock,
            timezone=zone,
            confidant=Intake(bot=bot, timezone=zone),
        ),
        Approvals(
            pool,
            bot=bot,
            policy=policy,
            clock=clock,
            timezone=zone,
            attributes=services.config.attributes,
        ),
        HoldNotices(pool, bot=bot, clock=clock),
        Hearing(pool, bot=bot, clock=clock),
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
            source.now,
            functools.partial(photos.fetch, session),
            folder=where.folder,
            attribute=where.attribute,
            clock=services.clock,
        )
        await faces.run(wake)


async def _watch_embedded(server: EmbeddedPostgres) -> None:
    await server.ended()
    raise DatabaseUnavailableError(f"The embedded PostgreSQL has ended; see {server.log_path}.")
