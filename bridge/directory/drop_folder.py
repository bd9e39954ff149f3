"""The drop folder: files that HR puts there are imported by themselves, each once and whole, and put away.

A file is taken when two looks in a row find it the same, also under another name: so one that is written elsewhere
or under a temporary name and then renamed is never read half. Taking moves it to `working/` under a name of its own;
the database remembers that name in the transaction that imports the file; then it goes to `done/` or `failed/`, with
a `.txt` beside it that says what happened. Killed at any point, the next run goes on from what is in `working/`.
`NAME.sha256`, as sha256sum writes it, proves the file NAME whole and goes where it goes; a mapping with `digest` waits
for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.directory.feed import sidecar_digest
from bridge.directory.file_mapping import FileMapping
from bridge.directory.intake import import_csv
from bridge.errors import MusterError

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

LARGEST: Final = 256 * 1024 * 1024
"""Bytes a file may have."""
_TEMPORARY: Final = (".part", ".tmp", ".filepart", ".crdownload", ".swp", "~")
_LONGEST_NAME: Final = 150
_LONGEST_SIDECAR: Final = 4096
_DIGITS: Final = 8
_SHOWN: Final = len("20270301T080000Z-") + _DIGITS
_WORKING, _DONE, _FAILED = "working", "done", "failed"
_SIDECAR: Final = ".sha256"
_NO_PEOPLE: Final = (*_TEMPORARY, _SIDECAR)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a file."""

    name: str
    size: int
    modified: int
    """Nanoseconds since 1970."""


def settled(before: Mapping[int, Look], now: Mapping[int, Look], *, digest: bool = False) -> list[str]:
    """Return the names of the files to take, the oldest first: unchanged since the last look, and not temporary.

    A digest beside a file must not have changed either, and with `digest` there must be one. Both mappings are by
    inode, which a file keeps when it is renamed.
    """
    same = [
        look
        for inode, look in now.items()
        if inode in before and (before[inode].size, before[inode].modified) == (look.size, look.modified)
    ]
    ready = [look for look in same if not look.name.startswith(".") and not look.name.lower().endswith(_NO_PEOPLE)]
    there = {look.name for look in now.values()}
    sure = {look.name for look in same}
    return [
        look.name
        for look in sorted(ready, key=lambda look: (look.modified, look.name))
        if look.name + _SIDECAR in sure or not (digest or look.name + _SIDECAR in there)
    ]


def claim_name(name: str, now: datetime, number: str) -> str:
    """Return the name under which a file is taken: time, number, and its own as far as every file system bears it."""
    plain = "".join(letter if letter.isprintable() else "_" for letter in name).encode()
    return f"{now:%Y%m%dT%H%M%SZ}-{number}-{plain[-_LONGEST_NAME:].decode(errors='ignore')}"


