"""Writing files that other people's work depends on."""

from __future__ import annotations

import os
from pathlib import Path

from bridge.errors import MusterError, RefusedError


def write_new(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file of text as `write_new_bytes` does."""
    write_new_bytes(path, text.encode(), mode=mode)


def write_new_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file that must not exist yet, whole or not at all, with `mode` from its first byte on."""
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.unlink(missing_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.link(scratch, path)
        finally:
            scratch.unlink()
    except FileExistsError as error:
        raise RefusedError(f"{path} exists already; it was not touched. Move it away, or write elsewhere.") from error
    except OSError as error:
        raise MusterError(f"{path} cannot be written: {error.strerror}.") from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it; one that is there already is fine."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MusterError(f"{path} cannot be made: {error.strerror}.") from error


def sync(path: Path) -> None:
    """Return when the file and its name are on the disk."""
    for each in (path, path.parent):
        try:
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise MusterError(f"{each} cannot be written to the disk: {error.strerror}.") from error


def replace(source: Path, target: Path) -> None:
    """Put a file in the place of another, at once; it keeps the other's owner when that can be done."""
    try:
        if target.exists() and os.geteuid() == 0:
            owner = target.stat()
            os.chown(source, owner.st_uid, owner.st_gid)
        source.replace(target)
    except OSError as error:
        raise MusterError(f"{target} cannot be replaced: {error.strerror}.") from error
    sync(target)


def remove(path: Path) -> None:
    """Remove a file; that it is gone already is fine."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise MusterError(f"{path} cannot be removed: {error.strerror}.") from error
