"""Putting a backup back: into an empty database and beside it, all of it or nothing.

The database transaction is the caller's (`bridge.database.open_empty`), so that whatever is found wrong up to the last
byte leaves the database empty. Files that are there already stay.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import store as archive_store
from bridge.archive.blob import Blobs
from bridge.archive.ledger import Frontier, root
from bridge.archive.signing import PRIVATE_KEY
from bridge.backup import store
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
    read_about,
    read_contents,
)
from bridge.backup.parcel import ParcelReader
from bridge.errors import InputError, RefusedError
from bridge.files import make_folder, write_new_bytes

if TYPE_CHECKING:
    from bridge.database import Connection

_END = ("", b"")
_LARGEST = 2**63


class _NotWholeError(Exception):
    """A file of the archive's was not to be had to its end when the backup was made."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the files of a backup go."""

    missing: Mapping[Path, bytes]
    """They are written."""
    other: tuple[Path, ...]
    """They are there, differ from the backup's, and stay."""


class Backup:
    """A backup that is being read, from its beginning to its end."""

    def __init__(self, reader: ParcelReader, about: About) -> None:
        self._reader = reader
        self._part = _END
        self._digests: dict[str, str] = {}
        self.about = about
        self.files: dict[str, bytes] = {}

    async def read_files(self) -> None:
        """Read up to where the database begins."""
        await self._turn()
        while self._part[0].startswith(FILES):
            name, content = self._part
            self._digests[name] = hashlib.sha256(content).hexdigest()
            self.files[name.removeprefix(FILES)] = content
            await self._turn()

    async def rows(self, table: str) -> AsyncIterator[bytes]:
        """Yield the rows of the next table, piece by piece."""
        digest = hashlib.sha256()
        while self._part[0].startswith(f"{DATABASE}{table}/"):
            digest.update(self._part[1])
            yield self._part[1]
            await self._turn()
        self._digests[DATABASE + table] = digest.hexdigest()

    async def sequences(self) -> dict[str, int]:
        """Return what stands behind the tables."""
        name, content = self._part
        if name != SEQUENCES:
            raise InputError(f"Expected {SEQUENCES} in the backup, came {name or 'its end'}. Nothing was changed.")
        self._digests[SEQUENCES] = hashlib.sha256(content).hexdigest()
        await self._turn()
        found: dict[str, int] = json.loads(content)
        return found

    async def keep_files(self, opened: Callable[[], Blobs]) -> int:
        """Store the archive's files that are in it, each under its hash again, and return how many are whole."""
        blobs, whole = None, 0
        while self._part[0].startswith(MEDIA):
            name = self._part[0].split("/")[1]
            blobs = blobs or opened()
            try:
                received = await blobs.receive(self._file(name), _LARGEST)
            except _NotWholeError:  # it was damaged when it was backed up
                continue
            if received.sha256.hex() != name:
                raise InputError(f"The backup is damaged: {MEDIA}{name} was altered. Nothing was changed.")
            whole += 1
        return whole

    async def _file(self, name: str) -> AsyncIterator[bytes]:
        while self._part[0].startswith(f"{MEDIA}{name}/"):
            part, content = self._part
            await self._turn()
            if part.endswith(f"/{END}"):
                return
            yield content
        raise _NotWholeError

    async def check(self, rows: Mapping[str, int], files: int, size: int, ledger_root: str) -> Contents:
        """Insist that everything is as it was put in, and that nothing follows; return what was."""
        name, content = self._part
        if name != MANIFEST:
            raise InputError(f"Expected {MANIFEST} in the backup, came {name or 'its end'}. Nothing was changed.")
        contents = read_contents(content)
        await self._turn()
        difference = contents.difference(Contents(self._digests, rows, files, size, ledger_root))
        if difference or self._part != _END:
            wrong = difference or "something follows its end"
            raise InputError(f"The backup is damaged: {wrong}. Nothing was changed.")
        return contents

    async def _turn(self) -> None:
        part = await asyncio.to_thread(self._reader.next)
        self._part = part or _END


async def open_backup(reader: ParcelReader) -> Backup:
    """Read the beginning: what it is of, and the files. Raises `InputError`."""
    first = await asyncio.to_thread(reader.next)
    if first is None or first[0] != ABOUT:
        raise InputError("This is no backup of Muster's: it does not begin as one does. Nothing was changed.")
    backup = Backup(reader, read_about(first[1]))
    await backup.read_files()
    return backup


async def recover(
    connection: Connection, backup: Backup, opened: Callable[[], Blobs], progress: Callable[[int, int], None]
) -> Contents:
    """Fill the tables, which are those of the backup's version, and prove everything; return what was put in.

    `opened` opens the store of the archive's files, in which those of the backup stay whatever happens.

    Raises `InputError` for whatever is not as it was; the caller undoes its database transaction.
    """
    tables = backup.about.tables
    if await store.read_tables(connection) != tables:
        raise InputError(
            f"The tables of the backup (v{backup.about.schema}, Muster {backup.about.muster}) are not those of this "
            "Muster at that version. Nothing was changed; restore it with the Muster that made it."
        )
    references = await store.loosen_tables(connection, tables)
    await store.empty_tables(connection, tables)
    rows = {}
    for done, (table, columns) in enumerate(tables.items(), start=1):
        rows[table] = await store.copy_in(connection, table, columns, backup.rows(table))
        progress(done, len(tables))
    await store.set_sequences(connection, await backup.sequences())
    await store.tighten_tables(connection, tables, references)
    files = await backup.keep_files(opened)
    size, frontier = await archive_store.read_head(connection)
    return await backup.check(rows, files, size, root(Frontier.of(size, frontier)).hex())


def place_files(files: Mapping[str, bytes], places: Mapping[str, Path]) -> Placement:
    """Return which files are missing and which are there and differ.

    Raises `RefusedError` when another key of the archive's is there: with it nothing could be signed any more.
    """
    missing, other = {}, []
    for name, content in files.items():
        path = places[name]
        if not path.exists():
            missing[path] = content
        elif path.read_bytes() != content:
            if name == PRIVATE_KEY:
                raise RefusedError(f"{path} is another key than the backup's. Move it away first; nothing was changed.")
            other.append(path)
    return Placement(missing, tuple(other))


def write_files(placement: Placement) -> None:
    """Write what is missing, readable for its owner alone."""
    for path, content in placement.missing.items():
        make_folder(path.parent)
        write_new_bytes(path, content, mode=0o600)
