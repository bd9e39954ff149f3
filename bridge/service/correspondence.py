"""What of announcements comes from outside and goes there, put together as the configuration says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from aiohttp import web

from bridge.announcements.outlets.calls import Calls
from bridge.announcements.outlets.digest import Digest
from bridge.announcements.outlets.feeds import feed_routes
from bridge.announcements.sources.feed_reader import FeedReader
from bridge.announcements.sources.hooks import hook_routes
from bridge.announcements.sources.intake import Intake
from bridge.announcements.sources.mailbox import Mailbox
from bridge.app import Services
from bridge.channels.mail import Mailer
from bridge.config_announcements import FeedConfig
from bridge.patience import Wake
from bridge.policy.schema import Policy


def correspondence_routes(services: Services, policy: Callable[[], Policy]) -> list[web.RouteDef]:
    """Return the endpoints: webhooks that announce, and public feeds."""
    config = services.config.announcements
    intake = _intake(services, policy)
    return [
        *hook_routes(services.pool, config.webhooks, intake, services.clock),
        *feed_routes(services.pool, policy, config.public),
    ]


def correspondence_tasks(
    services: Services, policy: Callable[[], Policy], wake: Wake
) -> list[Coroutine[Any, Any, None]]:
    """Return what runs for as long as the service; `wake` is set when something may have been announced."""
    config, intake = services.config.announcements, _intake(services, policy)
    tasks = [_read_feed(services, name, feed, intake) for name, feed in config.feeds.items()]
    tasks += [
        Mailbox(services.pool, services.homeserver, name, mail, intake, clock=services.clock).run()
        for name, mail in config.mail.items()
    ]
    if config.outbound:
        tasks.append(_call(services, wake))
    if config.digest is not None and (mail := services.config.channels.mail) is not None:
        digest = Digest(
            services.pool,
            policy,
            Mailer(mail.server, attribute=mail.attribute, clock=services.clock),
            at=config.digest,
            timezone=services.config.directory.timezone,
            clock=services.clock,
        )
        tasks.append(digest.run())
    return tasks


def _intake(services: Services, policy: Callable[[], Policy]) -> Intake:
    return Intake(policy, services.homeserver.bot, services.config.attributes)


async def _read_feed(services: Services, name: str, feed: FeedConfig, intake: Intake) -> None:
    async with aiohttp.ClientSession() as session:
        await FeedReader(services.pool, session, name, feed, intake, clock=services.clock).run()


async def _call(services: Services, wake: Wake) -> None:
    async with aiohttp.ClientSession() as session:
        outlets = services.config.announcements.outbound
        await Calls(services.pool, session, outlets, clock=services.clock).run(wake)
