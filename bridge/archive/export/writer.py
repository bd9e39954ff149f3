"""Writing the files of an export: each whole or not at all, encrypted when there is a recipient, hashed as it is read.

The hash is of the content, before it is encrypted. What is written is on the disk when a function returns.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import IO

import pyrage

from bridge.archive.export.values import Written
from bridge.errors import InputError, MusterError, RefusedError
from bridge.files import make_folder

ENCRYPTED = ".age"
_MODE = 0o600


def read_recipient(text: str) -> pyrage.x25519.Recipient:
    """Return age's public key; raises `InputError`."""
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except (pyrage.RecipientError, ValueError) as error:
        raise InputError(
            f"{text!r} is no public key of age: expected age1… as `age-keygen` prints it. Ask the recipient for theirs."
        ) from error


class Writer:
    """Where the files of an export go."""

    def __init__(self, folder: Path, recipient: str | None) -> None:
        self._folder = folder
        self._recipient = read_recipient(recipient) if recipient else None

    def write(self, path: str, content: bytes, *, clear: bool = False) -> Written:
        """Write a file, in place of what may be there; `clear` when everybody is to read it."""
        recipient = None if clear else self._recipient
        stored = pyrage.encrypt(content, [recipient]) if recipient else content
        place = self._place(path, clear=clear)
        with _translated(place), _replacing(place) as file:
            file.write(stored)
        return Written(path, sha256(content).hexdigest(), len(content))

    async def write_stream(self, path: str, content: AsyncIterator[bytes], expected: bytes) -> Written:
        """Write a file of any size as it comes, which must have the SHA-256 `expected`.

        What `content` raises, and a `RefusedError` when it is another, leaves nothing behind.
        """
        digest, size = sha256(), 0
        place = self._place(path)
        with (
            _translated(place),
            _replacing(place) as file,
            tempfile.TemporaryFile() if self._recipient else nullcontext(file) as scratch,
        ):
            async for chunk in content:
                digest.update(chunk)
                size += len(chunk)
                scratch.write(chunk)
            if digest.digest() != expected:
                raise RefusedError("altered: it is not what its hash says")
            if self._recipient:
                scratch.seek(0)
                pyrage.encrypt_io(scratch, file, [self._recipient])
        return Written(path, digest.hexdigest(), size)

    def _place(self, path: str, *, clear: bool = False) -> Path:
        return self._folder / (path if clear or not self._recipient else f"{path}{ENCRYPTED}")


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that takes its place when the block ends well, and is gone when it does not."""
    make_folder(path.parent)
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MusterError(f"{path} cannot be written: {error.strerror or error}. Go on with --resume.") from error
