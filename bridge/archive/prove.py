"""Proving to others that an event is in the archive, as it was, at its place.

A proof is made from the roots of whole blocks, which the checkpoint brought, and the leaves of at most three blocks in
part; it is checked before it leaves the house. The bundle's form is left to `bundle`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.archive import proof_store, signing, store
from bridge.archive.bundle import Bundle, Consistency, Disposal
from bridge.archive.checkpoint import Checkpoint
from bridge.archive.disposition import accounted
from bridge.archive.ledger import (
    BLOCK,
    EMPTY,
    Stretch,
    append,
    consistency_stretches,
    includes,
    inclusion_stretches,
    is_consistent,
    leaf_hash,
    root,
    stretch_hash,
)
from bridge.archive.verify import Signer
from bridge.errors import InputError, MusterError, RefusedError, UnknownNameError
from bridge.homeserver.wire import decode

if TYPE_CHECKING:
    from bridge.archive.proof_store import Located
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class _Record:
    seq: int
    salt: bytes | None
    leaf: bytes
    body: bytes | None
    entry: Located | None = None
    """What disposed of it."""


async def prove(pool: Pool, event_id: str, signer: Signer, note: str, older: str = "") -> Bundle:
    """Return the proof that the event is in the ledger that the checkpoint `note` is about.

    Of a record that was disposed of it proves that its leaf is, and the entry that disposed of it. `older` is another
    checkpoint, kept elsewhere; its relation to this one is proven too. Raises `UnknownNameError` for an unknown event,
    `InputError` for one that the checkpoint does not cover yet, and `RefusedError` when the archive was altered.
    """
    checkpoint = signer.check(note)
    async with store.snapshot(pool) as connection:
        record = await _record(connection, event_id)
        needed = record.entry.seq if record.entry else record.seq
        if needed > checkpoint.size:
            raise InputError(
                f"{event_id} is proven by event {needed}; the checkpoint covers {checkpoint.size}. Make another with "
                "`muster archive checkpoint`."
            )
        tree = await _Tree.of(connection, checkpoint.size)
        path = await _path(tree, checkpoint, record.seq, record.leaf, event_id)
        disposal = await _disposal(tree, checkpoint, record.entry, event_id) if record.entry else None
        consistency = await _consistency(tree, checkpoint, signer, older) if older else None
    return Bundle(
        event_id,
        record.body,
        record.salt,
        record.leaf,
        record.seq - 1,
        path,
        note,
        signing.public_pem(signer.key),
        consistency,
        signer.rotations,
        disposal,
    )


async def _record(connection: Connection, event_id: str) -> _Record:
    row = await proof_store.read_record(connection, event_id)
    if row is None:
        raise UnknownNameError(f"There is no event {event_id} in the archive. `muster archive search` finds events.")
    record = _Record(*row)
    if record.salt is None or record.body is None:
        gone, entries = await proof_store.read_disposed(connection, record.seq - 1, record.seq)
        entry = await proof_store.read_located(connection, gone[record.seq]) if record.seq in gone else None
        if entry is None or record.seq not in accounted(gone, entries):
            raise _altered(event_id)
        return replace(record, entry=entry)
    if leaf_hash(record.salt, record.body) != record.leaf or decode(record.body)["event_id"] != event_id:
        raise _altered(event_id)
    return record


async def _path(tree: _Tree, checkpoint: Checkpoint, seq: int, leaf: bytes, event_id: str) -> list[bytes]:
    path = [await tree.hash_of(stretch) for stretch in inclusion_stretches(seq - 1, checkpoint.size)]
    if not includes(seq - 1, checkpoint.size, leaf, path, checkpoint.root):
        raise _altered(event_id)
    return path


async def _disposal(tree: _Tree, checkpoint: Checkpoint, entry: Located, event_id: str) -> Disposal:
    path = await _path(tree, checkpoint, entry.seq, leaf_hash(entry.salt, entry.body), event_id)
    return Disposal(entry.body, entry.salt, entry.seq - 1, path)


async def _consistency(tree: _Tree, checkpoint: Checkpoint, signer: Signer, older: str) -> Consistency:
    old = signer.check(older)
    if old.size > checkpoint.size:
        raise RefusedError(
            f"A checkpoint of {old.size} events was signed, and the archive has {checkpoint.size}: events are missing. "
            "`muster archive verify --checkpoints FILE` tells more."
        )
    path = [await tree.hash_of(stretch) for stretch in consistency_stretches(old.size, checkpoint.size)]
    if not is_consistent(old.size, checkpoint.size, old.root, checkpoint.root, path):
        raise RefusedError(
            f"The checkpoint of {old.size} events is not about the beginning of this archive: it was rewritten. "
            "`muster archive verify --checkpoints FILE` tells more."
        )
    return Consistency(older, path)


def _altered(event_id: str) -> MusterError:
    return RefusedError(f"{event_id} cannot be proven: the archive was altered. `muster archive verify` says where.")


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tree of a checkpoint, as its whole blocks and what can be read."""

    connection: Connection
    blocks: Sequence[bytes]

    @classmethod
    async def of(cls, connection: Connection, size: int) -> _Tree:
        known = await proof_store.read_blocks(connection, size // BLOCK)
        for number in set(range(size // BLOCK)) - known.keys():
            leaves = await proof_store.read_leaves(connection, number * BLOCK, (number + 1) * BLOCK)
            known[number] = root(append(EMPTY, leaves))
        return cls(connection, [known[number] for number in range(size // BLOCK)])

    async def hash_of(self, stretch: Stretch) -> bytes:
        """Return the hash of a stretch; larger ones than a block begin where a block does."""
        end = stretch.start + stretch.count
        first, last = stretch.start // BLOCK, end // BLOCK
        whole = self.blocks[first:last] if stretch.count >= BLOCK else ()
        behind = max(stretch.start, last * BLOCK) if whole else stretch.start
        try:
            return stretch_hash(stretch, whole, await proof_store.read_leaves(self.connection, behind, end))
        except ValueError as error:
            raise RefusedError(f"Leaves are missing: {error}. `muster archive verify` says where.") from error
