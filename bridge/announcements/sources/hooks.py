"""The endpoint for announcing by webhook, `POST /hooks/announce/{source}`.

What is said becomes a draft in the desk, or an announcement where the source is trusted to confirm by itself, in one
database transaction with the delivery's id: what comes again is answered with what it became. 200: it is durable. 400
not JSON, 401 not signed by the source or too old, 404 no such source, 413 too large, 422 not understood or refused,
nothing changed, 503 the database is away. Errors are `{"error": CODE, "message": TEXT}`.

Tools that write as to Slack cannot sign. Theirs is `POST /hooks/announce/{source}/{token}`, an address that is a
secret; without a `webhook-id` the same words within the same five minutes are the same delivery.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from bridge.announcements.sources import store
from bridge.announcements.sources.hook_body import read_body as read_said
from bridge.announcements.sources.intake import Intake
from bridge.clock import Clock
from bridge.config_announcements import AnnouncingHook
from bridge.database import AWAY
from bridge.errors import InputError, RefusedError
from bridge.hook_request import RefusedHook, error_response, id_of, json_of, read_body
from bridge.hook_signature import TOLERANCE, refusal_of

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

MAX_BODY: Final = 256 * 1024


def hook_routes(
    pool: Pool, sources: Mapping[str, AnnouncingHook], intake: Intake, clock: Clock, *, max_body: int = MAX_BODY
) -> list[web.RouteDef]:
    """Return the endpoint's routes; `max_body` is in bytes."""
    endpoint = _Endpoint(pool, sources, intake, clock, max_body)
    return [
        web.post("/hooks/announce/{source}", endpoint.answer),
        web.post("/hooks/announce/{source}/{token}", endpoint.answer),
    ]


class _Endpoint:
    def __init__(
        self, pool: Pool, sources: Mapping[str, AnnouncingHook], intake: Intake, clock: Clock, max_body: int
    ) -> None:
        self._pool = pool
        self._sources = sources
        self._intake = intake
        self._clock = clock
        self._max_body = max_body

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a delivery, also one that is refused."""
        name = request.match_info["source"]
        shown = name if name in self._sources else "an unknown source"
        try:
            answer = await self._receive(request, name)
        except RefusedHook as refusal:
            log.info("announcement of %s refused: %s", shown, refusal.code, extra={"action": "announce.refuse"})
            return refusal.response()
        except AWAY as error:
            log.warning(
                "announcement of %s not kept: %s", shown, type(error).__name__, extra={"action": "announce.refuse"}
            )
            return error_response(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the database is away; send it again")
        log.info("announcement of %s: %s", shown, answer["status"], extra={"action": "announce.receive"})
        return web.json_response(answer)

    async def _receive(self, request: web.Request, name: str) -> dict[str, Any]:
        """Announce what the request says and return the answer. Raises `RefusedHook`."""
        source = self._sources.get(name)
        if source is None:
            raise RefusedHook(HTTPStatus.NOT_FOUND, "unknown_source", "no source of this name is configured")
        body, now = await read_body(request, self._max_body), self._clock()
        headers = {key.lower(): value for key, value in request.headers.items()}
        item = _delivery(source, headers, request.match_info.get("token", ""), body, now)
        said = json_of(body)
        try:
            incoming = read_said(said)
            async with self._pool.acquire() as db, db.transaction():
                origin = f"webhook/{name}"
                announced = await self._intake.announce(db, source.source, origin, item, incoming, now)
                if announced is None:
                    return {"status": "duplicate", "id": await store.announced_as(db, origin, item)}
        except RefusedError as error:
            raise RefusedHook(HTTPStatus.UNPROCESSABLE_ENTITY, "refused", error.message) from error
        except InputError as error:
            raise RefusedHook(HTTPStatus.UNPROCESSABLE_ENTITY, "not_understood", error.message) from error
        return {
            "status": announced.state.value,
            "id": announced.id,
            "rooms": announced.rooms,
            "people": announced.people,
        }


def _delivery(source: AnnouncingHook, headers: Mapping[str, str], token: str, body: bytes, now: datetime) -> str:
    """Return what tells the delivery from others, when it is the source's. Raises `RefusedHook`."""
    if not token and source.keys:
        refusal = refusal_of(headers, body, source.keys, now)
        if refusal is not None:
            raise RefusedHook(HTTPStatus.UNAUTHORIZED, "not_signed", refusal)
        return id_of(headers, body)
    if not (source.token and hmac.compare_digest(token.encode(), source.token.encode())):
        expected = "the source signs, and has no secret address" if source.keys else "this is not the secret address"
        raise RefusedHook(HTTPStatus.UNAUTHORIZED, "not_signed", expected)
    if headers.get("webhook-id"):
        return id_of(headers, body)
    slot = int(now.timestamp() // TOLERANCE.total_seconds())
    return f"{slot}:{hashlib.sha256(body).hexdigest()}"
