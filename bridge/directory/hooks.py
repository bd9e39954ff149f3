"""The endpoint for HR's webhooks, `POST /hooks/hr/{source}`: checked, mapped, kept in the inbox, answered.

Nothing is done about a delivery here (`hook_inbox` does), so the answer is a matter of milliseconds. 200: it is
durable, or has come before (HiBob takes no other 2xx for an answer). 400 not JSON, 401 not signed by the source or too
old, 404 no such source, 413 too large, 422 without meaning, where the sender bears it, 503 the database is away. Errors
are `{"error": CODE, "message": TEXT}`. What a body holds is never logged, nor kept beyond what the mapping names.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.directory import hook_store, vendor_signature
from bridge.directory.hook_mapping import Adapter, Unusable, map_delivery, refused_names
from bridge.directory.hook_outcome import notice_of
from bridge.directory.notice_store import put_notice
from bridge.directory.refusals import Refusals
from bridge.directory.vendor_signature import Scheme, is_ping
from bridge.errors import DeliveryError
from bridge.hook_request import RefusedHook, error_response, id_of, json_of, read_body
from bridge.hook_signature import refusal_of, sent_at

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

MAX_BODY: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class HookSource:
    """Somebody who may send webhooks."""

    name: str
    adapter: Adapter = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    """One of them has signed; several while they are exchanged."""
    scheme: Scheme | None = None
    """The vendor's own way of signing; without one, Standard Webhooks."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A request that is the source's."""

    id: str
    sent: datetime


def hook_routes(
    pool: Pool,
    sources: Iterable[HookSource],
    clock: Clock,
    *,
    max_body: int = MAX_BODY,
    refusals: Refusals | None = None,
) -> list[web.RouteDef]:
    """Return the endpoint's routes; `max_body` is in bytes, `refusals` counts what is sent in vain."""
    endpoint = _Endpoint(pool, {source.name: source for source in sources}, clock, max_body, refusals)
    return [web.post("/hooks/hr/{source}", endpoint.answer)]


class _Endpoint:
    def __init__(
        self,
        pool: Pool,
        sources: Mapping[str, HookSource],
        clock: Clock,
        max_body: int,
        refusals: Refusals | None,
    ) -> None:
        self._pool = pool
        self._sources = sources
        self._clock = clock
        self._max_body = max_body
        self._refusals = refusals

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a delivery, also one that is refused."""
        source = self._sources.get(request.match_info["source"])
        name = source.name if source is not None else "an unknown source"
        try:
            if source is None:
                raise RefusedHook(HTTPStatus.NOT_FOUND, "unknown_source", "no source of this name is configured")
            status = await self._receive(request, source)
        except RefusedHook as refusal:
            log.info("webhook of %s refused: %s", name, refusal.message, extra={"action": "hook.refuse"})
            return refusal.response()
        except AWAY as error:
            log.warning("webhook of %s not kept: %s", name, type(error).__name__, extra={"action": "hook.refuse"})
            return error_response(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the database is away; send it again")
        log.info("webhook of %s %s", name, status, extra={"action": "hook.receive"})
        return web.json_response({"status": status})

    async def _receive(self, request: web.Request, source: HookSource) -> str:
        """Keep what the request says, and return what to call that. Raises `RefusedHook`."""
        body = await read_body(request, self._max_body)
        if source.scheme is not None and is_ping(source.scheme, body):
            return "pong"
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = _checked(source, headers, body, self._clock())
        said = json_of(body)
        try:
            events = map_delivery(source.adapter, said, delivery.sent)
        except DeliveryError as error:
            raise RefusedHook(HTTPStatus.UNPROCESSABLE_ENTITY, "not_understood", error.message) from error
        is_new = await hook_store.store_events(self._pool, source.name, delivery.id, events)
        if is_new:
            if self._refusals is not None:
                self._refusals.count(f"hook:{source.name}", refused_names(source.adapter, said))
            await self._tell(source.name, [event for event in events if isinstance(event, Unusable)])
        return "accepted" if is_new else "duplicate"

    async def _tell(self, source: str, unusable: Sequence[Unusable]) -> None:
        """Let the administrators be told of what nobody can act on."""
        for outcome, reason in {(each.outcome, each.reason): None for each in unusable}:
            log.info("webhook event of %s: %s (%s)", source, outcome, reason, extra={"action": "hook.receive"})
            if notice := notice_of(source, outcome, reason):
                await put_notice(self._pool, notice)


def _checked(source: HookSource, headers: Mapping[str, str], body: bytes, now: datetime) -> _Delivery:
    """Return the delivery that the source has signed. Raises `RefusedHook`."""
    scheme = source.scheme
    if scheme is None:
        refusal, sent, id_ = refusal_of(headers, body, source.keys, now), sent_at(headers), id_of(headers, body)
    else:
        refusal = vendor_signature.refusal_of(scheme, headers, body, source.keys, now)
        sent, id_ = vendor_signature.sent_at(scheme, headers), vendor_signature.delivery_of(body)
    if refusal is not None:
        raise RefusedHook(HTTPStatus.UNAUTHORIZED, "not_signed", refusal)
    return _Delivery(id_, sent or now)
