"""Making checkpoints: the ledger is signed when it is what was signed before and what came since.

Before signing, everything behind the last checkpoint is read and hashed again, on top of the tree that was signed then:
neither a changed history nor a changed newcomer is ever signed. What is refused is told to the administrators. Giving
checkpoints out of the house is left to `anchors`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.archive import proof_store, store
from bridge.archive.checkpoint import Checkpoint, sign_checkpoint
from bridge.archive.inspection import Inspection, Mark
from bridge.archive.ledger import BLOCK, EMPTY, Frontier, root, whole_blocks
from bridge.archive.rendering import explained
from bridge.archive.rotation import raw
from bridge.archive.verify import Signer, frontier_of_checkpoint, inspect, signer_of
from bridge.database.turns import take_turns
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import InputError, RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

LEAVES = 10_000
"""Events after which a checkpoint is made before its time."""
_LOOK_SECONDS = 30.0
_TOPIC = "archive.checkpoint"


@dataclass(frozen=True, slots=True)
class Noted:
    """A checkpoint of the archive's."""

    checkpoint: Checkpoint
    note: str
    is_new: bool
    """Made just now; else nothing has come since it was."""


class Notary:
    """Who signs the ledger with the archive's key."""

    def __init__(
        self,
        pool: Pool,
        key: Ed25519PrivateKey,
        origin: str,
        reopen: Callable[[Ed25519PublicKey], Ed25519PrivateKey] | None = None,
    ) -> None:
        """`reopen` returns the private half of the key that another process has put in this one's place."""
        self._pool = pool
        self._key = key
        self._reopen = reopen
        self.signer = Signer(origin, key.public_key())
        """Brought up to date whenever a checkpoint is made or looked for."""

    async def run(self, every: timedelta, publish: Callable[[], Awaitable[None]]) -> None:
        """Make a checkpoint whenever one is due, and have it published, until cancelled.

        `publish` is called whenever it may have something to do; what it raises is told once and tried again.
        """

        async def turn() -> float:
            if await self._is_due(every):
                await self.make()
            await publish()
            return _LOOK_SECONDS

        await take_turns(turn, None, what="signing the archive", action="archive.checkpoint")

    async def make(self) -> Noted:
        """Sign the ledger as it is now, and keep the checkpoint; when nothing has come since the last, return that.

        Raises `RefusedError` when the archive is not what was signed before and what came since, `InputError` when it
        is empty.
        """
        try:
            async with store.transaction(self._pool) as connection:
                await proof_store.lock_checkpoints(connection)
                await self.look_for_key(connection)
                noted = await note_head(connection, self.signer, [self._key])
        except RefusedError as error:
            async with store.connection_of(self._pool) as connection:
                await put_notice(connection, Notice(_TOPIC, f"The archive is not signed any more: {error.message}"))
            raise
        if noted.is_new:
            size = noted.checkpoint.size
            log.info("the ledger of %d events was signed", size, extra={"action": "archive.checkpoint"})
        return noted

    async def covering(self, event_id: str) -> str:
        """Return a checkpoint for proving the event: the newest that will do, or one made for it. Raises as `make`."""
        async with store.connection_of(self._pool) as connection:
            await self.look_for_key(connection)
            last = await proof_store.read_newest_checkpoint(connection)
            needed = await proof_store.read_last_needed(connection, event_id)
        if last and (needed is None or needed <= last.size):
            return last.note
        return (await self.make()).note

    async def _is_due(self, every: timedelta) -> bool:
        async with store.connection_of(self._pool) as connection:
            return await proof_store.is_checkpoint_due(connection, every, LEAVES)

    async def look_for_key(self, connection: Connection) -> None:
        """Take up the key that has followed on this one; raises `RefusedError` when it is not there."""
        self.signer = await signer_of(connection, self.signer.origin, self._key.public_key())
        newest = self.signer.spans[-1].key
        if raw(newest) == raw(self.signer.key):
            return
        if self._reopen is None:
            raise RefusedError("Another key has taken the place of this one, which may not sign any more.")
        self._key = self._reopen(newest)
        self.signer = await signer_of(connection, self.signer.origin, newest)


async def note_head(connection: Connection, signer: Signer, keys: Sequence[Ed25519PrivateKey]) -> Noted:
    """Sign the ledger with each of the keys, once it is what the signer signed before and what came since.

    The caller's database transaction holds the lock of who makes checkpoints. Raises as `Notary.make`.
    """
    size, joined = await store.read_head(connection)
    if size == 0:
        raise InputError("Nothing is archived yet, so there is nothing to sign.")
    last = await proof_store.read_newest_checkpoint(connection)
    before = frontier_of_checkpoint(last, signer) if last else EMPTY
    head = _read_frontier(size, joined)
    inspection = Inspection(head, start=whole_blocks(before), marks=[Mark(before.size, root(before))])
    blocks: dict[int, bytes] = {}

    def looked() -> None:
        if inspection.block is not None:
            blocks[inspection.seen.size // BLOCK - 1] = inspection.block

    await inspect(connection, inspection, size, looked)
    finding = inspection.conclude().finding
    if finding is not None:
        raise RefusedError(f"{explained(finding)}. `muster archive verify` tells more; restore what was lost.")
    if last and last.size == size:
        return Noted(signer.check(last.note), last.note, is_new=False)
    checkpoint = Checkpoint(signer.origin, size, root(head))
    note = sign_checkpoint(checkpoint, *keys)
    await proof_store.add_blocks(connection, list(blocks), list(blocks.values()))
    await proof_store.add_checkpoint(connection, size, joined, note)
    return Noted(checkpoint, note, is_new=True)


def _read_frontier(size: int, joined: bytes) -> Frontier:
    try:
        return Frontier.of(size, joined)
    except ValueError as error:
        raise RefusedError("the ledger's head was rewritten. Restore it from a backup.") from error
