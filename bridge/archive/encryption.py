"""Reading the rooms that the policy encrypts: the archive's device and the reader of the events, running together.

The device, and its account, are made once a room is to be encrypted or is seen to be; a company without one has none.

Needs the extra `e2ee`; whether it is there says `residence.can_decrypt`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bridge.archive import archivist, crypto_store, store
from bridge.archive.archivist import Archivist
from bridge.archive.decrypt import Decryptor
from bridge.archive.feed import Consumer, run_consumer
from bridge.archive.residence import Guarded
from bridge.errors import DatabaseUnavailableError
from bridge.patience import Wake

if TYPE_CHECKING:
    from bridge.database import Pool

_AGAIN_SECONDS = 1.0
_LOOK_SECONDS = 1.0
"""A room's row is written before the room is made: the device is there before anything is said in it."""


class Homeserver(archivist.Homeserver, Guarded, Protocol):
    """Who makes the device and is in the rooms."""


async def read_encrypted(
    pool: Pool, homeserver: Homeserver, data: Path, readers: Sequence[Consumer], wake: Wake
) -> None:
    """Run until cancelled; `readers` are given what encrypted events say.

    Raises `SecretError` when the secret in the data folder is not the one that the keys are encrypted with.
    """
    secret = archivist.open_secret(data)
    await _check(pool, secret)
    decryptor = Decryptor(pool, homeserver, secret, readers)
    device = Archivist(pool, homeserver, secret, decryptor.read_late)
    async with asyncio.TaskGroup() as group:
        group.create_task(_run_when_wanted(pool, device))
        group.create_task(run_consumer(pool, decryptor, wake))


async def _run_when_wanted(pool: Pool, device: Archivist) -> None:
    while not await is_wanted(pool):  # noqa: ASYNC110 - no event tells of all that makes it wanted
        await asyncio.sleep(_LOOK_SECONDS)
    await device.run()


async def is_wanted(pool: Pool) -> bool:
    """Return whether there is something to read with the device; not while the database is away."""
    try:
        with store.database_errors():
            return await crypto_store.is_encryption_met(pool)
    except DatabaseUnavailableError:
        return False


async def _check(pool: Pool, secret: bytes) -> None:
    while True:
        try:
            with store.database_errors():
                row = await crypto_store.read_device(pool)
        except DatabaseUnavailableError:
            await asyncio.sleep(_AGAIN_SECONDS)
            continue
        if row is not None:
            archivist.opened_account(row["account"], secret)
        return
