"""HTTP to the homeserver: one request, its errors in our words, rate limits waited out.

mautrix's `HTTPAPI` builds and sends. Nothing is retried here except HTTP 429, which Synapse answers before it has
done anything (spec, "Rate limiting"); all else is the caller's decision, because only it knows what is idempotent.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import aiohttp
from mautrix.api import HTTPAPI, Method
from mautrix.errors import MatrixConnectionError
from mautrix.util.logging import TraceLogger
from yarl import URL

from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import UserId

PATIENCE = 300.0
"""Seconds that one request waits for rate limits before it gives up."""
_AWAY = frozenset({502, 503, 504})


def path(*segments: str) -> str:
    """Return a URL path with every segment escaped; identifiers may hold `/`, `#` and `:`."""
    return "/".join(quote(segment, safe="") for segment in segments)


class Transport:
    """Requests with one access token, optionally as another user (`?user_id=`, spec "Identity assertion")."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self.url = url
        self._api = _Api(url, token, client_session=session)

    async def request(
        self,
        method: Method,
        request_path: str,
        content: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        as_user: UserId | None = None,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object of the answer.

        Raises `HomeserverUnavailableError` when there is no answer (or 502, 503, 504) and `HomeserverError` with
        status and errcode for every other refusal.
        """
        parameters = dict(query or {})
        if as_user is not None:
            parameters["user_id"] = as_user
        try:
            answer = await self._api.request(
                method,
                request_path,
                content=dict(content or {}),
                query_params=parameters,
                sensitive=method is not Method.GET,  # mautrix measures a sensitive body, and a GET has none
            )
        except (MatrixConnectionError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise HomeserverUnavailableError(
                f"The homeserver at {self.url} does not answer ({error or type(error).__name__})."
            ) from error
        return cast("dict[str, Any]", answer)


class _Api(HTTPAPI):
    """mautrix's client without its errors, which lose `retry_after_ms`, and without its log, which shows bodies."""

    def __init__(self, url: str, token: str, *, client_session: aiohttp.ClientSession) -> None:
        logger = cast("TraceLogger", logging.getLogger("mau.http"))
        logger.setLevel(logging.WARNING)
        super().__init__(url, token, client_session=client_session, log=logger, default_retry_count=0)

    async def _send(
        self, method: Method, url: URL, content: Any, query_params: dict[str, str], headers: dict[str, str]
    ) -> tuple[Any, aiohttp.ClientResponse]:
        waited = 0.0
        while True:
            async with self.session.request(
                str(method), url, data=content, params=query_params, headers=headers
            ) as response:
                answer = _json_object(await response.read())
                if response.ok:
                    return answer, response
                pause = _pause(answer, response.headers)
                if response.status != 429 or waited + pause > PATIENCE:
                    raise _refusal(response.status, answer, method, url)
            await asyncio.sleep(pause)
            waited += pause


def _json_object(body: bytes) -> dict[str, Any]:
    """Return the object in the body; empty for anything else, such as a proxy's error page."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _pause(answer: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    """Return the seconds that a 429 asks to wait: its body's milliseconds, else its header, else one second."""
    milliseconds = answer.get("retry_after_ms")
    if isinstance(milliseconds, int | float):
        return max(milliseconds / 1000, 0.05)
    seconds = headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 1.0


def _refusal(status: int, answer: Mapping[str, Any], method: Method, url: URL) -> HomeserverError:
    kind = HomeserverUnavailableError if status in _AWAY else HomeserverError
    errcode = str(answer.get("errcode", ""))
    words = str(answer.get("error", "")) or "The homeserver refused without a reason"
    return kind(f"{words} ({status} {errcode} at {method} {url.path})", status=status, errcode=errcode)
