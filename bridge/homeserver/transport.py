"""HTTP to the homeserver: one request, its errors in our words, rate limits waited out.

Nothing of a request's body, and no token, gets into an error or the log.

mautrix's `HTTPAPI` builds and sends. Nothing is retried here except HTTP 429, which Synapse answers before it has
done anything (spec, "Rate limiting"); all else is the caller's decision, because only it knows what is idempotent.
"""

from __future__ import annotations

import asyncio
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
from bridge.homeserver.wire import decode
from bridge.ids import UserId

PATIENCE = 300.0
"""Seconds that one request waits for rate limits before it gives up."""
_AWAY = frozenset({502, 503, 504})
_LONGEST_WORDS = 300


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
        content: Mapping[str, object] | bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        as_user: UserId | None = None,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        """Send one request and return the JSON object of the answer; `kind` is the media type of bytes.

        Raises `HomeserverUnavailableError` when there is no answer (or 502, 503, 504) and `HomeserverError` with
        status and errcode for every other refusal, and for an answer that is not Matrix.
        """
        parameters = dict(query or {})
        if as_user is not None:
            parameters["user_id"] = as_user
        try:
            answer = await self._api.request(
                method,
                request_path,
                content=content if isinstance(content, bytes) else dict(content or {}),
                headers={"Content-Type": kind},
                query_params=parameters,
                sensitive=method is not Method.GET,  # mautrix measures a sensitive body, and a GET has none
            )
        except (MatrixConnectionError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise HomeserverUnavailableError(
                f"The homeserver at {self.url} does not answer ({_why(error)})."
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
                str(method), url, data=content, params=query_params, headers=headers, allow_redirects=False
            ) as response:
                answer = _json_object(await response.read())
                if 200 <= response.status < 300 and answer is not None:
                    return answer, response
                pause = _pause(answer or {}, response.headers)
                if response.status != 429 or not waited + pause <= PATIENCE:
                    raise _refusal(response.status, answer, method, url)
            await asyncio.sleep(pause)
            waited += pause


def _json_object(body: bytes) -> dict[str, Any] | None:
    """Return the object in the body; None for anything else, such as a proxy's error page."""
    try:
        answer = decode(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _why(error: Exception) -> str:
    """Return the system's words when it was the system that said no; they are shorter than the library's."""
    return getattr(error.__cause__, "strerror", None) or str(error) or type(error).__name__


def _pause(answer: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    """Return the seconds that a 429 asks to wait: its body's milliseconds, else its header, else one second."""
    milliseconds = answer.get("retry_after_ms")
    if isinstance(milliseconds, int | float):
        return max(milliseconds / 1000, 0.05)
    seconds = headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 1.0


def _refusal(status: int, answer: Mapping[str, Any] | None, method: Method, url: URL) -> HomeserverError:
    kind = HomeserverUnavailableError if status in _AWAY else HomeserverError
    errcode = str((answer or {}).get("errcode", ""))
    words = " ".join(str((answer or {}).get("error", "")).split())[:_LONGEST_WORDS]
    if 300 <= status < 400:
        words = "Expected the homeserver's own address in `homeserver.url`, came one that leads to another"
    elif answer is None and status in _AWAY:
        words = "The homeserver is away, says what is in front of it"
    elif answer is None:
        words = "Expected a Matrix homeserver at `homeserver.url`, something else answered"
    said = f"{status} {errcode}".rstrip()
    return kind(
        f"{words or 'Refused without a reason'} ({said} at {method} {url.path})", status=status, errcode=errcode
    )
