"""Having a picture on the homeserver, each but once. What it is made from, and for whom, is left to the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from bridge.clock import Clock
from bridge.membership import face_store

if TYPE_CHECKING:
    from bridge.database import Pool


class Homeserver(Protocol):
    """Where pictures are kept."""

    async def upload(self, content: bytes, kind: str) -> str: ...


async def uploaded(
    pool: Pool, homeserver: Homeserver, clock: Clock, digest: str, kind: str, make: Callable[[], bytes]
) -> str:
    """Return the address of the picture with that digest; if it is new, `make` it, in a thread, and upload it.

    Killed in between, it is uploaded once more. Raises what `make` raises, and `HomeserverError`.
    """
    known = await face_store.find_media(pool, digest)
    if known is not None:
        return known
    address = await homeserver.upload(await asyncio.to_thread(make), kind)
    return await face_store.put_media(pool, digest, address, clock())
