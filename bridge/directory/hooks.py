"""The endpoint for HR's webhooks, `POST /hooks/hr/{source}`: checked, mapped, kept in the inbox, answered.

Nothing is done about a delivery here (`hook_inbox` does), so the answer is a matter of milliseconds. 200: it is
durable, or has come before (HiBob takes no other 2xx for an answer). 400 not JSON, 401 not signed by the source or too
old, 404 no such source, 413 too large, 422 without meaning, where the sender bears it, 503 the database is away. Errors
are `{"error": CODE, "message": TEXT}`. What a body holds is never logged, nor kept beyond what the mapping names.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.directory import hook_store, vendor_signature
from bridge.directory.hook_mapping import Adapter, Unusable, map_delivery, refused_names
from bridge.directory.hook_outcome import notice_of
from bridge.directory.notice_store import put_notice
from bridge.directory.refusals import Refusals
from bridge.directory.signature import refusal_of, sent_at
from bridge.directory.vendor_signature import Scheme, is_ping
from bridge.errors import DeliveryError

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

MAX_BODY: Final = 1 << 20
_LONGEST_ID: Final = 255


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


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


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
                raise _Refused(HTTPStatus.NOT_FOUND, "unknown_source", "no source of this name is configured")
            status = await self._receive(request, source)
        except _Refused as refusal:
            log.info("webhook of %s refused: %s", name, refusal.message, extra={"action": "hook.refuse"})
            return _error(refusal.status, refusal.code, refusal.message)
        except AWAY as error:
            log.warning("webhook of %s not kept: %s", name, type(error).__name__, extra={"action": "hook.refuse"})
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the database is away; send it again")
        log.info("webhook of %s %s", name, status, extra={"action": "hook.receive"})
        return web.json_response({"status": status})

    async def _receive(self, request: web.Request, source: HookSource) -> str:
        """Keep what the request says, and return what to call that. Raises `_Refused`."""
        body = await self._read(request)
        if source.scheme is not None and is_ping(source.scheme, body):
            return "pong"
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = _checked(source, headers, body, self._clock())
        said = _json(body)
        try:
            events = map_delivery(source.adapter, said, delivery.sent)
        except DeliveryError as error:
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "not_understood", error.message) from error
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

    async def _read(self, request: web.Request) -> bytes:
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._max_body:
                message = f"expected at most {self._max_body} bytes"
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message)
        return bytes(body)


def _checked(source: HookSource, headers: Mapping[str, str], body: bytes, now: datetime) -> _Delivery:
    """Return the delivery that the source has signed. Raises `_Refused`."""
    scheme = source.scheme
    if scheme is None:
        refusal, sent, id_ = refusal_of(headers, body, source.keys, now), sent_at(headers), _id_of(headers, body)
    else:
        refusal = vendor_signature.refusal_of(scheme, headers, body, source.keys, now)
        sent, id_ = vendor_signature.sent_at(scheme, headers), vendor_signature.delivery_of(body)
    if refusal is not None:
        raise _Refused(HTTPStatus.UNAUTHORIZED, "not_signed", refusal)
    return _Delivery(id_, sent or now)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "not_json", "expected a body of JSON in UTF-8") from error


def _id_of(headers: Mapping[str, str], body: bytes) -> str:
    """Return what tells a delivery from one that came before: its id, or else a digest of all that was said."""
    id_ = headers.get("webhook-id", "")
    if id_.isascii() and id_.isprintable() and 0 < len(id_) <= _LONGEST_ID:
        return id_
    return f"sha256:{hashlib.sha256(id_.encode('utf-8', 'surrogateescape') + b'.' + body).hexdigest()}"


def _error(status: HTTPStatus, code: str, message: str) -> web.Response:
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return web.json_response({"error": code, "message": message}, status=status, headers=headers)
