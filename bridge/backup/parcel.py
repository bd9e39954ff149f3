"""A backup as a file: named parts in a row, compressed and encrypted on their way (tar, gzip, age).

Both directions hand the bytes through a pipe to a thread, so that memory stays flat whatever the size. age proves every
64 KiB before they are given out, and that the end is the end. A file appears under its name when it is whole. What the
parts mean is left to `manifest`.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pyrage

from bridge.backup.lock import LONGEST_LINE, Key, Lock, identities_for, is_prologue
from bridge.errors import InputError, MusterError, RefusedError

_COMPRESSION = 3
"""Of gzip's nine: three times faster than the usual six, and a tenth larger."""
_BLOCK = 1 << 20
_UNREADABLE = (EOFError, OSError, tarfile.TarError, zlib.error)


class ParcelWriter:
    """A new backup, for the length of a `with` block; whole and on disk afterwards, or not there at all."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self._path = path
        self._scratch = path.with_name(f".{path.name}.new")
        self._lock = lock
        self._stack = ExitStack()
        self.size = 0
        """Bytes of the file, once it is whole."""

    def __enter__(self) -> Self:
        """Raises `RefusedError` when the file is there already, `MusterError` when it cannot be written."""
        if self._path.exists():
            raise RefusedError(f"{self._path} exists already; it was not touched. Write elsewhere.")
        try:
            self._file = _create(self._scratch)
        except OSError as error:
            raise MusterError(f"{self._path} cannot be written: {error.strerror}.") from error
        self._file.write(self._lock.prologue)
        reading, writing = os.pipe()
        self._pool = self._stack.enter_context(ThreadPoolExecutor(1, "backup"))
        self._sealing = self._pool.submit(_pump, os.fdopen(reading, "rb"), self._seal)
        self._pipe = os.fdopen(writing, "wb", _BLOCK)
        self._packed = gzip.GzipFile("", "wb", _COMPRESSION, self._pipe, mtime=0)
        self._tar = tarfile.open(fileobj=self._packed, mode="w|", bufsize=_BLOCK)
        return self

    def add(self, name: str, content: bytes) -> None:
        """Append a part."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o600
        try:
            self._tar.addfile(entry, io.BytesIO(content))
        except BrokenPipeError:
            self._finish()
        self._tar.members.clear()  # type: ignore[attr-defined]  # else one more for each part, for ever

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for stage in (self._tar, self._packed, self._pipe):
                with suppress(BrokenPipeError):
                    stage.close()
            if error is None:
                self._finish()
                self._publish()
        finally:
            self._stack.close()
            self._file.close()
            self._scratch.unlink(missing_ok=True)

    def _seal(self, reader: BinaryIO) -> None:
        pyrage.encrypt_io(reader, self._file, self._lock.recipients)

    def _finish(self) -> None:
        """Wait for the last byte; raises `MusterError` when it could not be written."""
        with suppress(BrokenPipeError):
            self._pipe.close()
        problem = self._sealing.exception()
        if problem is not None:
            raise MusterError(f"{self._path} cannot be written: {problem}.") from problem

    def _publish(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self.size = self._file.tell()
            os.link(self._scratch, self._path)
        except FileExistsError as error:
            raise RefusedError(f"{self._path} exists already; it was not touched. Write elsewhere.") from error
        except OSError as error:
            raise MusterError(f"{self._path} cannot be written: {error.strerror}.") from error


class ParcelReader:
    """The parts of a backup, for the length of a `with` block."""

    def __init__(self, path: Path, key: Key) -> None:
        self._path = path
        self._key = key
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Raises `InputError` when there is no such file, or the key is of the other kind."""
        try:
            self._file = self._stack.enter_context(self._path.open("rb"))
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}.") from error
        with self._stack:
            line = self._file.readline(LONGEST_LINE)
            self._identities = identities_for(self._key, line)
            if not is_prologue(line):
                self._file.seek(0)
            reading, writing = os.pipe()
            self._pool = self._stack.enter_context(ThreadPoolExecutor(1, "restore"))
            self._opening = self._pool.submit(_pump, os.fdopen(writing, "wb", _BLOCK), self._open)
            self._pipe = self._stack.enter_context(os.fdopen(reading, "rb", _BLOCK))
            self._packed = gzip.GzipFile("", "rb", fileobj=self._pipe)
            self._tar: tarfile.TarFile | None = None
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def next(self) -> tuple[str, bytes] | None:
        """Return the next part's name and content, or None when the file was read and proven to its end.

        Raises `InputError` when the key does not open it, or it was cut off or altered.
        """
        try:
            if self._tar is None:
                self._tar = tarfile.open(fileobj=self._packed, mode="r|", bufsize=_BLOCK)  # noqa: SIM115
            entry = self._tar.next()
            if entry is None:
                while self._packed.read(_BLOCK):
                    pass
                self._opening.result()
                return None
            content = self._tar.extractfile(entry)
            found = content.read() if content else b""
            if len(found) != entry.size:
                raise EOFError
            self._tar.members.clear()  # type: ignore[attr-defined]  # else one more for each part, for ever
        except (*_UNREADABLE, pyrage.DecryptError) as error:
            raise self._unreadable() from error
        return entry.name, found

    def _open(self, writer: BinaryIO) -> None:
        pyrage.decrypt_io(self._file, writer, self._identities)

    def _unreadable(self) -> InputError:
        self._pipe.close()
        problem = self._opening.exception()
        if isinstance(problem, pyrage.DecryptError) and "No matching keys" in str(problem):
            return InputError(f"The key does not open {self._path}. Nothing was changed; name the key it was made for.")
        if isinstance(problem, pyrage.DecryptError):
            return InputError(f"{self._path} is no backup, or its beginning is damaged. Nothing was changed.")
        return InputError(f"{self._path} was cut off or altered. Nothing was changed; take another backup.")


def _create(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _pump(end: BinaryIO, work: Callable[[BinaryIO], None]) -> None:
    """Do the work on our end of the pipe and close it, which tells the other end."""
    try:
        work(end)
    finally:
        with suppress(OSError):  # nobody reads any more
            end.close()
