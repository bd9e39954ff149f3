"""What every webhook that comes in has in common: it is read within a limit, told from others, and answered in JSON.

Errors are `{"error": CODE, "message": TEXT}`. Who may send, and what the body means, is left to each endpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

_LONGEST_ID: Final = 255


class RefusedHook(Exception):  # noqa: N818 - the endpoint answers with it, nobody else sees it
    """A webhook that is not taken, and what its sender is told."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> web.Response:
        """Return the answer."""
        return error_response(self.status, self.code, self.message)


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the body of at most `limit` bytes; raise `RefusedHook` for more."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise RefusedHook(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"expected at most {limit} bytes")
    return bytes(body)


def json_of(body: bytes) -> Any:
    """Return what a body says in JSON; raise `RefusedHook` when it is not JSON."""
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RefusedHook(HTTPStatus.BAD_REQUEST, "not_json", "expected a body of JSON in UTF-8") from error


def id_of(headers: Mapping[str, str], body: bytes) -> str:
    """Return what tells a delivery from one that came before: its id, or else a digest of all that was said.

    `headers` are looked up by lower-case name.
    """
    id_ = headers.get("webhook-id", "")
    if id_.isascii() and id_.isprintable() and 0 < len(id_) <= _LONGEST_ID:
        return id_
    return f"sha256:{hashlib.sha256(id_.encode('utf-8', 'surrogateescape') + b'.' + body).hexdigest()}"


def error_response(status: HTTPStatus, code: str, message: str) -> web.Response:
    """Return the answer to what is not taken."""
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return web.json_response({"error": code, "message": message}, status=status, headers=headers)
