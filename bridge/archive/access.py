"""Everything that is held of one person, as a folder for them (GDPR Article 15).

    said.jsonl          what they sent, edits and deleted messages too; one JSON object a line
    about.jsonl         what others' state says of them: invitations, removals, names
    directory.jsonl     every state that HR's data about them has had
    acknowledged.jsonl  announcements that they acknowledged
    index.txt           what the files are, how many lines they have, their SHA-256

What was disposed of stands there with `event` null. Files are readable by their owner alone and written a portion at a
time. Who may see them, and recording that somebody did, is left to the caller.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.archive import person_store, store
from bridge.archive.rendering import printable, short, writable
from bridge.errors import MusterError, RefusedError
from bridge.files import make_folder, write_new
from bridge.homeserver import wire
from bridge.ids import PersonId, UserId

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass(frozen=True, slots=True)
class Written:
    """A file of the bundle."""

    name: str
    about: str
    lines: int
    digest: str
    """SHA-256, hexadecimal."""


async def write_access(
    pool: Pool, folder: Path, person: PersonId, accounts: Sequence[UserId], name: str, at: datetime
) -> list[Written]:
    """Write the bundle, as of one moment, into a folder that is not there yet or empty.

    Raises `RefusedError` when something is in the folder, `MusterError` when it cannot be written.
    """
    _make_empty(folder)
    async with store.snapshot(pool) as connection:
        said = person_store.read_portions(connection, accounts, about=False)
        about = person_store.read_portions(connection, accounts, about=True)
        written = [
            await _write(folder / "said.jsonl", "what the person sent", said, _event),
            await _write(folder / "about.jsonl", "what others' state says of the person", about, _event),
            await _write(
                folder / "directory.jsonl",
                "every state of HR's data about the person",
                _once(await person_store.read_directory(connection, person)),
                _plain,
            ),
            await _write(
                folder / "acknowledged.jsonl",
                "announcements that the person acknowledged",
                _once(await person_store.read_acknowledgements(connection, accounts)),
                _plain,
            ),
        ]
    write_new(folder / "index.txt", _index(written, name, accounts, at), mode=0o600)
    return written


def _make_empty(folder: Path) -> None:
    make_folder(folder)
    if any(folder.iterdir()):
        raise RefusedError(f"{folder} is not empty; it was not touched. Name a new folder.")


async def _write(
    path: Path, about: str, portions: AsyncIterator[Sequence[Any]], line_of: Callable[[Any], Mapping[str, Any]]
) -> Written:
    digest, lines = sha256(), 0
    async with _created(path) as write:
        async for rows in portions:
            chunk = b"".join(json.dumps(writable(line_of(row)), ensure_ascii=False).encode() + b"\n" for row in rows)
            write(chunk)
            digest.update(chunk)
            lines += len(rows)
    return Written(path.name, about, lines, digest.hexdigest())


@asynccontextmanager
async def _created(path: Path) -> AsyncIterator[Callable[[bytes], object]]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file.write
    except OSError as error:
        raise MusterError(f"{path} cannot be written: {error.strerror}.") from error


async def _once(rows: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    yield rows


def _event(row: Any) -> dict[str, Any]:
    return {
        "seq": row["seq"],
        "event_id": row["event_id"],
        "room_id": row["room_id"],
        "type": row["type"],
        "sent": row["sent_at"].isoformat(),
        "event": None if row["body"] is None else wire.decode(row["body"]),
    }


def _plain(row: Any) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _index(written: Iterable[Written], name: str, accounts: Sequence[UserId], at: datetime) -> str:
    lines = [
        f"What is held of {printable(name)}, as of {short(at)}",
        f"Accounts: {', '.join(accounts) or 'none'}",
        "Each file has one JSON object a line; times are in UTC.",
        "",
    ]
    for one in written:
        lines += [f"{one.name}: {one.about}; {one.lines:,} lines", f"  SHA-256 {one.digest}"]
    return "\n".join(lines) + "\n"
