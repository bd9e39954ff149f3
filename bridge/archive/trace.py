"""Where a file went: every event that refers to it, and who could see it there.

A file is its bytes: whoever uploads the same ones again makes a new link to the same file. Of a link that has not been
fetched only the link itself is known. What is found is a value; showing it is left to `trace_text`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import media_store, store
from bridge.archive.audience import RoomPast, past_of
from bridge.archive.media import is_link
from bridge.archive.sighting import StoredFile, Target, Trace, sightings_of
from bridge.archive.state_store import EVER, read_memberships, read_rooms_state
from bridge.errors import InputError
from bridge.ids import RoomId

if TYPE_CHECKING:
    from bridge.archive.access import Passing
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


async def target_of(text: str) -> Target:
    """Read what somebody wants traced: an mxc URI, a SHA-256 in hexadecimal, or a file of this machine's.

    A file is hashed where it is and goes nowhere. Raises `InputError`.
    """
    if text.startswith("mxc://"):
        if not is_link(text):
            raise InputError(f"expected a link such as mxc://example.org/AbCdEf, came {text}")
        return Target(mxc=text)
    with suppress(OSError, ValueError):  # no such file, or no path at all
        return Target(sha256=await asyncio.to_thread(_hash, Path(text)))
    if _SHA256.fullmatch(text):
        return Target(sha256=bytes.fromhex(text))
    raise InputError(
        f"expected a file that can be read, a SHA-256 of 64 hexadecimal digits, or an mxc:// link; came {text}"
    )


async def trace(pool: Pool, target: Target, passing: Passing) -> Trace:
    """Return where a file went, as of one moment, as far as the gate lets it be seen.

    Raises `DatabaseUnavailableError`.
    """
    async with store.snapshot(pool) as connection:
        links = await _links(connection, target)
        sha256 = target.sha256 or next((row["sha256"] for row in links if row["sha256"]), None)
        row = await media_store.read_file(connection, sha256) if sha256 else None
        found = await media_store.read_mentions(connection, [link["mxc"] for link in links])
        passed = await passing(connection, {mention.seq for mention in found})
        mentions = [mention for mention in found if mention.seq in passed]
        pasts = await _pasts(connection, {mention.room_id for mention in mentions})
        figures = await media_store.media_figures(connection)
    sightings, viewers = sightings_of(mentions, pasts)
    return Trace(
        target=target,
        file=StoredFile(sha256, row["size"], row["mimetype"], row["stored_at"]) if sha256 and row else None,
        links={link["mxc"]: link["reason"] or "" for link in links},
        sightings=sightings,
        viewers=viewers,
        unknown=figures.waiting + figures.failed,
        closed=len({mention.seq for mention in found} - passed),
    )


async def _links(connection: Connection, target: Target) -> list[Row]:
    """Return (mxc, sha256, reason) of every link to the target's bytes; of a link not fetched, of it alone."""
    if target.sha256:
        return await media_store.read_links(connection, target.sha256)
    assert target.mxc is not None
    link = await media_store.read_link(connection, target.mxc)
    if link is None:
        return []
    return await media_store.read_links(connection, link["sha256"]) if link["sha256"] else [link]


async def _pasts(connection: Connection, room_ids: set[RoomId]) -> dict[RoomId, RoomPast]:
    visibilities = await read_rooms_state(connection, ["m.room.history_visibility"], EVER, room_ids)
    return {
        room_id: past_of(
            await read_memberships(connection, EVER, room_id=room_id),
            [each for each in visibilities if each.event.room_id == room_id],
        )
        for room_id in room_ids
    }


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
