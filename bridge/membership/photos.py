"""Reading the company's photos: the files of a folder, and what an address answers.

Whether it is a picture is asked by `picture`. No message repeats an address, which is somebody's attribute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import aiohttp

from bridge.directory.scim_shape import comparison_key
from bridge.errors import MusterError, PictureError
from bridge.membership.face import PhotoFile
from bridge.membership.picture import LARGEST_FILE
from bridge.policy.pictures import SUFFIXES

_SECONDS: Final = 20.0
_CHUNK: Final = 64 * 1024
_GONE: Final = frozenset({400, 401, 403, 404, 405, 410})


class PhotoUnavailableError(MusterError):
    """The photo cannot be had at this moment."""


def files_of(folder: Path) -> dict[str, PhotoFile]:
    """Return the photos of a folder by the userName that they are called after, as names are compared.

    Of several of one name the last by suffix counts. Raises `PhotoUnavailableError` when the folder cannot be read.
    """
    found: dict[str, PhotoFile] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
                seen = path.stat()
                mark = f"{path.name} {seen.st_size} {seen.st_mtime_ns}"
                found[comparison_key(path.stem)] = PhotoFile(path, mark)
    except OSError as error:
        raise PhotoUnavailableError(f"The folder of photos {folder} cannot be read: {error.strerror}.") from error
    return found


def read_file(path: Path) -> bytes:
    """Return a file's bytes, one more than allowed at the most; raise `PictureError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise PictureError(f"the file cannot be read ({error.strerror})") from error


def insist_on_https(url: str) -> str:
    """Return the address; raise `PictureError` when it is another one than `https:`."""
    if not url.lower().startswith("https://"):
        raise PictureError("expected an address that begins with https://, came another one")
    return url


async def fetch(session: aiohttp.ClientSession, url: str) -> bytes:
    """Return what an address answers, one byte more than allowed at the most. It is sent no token and followed nowhere.

    Raises `PictureError` when it says no, or leads elsewhere, and `PhotoUnavailableError` when it is not to be reached.
    """
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with session.get(url, timeout=timeout, allow_redirects=False) as response:
            if response.status in _GONE or 300 <= response.status < 400:
                raise PictureError(f"expected a picture from its address, came the answer {response.status}")
            if response.status != 200:
                raise PhotoUnavailableError(f"its address answers {response.status}")
            content = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > LARGEST_FILE:
                    break
            return bytes(content)
    except aiohttp.InvalidURL as error:
        raise PictureError("expected an address that begins with https://, came something else") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise PhotoUnavailableError(f"its address does not answer ({type(error).__name__})") from error
