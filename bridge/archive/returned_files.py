"""Files of messages that are given back: read from the archive's store, and uploaded anew."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from bridge.archive.media import Place
from bridge.archive.media_store import read_attachments
from bridge.errors import HomeserverError, HomeserverUnavailableError, MediaError, MediaUnavailableError
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.archive.blob import Blobs
    from bridge.database import Pool

log = logging.getLogger(__name__)


class Uploads(Protocol):
    """Who takes files."""

    async def upload(self, content: bytes, kind: str) -> str: ...


class ReturnedFiles:
    """The archive's files on their way back."""

    def __init__(self, pool: Pool, homeserver: Uploads, blobs: Blobs) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._blobs = blobs

    async def upload(self, event: Event) -> str:
        """Upload the file of a message and return its `mxc:` address, or nothing when it is not to be had.

        A file is held in memory, which `archive.media.limit` bounds. Raises `MediaUnavailableError` and
        `HomeserverUnavailableError` for what passes by itself.
        """
        if "url" not in event.content and "url" not in _new(event):  # encrypted files have none
            return ""
        for attachment in await read_attachments(self._pool, [event.seq]):
            if attachment.place is Place.FILE and attachment.sha256:
                return await self._upload(attachment.sha256, attachment.mimetype or "application/octet-stream")
        return ""

    async def _upload(self, sha256: bytes, kind: str) -> str:
        try:
            content = b"".join([piece async for piece in self._blobs.read(sha256)])
            return await self._homeserver.upload(content, kind)
        except (HomeserverUnavailableError, MediaUnavailableError):
            raise
        except (MediaError, HomeserverError) as error:
            log.warning("a file is not restored: %s", error.message, extra={"action": "archive.restore"})
            return ""


def _new(event: Event) -> dict[str, object]:
    new = event.content.get("m.new_content")
    return new if isinstance(new, dict) else {}
