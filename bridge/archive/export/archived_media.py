"""The files of an export, from where the archive keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import TYPE_CHECKING

from bridge.archive.export.values import Filed
from bridge.archive.media_store import read_attachments

if TYPE_CHECKING:
    from bridge.archive.blob import Blobs
    from bridge.database import Pool


class ArchivedMedia:
    """What an export asks about files."""

    def __init__(self, pool: Pool, blobs: Blobs) -> None:
        self._pool = pool
        self._blobs = blobs

    async def find(self, seqs: Collection[int]) -> Mapping[tuple[int, str], Filed]:
        """Return what became of the files of the events at these positions, by position and mxc URI."""
        return {
            (each.seq, each.mxc): Filed(each.sha256, "" if each.sha256 else each.reason or each.state)
            for each in await read_attachments(self._pool, seqs)
        }

    def read(self, sha256: bytes) -> AsyncIterator[bytes]:
        """Yield a file's content; raises a `MusterError` when it is away, or is not what its hash says."""
        return self._blobs.read(sha256)