class DropFolder:
    """The watched folder."""

    def __init__(
        self,
        pool: Pool,
        folder: Path,
        mapping: FileMapping,
        *,
        every: timedelta,
        custom: Sequence[str] = (),
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._folder = folder
        self._mapping = mapping
        self._every = every
        self._custom = custom
        self._clock = clock
        self._seen: Mapping[int, Look] = {}

    async def run(self) -> None:
        """Look again and again until cancelled; what is in the way is told once, and waited for."""
        said = ""
        while True:
            problem = ""
            try:
                await self.look()
            except AWAY as error:  # also what the file system refuses
                problem = type(error).__name__
            if problem and problem != said:
                log.warning("the drop folder waits: %s", problem, extra={"action": "files.wait"})
            said = problem
            await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> None:
        """Take what is ready, and import all that was taken. Raises one of `AWAY`; then it is tried again later."""
        now = await asyncio.to_thread(_files, self._folder)
        for name in settled(self._seen, now, digest=self._mapping.digest):
            await asyncio.to_thread(_claim, self._folder, name, self._clock())
        self._seen = now
        for claim in await asyncio.to_thread(_claims, self._folder):
            await self._import(claim)

    async def _import(self, claim: str) -> None:
        file = self._folder / _WORKING / claim
        outcome = _FAILED
        try:
            report = await import_csv(
                self._pool,
                await asyncio.to_thread(_content, file),
                claim,
                custom=self._custom,
                mapping=self._mapping,
                sha256=await asyncio.to_thread(_digest, file),
                claim=claim,
                clock=self._clock,
            )
            outcome, words = _DONE, "\n".join([report.sentence(), *report.warnings])
        except MusterError as error:
            words = error.message
        except AWAY:
            raise
        except Exception as error:  # one file nobody foresaw must not stop all others
            words = f"{type(error).__name__}: Muster cannot read this file. Nothing was changed."
        await asyncio.to_thread(_put_away, self._folder, claim, outcome, words)
        log.log(
            logging.INFO if outcome == _DONE else logging.ERROR,
            "a file of the drop folder is %s; the .txt of %s there says more",
            outcome,
            claim[:_SHOWN],  # the rest was given by whoever dropped it, and may name people
            extra={"action": f"files.{outcome}"},
        )


def _files(folder: Path) -> dict[int, Look]:
    for name in ("", _WORKING, _DONE, _FAILED):
        (folder / name).mkdir(parents=True, exist_ok=True)
    found = {}
    for entry in folder.iterdir():
        if entry.is_file() and not entry.is_symlink():
            status = entry.stat()
            found[status.st_ino] = Look(entry.name, status.st_size, status.st_mtime_ns)
    return found


def _claim(folder: Path, name: str, now: datetime) -> None:
    """Move the file, with a copy of its digest there before it: killed in between, neither is without the other."""
    sidecar, taken = folder / (name + _SIDECAR), folder / _WORKING / claim_name(name, now, uuid4().hex[:_DIGITS])
    if sidecar.is_file():
        _sidecar(taken).write_bytes(sidecar.read_bytes())
    (folder / name).rename(taken)
    sidecar.unlink(missing_ok=True)


def _claims(folder: Path) -> list[str]:
    """Return what is to be imported, oldest first; a digest without its file is left from before a kill."""
    entries = [entry for entry in (folder / _WORKING).iterdir() if entry.is_file()]
    names = {entry.name for entry in entries}
    for entry in entries:
        if entry.name.endswith(_SIDECAR) and entry.name.removesuffix(_SIDECAR) not in names:
            entry.unlink()
    files = (entry for entry in entries if not entry.name.endswith(_SIDECAR))
    return [entry.name for entry in sorted(files, key=lambda entry: (entry.stat().st_mtime_ns, entry.name))]


def _sidecar(file: Path) -> Path:
    return file.with_name(file.name + _SIDECAR)


def _digest(file: Path) -> str | None:
    """Return the digest that came with the file, None when none did."""
    try:
        text = _sidecar(file).read_bytes()[:_LONGEST_SIDECAR].decode(errors="replace")
    except FileNotFoundError:
        return None
    return sidecar_digest(text, _sidecar(file).name)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            found = stream.read(LARGEST + 1)
    except OSError as error:
        raise MusterError(f"{file.name}: cannot be read: {error.strerror}. Nothing was changed.") from error
    if len(found) > LARGEST:
        raise MusterError(f"{file.name}: expected at most {LARGEST} bytes, came more. Nothing was changed.")
    return found


def _put_away(folder: Path, claim: str, outcome: str, words: str) -> None:
    """Say what happened before the file arrives, so that it is never there without."""
    (folder / outcome / f"{claim}.txt").write_text(words + "\n", encoding="utf-8")
    taken = folder / _WORKING / claim
    taken.rename(folder / outcome / claim)
    with suppress(FileNotFoundError):
        _sidecar(taken).rename(_sidecar(folder / outcome / claim))
