"""Giving checkpoints out of the house: to a room, to a file, to a time-stamping authority.

Whoever owns the database can rewrite everything in it, with its checkpoints; a copy that is out of their reach tells.
Each anchor gets the newest checkpoint, and what became of it is recorded; after a crash in between the same is given
once more: the room makes the same event of it, the file is looked at first.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp

from bridge.archive import proof_store, store
from bridge.archive.checkpoint import split_notes
from bridge.archive.proof_store import Stored
from bridge.errors import MusterError
from bridge.homeserver.voice import Voice
from bridge.ids import RoomId

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

_TIMESTAMP_SECONDS: Final = 60
_LARGEST_ANSWER: Final = 1 << 20
_GRANTED: Final = (0, 1)
"""`granted` and `grantedWithMods` (RFC 3161 section 2.4.2)."""


class Anchor(Protocol):
    """Where a checkpoint can be kept."""

    name: str

    async def keep(self, stored: Stored) -> tuple[str, bytes | None]:
        """Keep it, and return where that is and what the keeper answered; raises `MusterError`."""
        ...


class RoomAnchor:
    """A room, in which everybody can read the checkpoint and keep it."""

    name = "room"

    def __init__(self, voice: Voice, find: Callable[[], Awaitable[RoomId | None]]) -> None:
        """`find` returns the room, None while there is none."""
        self._voice = voice
        self._find = find

    async def keep(self, stored: Stored) -> tuple[str, bytes | None]:
        """Say the checkpoint in the room; the place is the event."""
        room_id = await self._find()
        if room_id is None:
            raise MusterError("There is no room yet in which to anchor it.")
        digest = sha256(stored.note.encode()).hexdigest()[:32]
        content = {"msgtype": "m.notice", "body": stored.note}
        event_id = await self._voice.send(room_id, "m.room.message", content, transaction_id=f"checkpoint-{digest}")
        return event_id, None


class FileAnchor:
    """A file to which checkpoints are only ever appended, on a disk of somebody else for instance."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def keep(self, stored: Stored) -> tuple[str, bytes | None]:
        """Append the checkpoint, and return when it is on the disk."""
        try:
            await asyncio.to_thread(self._append, stored.note)
        except (OSError, ValueError) as error:
            raise MusterError(f"{self._path} cannot be written: {error}. Mend `archive.anchors.file`.") from error
        return str(self._path), None

    def _append(self, note: str) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            text = file.read().decode()
            if split_notes(text)[-1:] == [note]:
                return
            between = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
            file.write(f"{between}{note}".encode())
            file.flush()
            os.fsync(file.fileno())


class TimestampAnchor:
    """A time-stamping authority, which signs that the checkpoint existed at a time (RFC 3161)."""

    name = "rfc3161"

    def __init__(self, url: str) -> None:
        self._url = url

    async def keep(self, stored: Stored) -> tuple[str, bytes | None]:
        """Have the note stamped, and return the authority's answer, in DER; `openssl ts -verify` checks it."""
        try:
            from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response
        except ImportError as error:
            raise MusterError(
                'Time stamps need the package rfc3161-client: pip install "muster[timestamp]", or take '
                "`archive.anchors.rfc3161` out of the configuration."
            ) from error
        note = stored.note.encode()
        request = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).build()
        answer = await self._ask(request.as_bytes())
        try:
            response = decode_timestamp_response(answer)
            if response.status not in _GRANTED:
                raise MusterError(f"{self._url} refused: {', '.join(response.status_string) or response.status}.")
            info = response.tst_info
            fits = info.message_imprint.message == sha256(note).digest() and info.nonce == request.nonce
        except ValueError as error:
            raise MusterError(f"{self._url} gave no time stamp: {error}.") from error
        if not fits:
            raise MusterError(f"{self._url} stamped something else than the checkpoint.")
        return self._url, answer

    async def _ask(self, query: bytes) -> bytes:
        headers = {"Content-Type": "application/timestamp-query"}
        timeout = aiohttp.ClientTimeout(total=_TIMESTAMP_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url, data=query, headers=headers) as response,
            ):
                if response.status != 200:
                    raise MusterError(f"{self._url} answered {response.status} instead of a time stamp.")
                return await response.content.read(_LARGEST_ANSWER)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise MusterError(f"{self._url} does not answer: {str(error) or type(error).__name__}.") from error


async def publish(pool: Pool, anchors: Sequence[Anchor]) -> None:
    """Give the newest checkpoint to every anchor that has not got it; raises the first `MusterError`, after all."""
    async with store.connection_of(pool) as connection:
        newest = await proof_store.read_newest_checkpoint(connection)
    problem: MusterError | None = None
    for anchor in anchors if newest else ():
        assert newest is not None
        try:
            await _publish(pool, anchor, newest)
        except MusterError as error:
            problem = problem or error
    if problem:
        raise problem


async def _publish(pool: Pool, anchor: Anchor, newest: Stored) -> None:
    async with store.connection_of(pool) as connection:
        if await proof_store.is_anchored(connection, newest.size, anchor.name):
            return
    place, token = await anchor.keep(newest)
    async with store.connection_of(pool) as connection:
        await proof_store.add_anchor(connection, newest.size, anchor.name, place, token)
    extra = {"action": "archive.anchor"}
    log.info("the checkpoint of %d events is anchored: %s %s", newest.size, anchor.name, place, extra=extra)
