"""Taking a backup: every table as of one moment, and the files without which the database is of no use.

The service may run meanwhile. What a backup looks like is left to `manifest` and `parcel`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import __version__
from bridge.archive import store as archive_store
from bridge.archive.blob import Blobs
from bridge.archive.encrypted import DEVICE_KEY
from bridge.archive.ledger import Frontier, root
from bridge.archive.media_store import read_hashes
from bridge.archive.pseudonym_key import PSEUDONYM_KEY
from bridge.archive.signing import KEYS
from bridge.backup import store
from bridge.backup.lock import Lock
from bridge.backup.manifest import (
    ABOUT,
    DATABASE,
    END,
    FILES,
    MANIFEST,
    MEDIA,
    SEQUENCES,
    About,
    Contents,
    about_as_json,
    manifest_as_json,
)
from bridge.backup.parcel import ParcelWriter
from bridge.config import Config
from bridge.database import read_version
from bridge.errors import MediaError, MediaUnavailableError, MusterError

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_NAMED = ("config.yaml", "policy.yaml", "registration.yaml")
PIECE = 4 << 20
"""Bytes of a table's rows that travel at once."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was written."""

    path: Path
    about: About
    contents: Contents
    bytes: int
    """The file's."""
    damaged: int
    """Files of the archive's that its store has not, or not as they were."""


def place_of(config: Config, name: str) -> Path:
    """Return where a file that belongs to the database is, by its name in a backup."""
    named = {
        "config.yaml": config.path,
        "policy.yaml": config.policy,
        "registration.yaml": config.appservice.registration,
    }
    return named.get(name) or config.data / Path(name).name


def files_of(config: Config) -> dict[str, Path]:
    """Return the files that belong to the database, by their names in a backup; of the keys those that are there."""
    keys = [path.name for pattern in (KEYS, PSEUDONYM_KEY, DEVICE_KEY) for path in sorted(config.data.glob(pattern))]
    return {name: place_of(config, name) for name in (*_NAMED, *keys)}


async def take(
    pool: Pool,
    config: Config,
    path: Path,
    lock: Lock,
    at: datetime,
    progress: Callable[[int, int], None],
    blobs: Blobs | None = None,
) -> Taken:
    """Write a backup to a file that must not exist; `progress` is told how many tables are done, of how many.

    The archive's files are in it when `blobs` is given. Raises `RefusedError` when it exists, `MusterError` when
    something cannot be read or written.
    """
    files = await asyncio.to_thread(_read_files, files_of(config))
    async with archive_store.snapshot(pool) as connection:
        about = About(
            muster=__version__,
            schema=await read_version(connection),
            server_name=config.homeserver.server_name,
            made_at=at.astimezone(UTC).isoformat(timespec="seconds"),
            tables=await store.read_tables(connection),
        )
        with ParcelWriter(path, lock) as writer:
            contents, damaged = await _fill(writer, connection, about, files, blobs, progress)
    return Taken(path, about, contents, writer.size, damaged)


async def _fill(
    writer: ParcelWriter,
    connection: Connection,
    about: About,
    files: Mapping[str, bytes],
    blobs: Blobs | None,
    progress: Callable[[int, int], None],
) -> tuple[Contents, int]:
    digests = {}
    await asyncio.to_thread(writer.add, ABOUT, about_as_json(about))
    for name, content in files.items():
        digests[FILES + name] = hashlib.sha256(content).hexdigest()
        await asyncio.to_thread(writer.add, FILES + name, content)
    rows = {}
    for done, (table, columns) in enumerate(about.tables.items(), start=1):
        pieces = _Pieces(writer, DATABASE + table)
        rows[table] = await store.copy_out(connection, table, columns, pieces.take)
        digests[DATABASE + table] = await pieces.end()
        progress(done, len(about.tables))
    sequences = json.dumps(await store.read_sequences(connection)).encode()
    digests[SEQUENCES] = hashlib.sha256(sequences).hexdigest()
    await asyncio.to_thread(writer.add, SEQUENCES, sequences)
    hashes = await read_hashes(connection) if blobs else []
    whole = sum([await _add_file(writer, blobs, sha256) for sha256 in hashes]) if blobs else 0
    size, frontier = await archive_store.read_head(connection)
    contents = Contents(digests, rows, whole, size, root(Frontier.of(size, frontier)).hex())
    await asyncio.to_thread(writer.add, MANIFEST, manifest_as_json(about, contents))
    return contents, len(hashes) - whole


async def _add_file(writer: ParcelWriter, blobs: Blobs, sha256: bytes) -> bool:
    """Add a file, and return whether it is whole; what is missing or altered in the store ends nothing."""
    name = f"{MEDIA}{sha256.hex()}"
    pieces = _Pieces(writer, name)
    try:
        async for piece in blobs.read(sha256):
            await pieces.take(piece)
    except MediaUnavailableError:
        raise
    except MediaError:
        return False
    await pieces.end()
    await asyncio.to_thread(writer.add, f"{name}/{END}", b"")
    return True


class _Pieces:
    """The rows of one table on their way into the backup."""

    def __init__(self, writer: ParcelWriter, name: str) -> None:
        self._writer = writer
        self._name = name
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._number = 0

    async def take(self, content: bytes) -> None:
        self._waiting += content
        if len(self._waiting) >= PIECE:
            await self._hand_on()

    async def end(self) -> str:
        """Hand on the rest, and return the digest of all."""
        if self._waiting or not self._number:
            await self._hand_on()
        return self._digest.hexdigest()

    async def _hand_on(self) -> None:
        piece, self._waiting = bytes(self._waiting), bytearray()
        await asyncio.to_thread(self._add, piece)

    def _add(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._writer.add(f"{self._name}/{self._number:06d}", piece)
        self._number += 1


def _read_files(paths: Mapping[str, Path]) -> dict[str, bytes]:
    found = {}
    for name, path in paths.items():
        try:
            found[name] = path.read_bytes()
        except FileNotFoundError as error:
            raise MusterError(f"{path} is missing, and belongs into the backup.") from error
        except OSError as error:
            raise MusterError(
                f"{path} cannot be read: {error.strerror}. Run the command as the service's user."
            ) from error
    return found
