"""Serving the announcements of public desks as RSS, `GET /feeds/{desk}.xml`, to whoever asks.

404 for every desk that the configuration does not name, whether there is one or not. 304 when the reader has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from aiohttp import web

from bridge.announcements.outlets import store
from bridge.announcements.outlets.rss import NEWEST, rss_of
from bridge.database import AWAY
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

_CACHED = "public, max-age=300"


def feed_routes(pool: Pool, policy: Callable[[], Policy], public: Collection[str]) -> list[web.RouteDef]:
    """Return the endpoint's routes; `public` are the desks whose announcements anybody may read."""
    endpoint = _Endpoint(pool, policy, frozenset(public))
    return [web.get("/feeds/{desk}.xml", endpoint.answer)]


class _Endpoint:
    def __init__(self, pool: Pool, policy: Callable[[], Policy], public: frozenset[str]) -> None:
        self._pool = pool
        self._policy = policy
        self._public = public

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the feed of a desk."""
        name, policy = request.match_info["desk"], self._policy()
        desk = policy.desks.get(name) if name in self._public else None
        if desk is None:
            return web.Response(status=404, text="There is no such feed.\n")
        try:
            said = await store.load_public(self._pool, name, NEWEST)
        except AWAY:
            return web.Response(status=503, text="Try again later.\n", headers={"Retry-After": "30"})
        document = rss_of(policy.company, desk.name, said, str(request.url.with_query(None)))
        etag = f'"{hashlib.sha256(document).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": _CACHED}
        if etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return web.Response(body=document, content_type="application/rss+xml", charset="utf-8", headers=headers)
