"""What Muster listens to: Synapse's transactions, HR's pushes, webhooks, and whoever asks after its health."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bridge.announcements.heard import note_receipts
from bridge.app import Services
from bridge.archive.ingest import ingest
from bridge.config import Config
from bridge.config_feeds import SignatureName
from bridge.database import AWAY
from bridge.directory.hook_adapters import ADAPTERS, own_paths
from bridge.directory.hook_mapping import adapted
from bridge.directory.hooks import HookSource, hook_routes
from bridge.directory.refusals import Refusals
from bridge.directory.scim import scim_application
from bridge.directory.vendor_signature import SCHEMES
from bridge.errors import MusterError
from bridge.homeserver.transactions import LARGEST_BODY, routes
from bridge.membership import prevention
from bridge.policy.source import PolicySource
from bridge.service.correspondence import correspondence_routes

log = logging.getLogger(__name__)

_HEALTH_SECONDS = 5.0
_SHUTDOWN_SECONDS = 5.0
"""What a request under way gets to end when the service ends."""


@asynccontextmanager
async def listening(services: Services, source: PolicySource, refusals: Refusals) -> AsyncIterator[None]:
    """Serve Synapse, HR and whoever asks after our health, on the configured address."""
    pool, config = services.pool, services.config
    application = web.Application(client_max_size=LARGEST_BODY)
    note = functools.partial(note_receipts, pool, bot=services.homeserver.bot, clock=services.clock)
    application.add_routes(routes(functools.partial(ingest, pool), services.registration.hs_token, note))
    application.add_routes(hook_routes(pool, _hook_sources(config), services.clock, refusals=refusals))
    application.add_routes(correspondence_routes(services, source.now))
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
