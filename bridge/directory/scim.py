"""The SCIM endpoint over HTTP (RFC 7644): where HR and identity providers push people and groups.

Every request but for the service's own description needs a bearer token of `token_store`. Whatever comes in, the
answer is SCIM; a fault of ours or of the database's is a 5xx without detail, and is logged. Bodies, queries and
tokens are never logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Final

from aiohttp import web
from scim2_models import Error, PayloadTooLargeException, SCIMException
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse

from bridge.database import AWAY
from bridge.directory.admission import Admission, refused
from bridge.directory.allowance import Allowance, draw
from bridge.directory.refusals import Refusals
from bridge.directory.scim_service import DirectoryService, ListResponse
from bridge.directory.token_store import Bearer, find_token, hash_of

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

MAX_BODY: Final = 1 << 20
RATE: Final = 100
"""Requests a second of one token, far above the 25 that Entra ID needs."""
_OPEN: Final = "/ServiceProviderConfig"


def scim_application(
    pool: Pool,
    *,
    secret: str,
    custom: Sequence[str] = (),
    rate: int = RATE,
    max_body: int = MAX_BODY,
    public_url: str | None = None,
    refusals: Refusals | None = None,
) -> web.Application:
    """Return the endpoint, to be mounted by `add_subapp("/scim/v2", …)`.

    `secret` seals the cursors of lists, and is the same for every process; `custom` are the attributes of its own that
    the company keeps; `rate` is how many requests a second a token may make; `max_body` is in bytes; `public_url` is
    the endpoint's address as clients see it, without it that of the request; `refusals` counts what is sent in vain.
    """
    endpoint = _Endpoint(
        pool, DirectoryService(pool, custom, secret=secret, refusals=refusals), rate, max_body, public_url
    )
    application = web.Application()
    application.router.add_route("*", r"/{tail:[\s\S]*}", endpoint.answer)
    return application


class _TooFast(SCIMException):
    """The client asks more often than it may (RFC 6585 section 4)."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: float, rate: int) -> None:
        super().__init__(detail=f"Expected at most {rate} requests a second; try again in {ceil(seconds)} s")
        self.seconds = seconds


class _Endpoint:
    def __init__(self, pool: Pool, service: DirectoryService, rate: int, max_body: int, public_url: str | None) -> None:
        self._pool = pool
        self._service = service
        self._rate = rate
        self._max_body = max_body
        # Each process has its own: after a restart everybody has a whole burst again, which does no harm.
        self._allowances: dict[str, Allowance] = {}
        # By the hashes of tokens that were valid once.
        self._bearers: dict[bytes, Bearer] = {}
        self._public_url = public_url
        self._is_away = False

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request, also one that fails."""
        path = "/" + request.match_info["tail"].strip("/")
        try:
            response = await self._served(request, path)
        except _TooFast as error:
            log.info("SCIM %s refused: %s", request.method, error.status, extra={"action": "scim"})
            response = self._service.error_response(error)
            response.headers["Retry-After"] = str(ceil(error.seconds))
        except SCIMException as error:
            log.info("SCIM %s refused: %s", request.method, error.status, extra={"action": "scim"})
            response = self._service.error_response(error)
        except AWAY as error:
            self._note_away(type(error).__name__)
            response = _failed(HTTPStatus.SERVICE_UNAVAILABLE, "The database is away for now; try again")
            response.headers["Retry-After"] = "5"
        except Exception:
            log.exception("SCIM %s failed", request.method, extra={"action": "scim"})
            response = _failed(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
        return _sent(response)

    async def _served(self, request: web.Request, path: str) -> ScimResponse:
        """Answer a request of somebody who may ask. Raises `SCIMException`; 401 goes before every other error."""
        if path == _OPEN:
            return await self._service.answer(await self._read(request, path), "")
        admission = await self._admitted(request)
        try:
            source = f"scim:{admission.bearer.source}"
            response = await self._service.answer(await self._read(request, path), source, admission)
        except SCIMException:
            await admission.confirm(self._pool)
            self._note_back()
            raise
        self._note_back()
        return response

    async def _admitted(self, request: web.Request) -> Admission:
        """Return who asks. Raises `UnauthorizedException`, and `_TooFast` for one that asks too often."""
        admission = await self._admission(request)
        now, name = asyncio.get_running_loop().time(), admission.bearer.name
        self._allowances[name], wait = draw(self._allowances.get(name), now, self._rate)
        if wait:
            await admission.confirm(self._pool)
            raise _TooFast(wait, self._rate)
        return admission

    async def _admission(self, request: web.Request) -> Admission:
        """Return whose token the request bears. Raises `UnauthorizedException`."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        token = text.strip()
        if scheme.lower() != "bearer" or not token:
            raise refused()
        hashed = hash_of(token)
        if hashed in self._bearers:
            return Admission(self._bearers[hashed], hashed)
        bearer = await find_token(self._pool, token)
        if bearer is None:
            raise refused()
        self._bearers[hashed] = bearer
        return Admission(bearer)

    def _note_away(self, problem: str) -> None:
        """Say once that the database is away, however many requests come meanwhile."""
        if not self._is_away:
            log.warning("SCIM waits for the database: %s", problem, extra={"action": "scim"})
        self._is_away = True

    def _note_back(self) -> None:
        """Say once that the database answers again."""
        if self._is_away:
            log.info("SCIM has the database again", extra={"action": "scim"})
        self._is_away = False

    async def _read(self, request: web.Request, path: str) -> ScimRequest:
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._max_body:
                raise PayloadTooLargeException(detail=f"Expected at most {self._max_body} bytes")
        return ScimRequest(
            method=request.method,
            base_url=self._public_url or _base_url(request),
            path=path,
            query=dict(request.query),
            headers=dict(request.headers),
            body=bytes(body),
        )


def _base_url(request: web.Request) -> str:
    """Return the address at which the endpoint is mounted, as the request names it, without a slash at the end."""
    resource = request.match_info.route.resource
    prefix = resource.canonical.removesuffix("/{tail}") if resource is not None else ""
    return f"{request.url.origin()}{prefix}"


def _failed(status: HTTPStatus, detail: str) -> ScimResponse:
    return ScimResponse(status, Error(status=status, detail=detail).model_dump())


def _sent(response: ScimResponse) -> web.Response:
    body = None if response.body is None else json.dumps(response.body, ensure_ascii=False).encode()
    if isinstance(response, ListResponse):
        body = response.text.encode()
    headers = {"Cache-Control": "no-store", **response.headers}
    if body is None:
        del headers["Content-Type"]
    return web.Response(status=response.status, body=body, headers=headers)
