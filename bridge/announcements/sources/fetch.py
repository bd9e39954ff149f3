"""Fetching a document from an address that somebody else looks after, within limits."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import aiohttp

from bridge.errors import InputError, MusterError

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of a document, on the way and unpacked."""
_SECONDS: Final = 30.0
_MOST_REDIRECTS: Final = 3
_CHUNK: Final = 64 * 1024
_UNPACKING: Final = {"": 0, "identity": 0, "gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16}
_TYPES: Final = ("application/octet-stream", "application/json", "text/")


class AwayError(MusterError):
    """The address cannot be had at this moment."""


@dataclass(frozen=True, slots=True)
class Document:
    """What an address answers."""

    content: bytes
    content_type: str
    address: str
    """Where it came from, after all redirects."""
    etag: str
    modified: str


async def fetch(
    session: aiohttp.ClientSession, url: str, *, etag: str = "", modified: str = "", largest: int = LARGEST
) -> Document | None:
    """Return the document, None when it has not changed since the etag or the moment (RFC 9110 section 13).

    Raises `InputError` when it is none that is read, and `AwayError` when it cannot be had now.
    """
    asked = {
        "Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.1",
        "Accept-Encoding": "gzip",
        "User-Agent": "Muster",
        **({"If-None-Match": etag} if etag else {}),
        **({"If-Modified-Since": modified} if modified else {}),
    }
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with session.get(
            url, headers=asked, timeout=timeout, max_redirects=_MOST_REDIRECTS, auto_decompress=False
        ) as response:
            if response.status == 304 and (etag or modified):
                return None
            if response.status != 200:
                raise AwayError(f"its address answers {response.status}")
            if not _is_text(response.content_type):
                raise InputError(f"expected an RSS or Atom feed, came {response.content_type}")
            return Document(
                await _read(response, largest),
                response.headers.get("Content-Type", ""),
                str(response.url),
                response.headers.get("ETag", ""),
                response.headers.get("Last-Modified", ""),
            )
    except aiohttp.TooManyRedirects as error:
        raise AwayError(f"its address leads on more than {_MOST_REDIRECTS} times") from error
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise AwayError(f"its address does not answer ({type(error).__name__})") from error


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _UNPACKING:
        raise InputError(f"expected gzip or nothing as Content-Encoding, came {encoding[:20]}")
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > largest:
            raise InputError(f"it is larger than {largest:,} bytes")
    return _unpacked(bytes(content), _UNPACKING[encoding], largest)


def _unpacked(content: bytes, window: int, largest: int) -> bytes:
    """Unpack no more than is allowed: ten kilobytes can hold ten megabytes of nothing."""
    if not window:
        return content
    try:
        found = zlib.decompressobj(window).decompress(content, largest + 1)
    except zlib.error as error:
        raise InputError("it is said to be packed with gzip and does not unpack") from error
    if len(found) > largest:
        raise InputError(f"it is larger than {largest:,} bytes when it is unpacked")
    return found


def _is_text(content_type: str) -> bool:
    return "xml" in content_type or content_type.startswith(_TYPES)
