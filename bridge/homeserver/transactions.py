"""What the homeserver asks of an application service (Matrix specification, "Application Service API").

`routes` gives the service's handlers; their promise is that a 200 to a transaction means that its events are
durable. Synapse repeats anything else for ever, and all that is behind it waits, so whatever is a transaction at all
is answered 200, and what to make of odd entries is left to `ingest`, which must be idempotent. Ephemeral data is
passed to `note`, which may lose it. Synapse of old puts its token into the query, so whoever serves these must not log
query strings.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest

from aiohttp import web

from bridge.errors import DatabaseError
from bridge.homeserver import wire

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 2**20
"""Bytes. Synapse sends up to 100 events of 64 KiB, and as much again of other data."""

Ingest = Callable[[Sequence[object]], Awaitable[int]]
"""Makes the entries of a transaction durable; raises `DatabaseError` when it could not."""


Note = Callable[[Sequence[object]], Awaitable[None]]
"""Reads the ephemeral data of a transaction: typing, receipts; never raises."""


async def _drop(_ephemeral: Sequence[object]) -> None:
    """Read nothing."""


def routes(ingest: Ingest, hs_token: str, note: Note = _drop) -> list[web.RouteDef]:
    """Return the handlers of the application service API, and of its paths before version 1."""
    service = _Transactions(ingest, hs_token, note)
    found = [
        web.put("/transactions/{transaction_id}", service.put_transaction),
        web.post("/ping", service.post_ping),
        web.get("/users/{user_id}", service.get_user),
        web.get("/rooms/{alias}", service.get_room),
    ]
    return [
        web.route(route.method, prefix + route.path, route.handler)
        for prefix in ("/_matrix/app/v1", "")
        for route in found
    ]


class _Transactions:
    def __init__(self, ingest: Ingest, hs_token: str, note: Note) -> None:
        self._ingest = ingest
        self._note = note
        self._hs_token = hs_token.encode()
        self._is_away = False

    async def put_transaction(self, request: web.Request) -> web.Response:
        """Archive the events, then answer."""
        self._check_token(request)
        body = await _body(request)
        events = _events(body)
        try:
            stored = await self._ingest(events)
        except DatabaseError as error:
            self._note_absence(error)
            raise _refusal(web.HTTPServiceUnavailable, "M_UNKNOWN", "The archive is away; send again.") from error
        if self._is_away:
            self._is_away = False
            log.info("The archive takes transactions again", extra={"action": "transaction"})
        if ephemeral := _ephemeral(body):
            await self._note(ephemeral)
        log.debug("Archived %d of %d events", stored, len(events), extra={"action": "transaction"})
        return web.json_response({})

    async def post_ping(self, request: web.Request) -> web.Response:
        """Answer that we are here (specification, "Pinging")."""
        self._check_token(request)
        return web.json_response({})

    async def get_user(self, request: web.Request) -> web.Response:
        """Answer that we make no users when they are asked for."""
        self._check_token(request)
        raise _refusal(web.HTTPNotFound, "M_NOT_FOUND", "No such user.")

    async def get_room(self, request: web.Request) -> web.Response:
        """Answer that we make no rooms when they are asked for."""
        self._check_token(request)
        raise _refusal(web.HTTPNotFound, "M_NOT_FOUND", "No such room.")

    def _check_token(self, request: web.Request) -> None:
        """Refuse whoever does not know the hs_token; the header counts before the legacy query parameter."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.query.get("access_token", "")
        token = token.strip()
        if not token:
            raise _refusal(web.HTTPUnauthorized, "M_MISSING_TOKEN", "The homeserver's token is missing.")
        if not compare_digest(token.encode("utf-8", "surrogateescape"), self._hs_token):
            raise _refusal(web.HTTPForbidden, "M_FORBIDDEN", "This is not the homeserver's token.")

    def _note_absence(self, error: DatabaseError) -> None:
        if not self._is_away:
            log.error("Transactions must wait: %s", error.message, extra={"action": "transaction"})
        self._is_away = True


async def _body(request: web.Request) -> object:
    try:
        return wire.decode(await request.clone(client_max_size=LARGEST_BODY).read())
    except web.HTTPRequestEntityTooLarge as error:
        error.content_type = "application/json"
        error.text = _matrix_error("M_TOO_LARGE", f"Expected at most {LARGEST_BODY} bytes.")
        raise
    except ValueError as error:
        raise _refusal(web.HTTPBadRequest, "M_NOT_JSON", "The body is not JSON.") from error


def _events(body: object) -> list[object]:
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list):
        raise _refusal(web.HTTPBadRequest, "M_BAD_JSON", "Expected an object with a list of events.")
    return events


def _ephemeral(body: object) -> list[object]:
    """Return what passes and is not kept, under the key of the specification or that of MSC2409."""
    if isinstance(body, dict):
        for key in ("ephemeral", "de.sorunome.msc2409.ephemeral"):
            if isinstance(found := body.get(key), list):
                return found
    return []


def _refusal(kind: type[web.HTTPException], errcode: str, message: str) -> web.HTTPException:
    return kind(text=_matrix_error(errcode, message), content_type="application/json")


def _matrix_error(errcode: str, message: str) -> str:
    return json.dumps({"errcode": errcode, "error": message})
