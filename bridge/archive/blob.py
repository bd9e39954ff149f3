"""Files by the SHA-256 of their bytes, each stored once, checked whenever they are read.

`Blobs` hashes, keeps and checks; where the bytes lie is its driver's: a folder, or anything that speaks S3. A file is
received into a folder of its own first, so that memory is flat and a half one never gets a name. Which events have
which files is left to `media_store`.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from bridge.config_archive import Bucket, MediaConfig
from bridge.errors import MediaError, MediaTooLargeError, MediaUnavailableError, MusterError

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

_PIECE = 256 * 1024
_LEFTOVER_SECONDS = 86_400
"""Age from which on a file that was not received to its end is nobody's."""
_LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Received:
    """A file that is stored."""

    sha256: bytes
    size: int
    """Bytes."""


class Store(Protocol):
    """Where the bytes lie. Each raises `MediaUnavailableError` when that is away or full."""

    async def put(self, name: str, file: Path) -> None:
        """Keep the bytes of the file, durably, under the name; the file may be moved."""
        ...

    def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of that name; raises `MediaError` when there is nothing of the name."""
        ...

    async def has(self, name: str) -> bool:
        """Return whether there is something of that name."""
        ...

    async def remove(self, name: str) -> None:
        """Remove what has the name, if there is something."""
        ...


class Blobs:
    """The archive's files; `incoming` is a folder, for those that come in, on the disk of the store if it is one."""

    def __init__(self, store: Store, incoming: Path) -> None:
        self._store = store
        self._incoming = incoming

    async def receive(self, chunks: AsyncIterator[bytes], limit: int) -> Received:
        """Store what comes, and return its hash.

        Raises `MediaTooLargeError` when more than `limit` bytes come, `MediaUnavailableError`, and what `chunks`
        raises; then nothing is stored.
        """
        incoming = await asyncio.to_thread(_Incoming, self._incoming)
        try:
            async for chunk in chunks:
                if incoming.size + len(chunk) > limit:
                    raise MediaTooLargeError(incoming.size + len(chunk))
                await asyncio.to_thread(incoming.add, chunk)
            received = await asyncio.to_thread(incoming.end)
            await self._store.put(name_of(received.sha256), incoming.path)
        finally:
            await asyncio.to_thread(incoming.discard)
        return received

    async def read(self, sha256: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the file in pieces; the last one only after all of them were compared with the hash.

        Raises `MediaError` when the file is missing or altered: whoever has written pieces then discards them. Raises
        `MediaUnavailableError` when the store is away.
        """
        digest = hashlib.sha256()
        last = b""
        async with aclosing(self._store.read(name_of(sha256))) as pieces:
            async for piece in pieces:
                digest.update(piece)
                if last:
                    yield last
                last = piece
        if digest.digest() != sha256:
            raise MediaError(
                f"The stored file {sha256.hex()} was altered: its bytes hash to {digest.hexdigest()}. Restore it from "
                "a backup of `archive.media.store`."
            )
        if last:
            yield last

    async def has(self, sha256: bytes) -> bool:
        """Return whether the file is there, whatever its bytes; raises `MediaUnavailableError`."""
        return await self._store.has(name_of(sha256))

    async def remove(self, sha256: bytes) -> None:
        """Remove the file; again is fine."""
        await self._store.remove(name_of(sha256))


def name_of(sha256: bytes) -> str:
    """Return the name under which a file lies: `9f/86/9f86d0…`."""
    text = sha256.hex()
    return f"{text[:2]}/{text[2:4]}/{text}"


def open_blobs(config: MediaConfig, data: Path) -> Blobs:
    """Return the files that the configuration speaks of; `data` is Muster's data folder.

    Raises `MusterError` when what S3 needs is not installed. What was left half received long ago is removed.
    """
    if isinstance(config.store, Bucket):
        blobs = Blobs(BucketStore(_s3(config.store)), incoming := data / "media-incoming")
    else:
        folder = config.store or data / "media"
        blobs = Blobs(FolderStore(folder), incoming := folder / "incoming")
    _remove_leftovers(incoming)
    return blobs


class FolderStore:
    """A folder; files in it belong to Muster's user alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, name: str, file: Path) -> None:
        """Move the file, of which every byte is on the disk, to its name; atomic, and of two the later stays."""
        with _disk_errors(self._folder):
            await asyncio.to_thread(_move, file, self._folder / name)

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """Yield the file in pieces."""
        with _disk_errors(self._folder):
            try:
                file = await asyncio.to_thread((self._folder / name).open, "rb")
            except FileNotFoundError as error:
                raise _missing(name) from error
            try:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    yield piece
            finally:
                await asyncio.to_thread(file.close)

    async def has(self, name: str) -> bool:
        """Return whether the file is there."""
        with _disk_errors(self._folder):
            return await asyncio.to_thread((self._folder / name).exists)

    async def remove(self, name: str) -> None:
        """Remove the file."""
        with _disk_errors(self._folder):
            await asyncio.to_thread((self._folder / name).unlink, missing_ok=True)


class BucketStore:
    """A bucket of an S3-compatible store, or whatever else `obstore` reaches."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def put(self, name: str, file: Path) -> None:
        """Upload the file, in parts when it is large; it appears whole or not at all."""
        import obstore

        with _bucket_errors(name):
            await obstore.put_async(self._store, name, file)

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """Yield the object in pieces as they come."""
        import obstore

        with _bucket_errors(name):
            found = await obstore.get_async(self._store, name)
            async for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    async def has(self, name: str) -> bool:
        """Return whether the object is there."""
        import obstore

        with _bucket_errors(name):
            try:
                await obstore.head_async(self._store, name)
            except FileNotFoundError:
                return False
        return True

    async def remove(self, name: str) -> None:
        """Remove the object."""
        import obstore

        with _bucket_errors(name), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, name)


class _Incoming:
    """A file that is being received."""

    def __init__(self, folder: Path) -> None:
        with _disk_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = folder / os.urandom(16).hex()
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def add(self, chunk: bytes) -> None:
        with _disk_errors(self.path.parent):
            self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def end(self) -> Received:
        with _disk_errors(self.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())
        return Received(self._digest.digest(), self.size)

    def discard(self) -> None:
        with suppress(OSError):  # what a full disk did not take when it was written, it does not take here either
            self._file.close()
        self.path.unlink(missing_ok=True)


def _move(file: Path, place: Path) -> None:
    new = not place.parent.exists()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.replace(place)
    for folder in (place.parent, *((place.parent.parent, place.parent.parent.parent) if new else ())):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_leftovers(folder: Path) -> None:
    oldest = time.time() - _LEFTOVER_SECONDS
    for file in folder.glob("*"):
        with suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()


def _s3(bucket: Bucket) -> S3Store:
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise MusterError('Files on S3 need one package more: pip install "muster[s3]".') from error
    where: S3Config = {"endpoint": bucket.endpoint} if bucket.endpoint else {}
    plain = bool(bucket.endpoint and bucket.endpoint.startswith("http:"))
    return S3Store(bucket.name, prefix=bucket.prefix or None, config=where, client_options={"allow_http": plain})


def _missing(name: str) -> MediaError:
    digest = name.rpartition("/")[2]
    return MediaError(f"The stored file {digest} is missing. Restore it from a backup of `archive.media.store`.")


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        mend = "Make room" if full else "Mend it, or `archive.media.store` in the configuration"
        raise MediaUnavailableError(f"Files cannot be kept in {folder} ({error.strerror}). {mend}.") from error


@contextmanager
def _bucket_errors(name: str) -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise _missing(name) from error
    except (BaseError, OSError, ValueError) as error:
        words = " ".join(str(error).partition("\n")[0].split())[:_LONGEST_WORDS]
        raise MediaUnavailableError(
            f"The store of `archive.media` does not do what it is asked ({words}). Check its address, bucket and keys."
        ) from error
