"""Files from the homeserver, through its authenticated media endpoint, its own and those of other homeservers.

The application service's token is enough; nobody needs to be in a room (specification, "Content repository").
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.wire import decode

_TIMEOUT = aiohttp.ClientTimeout(total=1800, connect=30, sock_read=90)
"""Seconds: for all of it, and without a byte; the homeserver itself waits up to a minute for another one."""
_PIECE = 256 * 1024
_REDIRECTIONS = 3
_LONGEST_ANSWER = 64 * 1024
_LONGEST_TYPE = 100
_LONGEST_WORDS = 200
_AWAY = frozenset({502, 503})
"""From a proxy. A 504 is none: the homeserver may take too long over one file, another homeserver's."""
_ALL_FAIL = frozenset({401, 429})
"""Refusals that mean us and not the file: the token, too many requests."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way."""

    size: int | None
    """Bytes, as the homeserver announces them."""
    mimetype: str
    """As whoever uploaded it said; empty when unknown."""
    chunks: AsyncIterator[bytes]
    """Raises `HomeserverError` when the file ends before its announced size."""


@asynccontextmanager
async def opened(session: aiohttp.ClientSession, url: str, token: str, path: str) -> AsyncIterator[Download]:
    """Request a file and yield it while it comes.

    Raises `HomeserverError` when this file cannot be had, and `HomeserverUnavailableError` when none can: there is no
    answer, the token is not accepted, or we ask too often.
    """
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    try:
        # Behind a redirection to another host, where the homeserver keeps its files, aiohttp does not send the token.
        async with session.get(
            f"{url.rstrip('/')}/{path}", headers=headers, timeout=_TIMEOUT, max_redirects=_REDIRECTIONS
        ) as response:
            if response.status != 200:
                raise _refusal(response.status, await response.content.read(_LONGEST_ANSWER))
            yield Download(response.content_length, response.content_type[:_LONGEST_TYPE], _chunks(response))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise HomeserverUnavailableError(
            f"The homeserver at {url} does not answer ({type(error).__name__})."
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:  # the next file may come all the same
        raise HomeserverError(f"no file came ({type(error).__name__})") from error


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(_PIECE):
            yield chunk
    except TimeoutError as error:
        raise HomeserverError("the file stopped coming") from error
    except aiohttp.ClientError as error:
        raise HomeserverError("the file ended before its announced size") from error


def _refusal(status: int, body: bytes) -> HomeserverError:
    try:
        answer = decode(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "errcode" not in answer:
        kind = HomeserverUnavailableError if status in _AWAY else HomeserverError
        return kind(f"{status} from what is in front of the homeserver", status=status)
    errcode = str(answer["errcode"])
    words = " ".join(f"{status} {errcode}: {answer.get('error', '')}".split())[:_LONGEST_WORDS]
    kind = HomeserverUnavailableError if status in _ALL_FAIL else HomeserverError
    return kind(words, status=status, errcode=errcode)
