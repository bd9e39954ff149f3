"""Carrying out an export: slice after slice, each written and then noted as done, and what joins them at the end.

An export that was cut off goes on behind the last slice that was noted, and ends with the same bytes. It needs the
memory of a few thousand events whatever the size of the archive. Ordering and recording one is left to `ordering`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import signing, store
from bridge.archive.completeness_store import read_statements
from bridge.archive.completeness_text import statement_as_json
from bridge.archive.export import layouts, slice_store
from bridge.archive.export.filing import file_attachments
from bridge.archive.export.journal import Begun, Done, Journal
from bridge.archive.export.manifest import MANIFEST, README, SIGNATURE, Encrypted, manifest_of, readme_of
from bridge.archive.export.order import Order
from bridge.archive.export.proving import prove_leaves
from bridge.archive.export.reading import Reader, Whole
from bridge.archive.export.records import SCHEMA
from bridge.archive.export.values import ENCRYPTED, Media, Missing, People, Slice, Written
from bridge.archive.export.writer import Writer
from bridge.errors import RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from bridge.archive.access import Passing
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Report:
    """What an export came to."""

    events: int
    closed: int
    """Events besides, which may not be seen."""
    files: int
    rooms: int
    missing: Sequence[Missing]
    manifest_sha256: str


def _ignore(_done: int, _of: int) -> None:
    """Show no progress."""


async def carry_out(
    pool: Pool,
    journal: Journal,
    folder: Path,
    key: Ed25519PrivateKey,
    people: People,
    passing: Passing,
    media: Media | None = None,
    progress: Callable[[int, int], None] = _ignore,
) -> Report:
    """Write what was ordered and is not there yet, and return what it came to.

    What `passing` refuses is left out and counted. `progress` is called with the events done and the events of the
    export. Raises `DatabaseUnavailableError` and, when the folder cannot be written, `MusterError`; then it can go on
    later. Raises `RefusedError` when it goes on and something else may be seen than when it began.
    """
    writer = Writer(folder, journal.order.recipient)
    async with store.connection_of(pool) as connection:
        reader = Reader(connection, journal.order, people)
        slices, closed = await reader.cut(passing)
        chosen = sha256(await slice_store.read_positions(connection)).hexdigest()
        if journal.begun is None:
            rooms = await slice_store.read_rooms(connection)
            statements = await read_statements(connection, rooms, size=journal.order.size)
            completeness = [statement_as_json(each) for each in statements]
            journal.note_begun(Begun(completeness, chosen, closed))
        elif journal.begun.chosen != chosen:
            raise RefusedError("Something else may be seen now than when this export began. Make a new one elsewhere.")
        of = sum(piece.events for piece in slices)
        pending = [piece for piece in slices if piece.number not in journal.done]
        seen = of - sum(piece.events for piece in pending)
        async with aclosing(_read_ahead(reader, pending)) as reading:
            async for whole in reading:
                journal.note_done(await _write_slice(journal.order, whole, media, writer))
                seen += whole.piece.events
                progress(seen, of)
        files = await _write_rest(connection, journal, slices, writer)
    return await asyncio.to_thread(_conclude, journal, files, key, writer)


async def _read_ahead(reader: Reader, pieces: Sequence[Slice]) -> AsyncGenerator[Whole, None]:
    """Yield the slices, each while PostgreSQL is at the next."""
    waiting: deque[asyncio.Task[Whole]] = deque()
    try:
        for piece in pieces:
            if waiting:
                whole = await waiting.popleft()
                waiting.append(asyncio.create_task(reader.read_whole(piece)))
                yield whole
            else:
                waiting.append(asyncio.create_task(reader.read_whole(piece)))
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _write_slice(order: Order, whole: Whole, media: Media | None, writer: Writer) -> Done:
    piece, portion = whole.piece, whole.portion
    filed = await file_attachments(portion.records, media, writer)
    portion = replace(portion, records=filed.records)
    rendered = await asyncio.to_thread(layouts.render, order, piece, portion, filed.content, whole.around)
    written = [await asyncio.to_thread(writer.write, path, content) for path, content in rendered.files.items()]
    read = sum(record.said is not None for record in portion.records)
    unread = sum(record.event.type == ENCRYPTED for record in portion.records)
    return Done(piece.number, piece.events, [*written, *filed.written], filed.missing, rendered.index, read, unread)


async def _write_rest(
    connection: Connection, journal: Journal, slices: Sequence[Slice], writer: Writer
) -> dict[str, Written]:
    """Write what joins the slices, and return every file."""
    order = journal.order
    files = {written.path: written for piece in slices for written in journal.done[piece.number].files}
    positions = array("q", await slice_store.read_positions(connection))
    if sys.byteorder == "little":
        positions.byteswap()
    proof = await prove_leaves(connection, [seq - 1 for seq in positions], order)
    contents: dict[str, bytes] = {
        "proof.json": proof,
        "schema.json": json.dumps(SCHEMA, indent=1).encode() + b"\n",
        **dict(layouts.close(order, (journal.done[piece.number].index for piece in slices))),
    }
    for path, content in contents.items():
        files[path] = await asyncio.to_thread(writer.write, path, content)
    return files


def _conclude(journal: Journal, files: Mapping[str, Written], key: Ed25519PrivateKey, writer: Writer) -> Report:
    """Write the manifest and sign it, and take the journal away."""
    done = [journal.done[number] for number in sorted(journal.done)]
    missing = [each for one in done for each in one.missing]
    events = sum(one.events for one in done)
    assert journal.begun is not None
    rooms, closed = journal.begun.rooms, journal.begun.closed
    readme = writer.write(README, readme_of(journal.order), clear=True)
    encrypted = Encrypted(sum(one.read for one in done), sum(one.unread for one in done))
    manifest = manifest_of(journal.order, events, [*files.values(), readme], rooms, missing, closed, encrypted)
    writer.write(MANIFEST, manifest)
    signature = signing.sign(manifest, key, journal.order.at)
    writer.write(SIGNATURE, signing.as_text(signature).encode())
    journal.remove()
    return Report(events, closed, len(files) + 3, len(rooms), missing, sha256(manifest).hexdigest())
