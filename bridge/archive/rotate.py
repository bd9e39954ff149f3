"""Putting another key in the place of the archive's: an entry of the ledger, a statement and a checkpoint by both keys.

All three become true in one database transaction; putting the new key's file in its place is left to the caller and
`signing`, who do it afterwards and, after a crash in between, later.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bridge.archive import proof_store, store
from bridge.archive.entry import Actor, Entry
from bridge.archive.log import append_entry
from bridge.archive.notary import Notary, note_head
from bridge.archive.rotation import Rotation, raw, read_rotation, sign_rotation
from bridge.archive.signing import key_id, public_pem
from bridge.archive.verify import signer_of
from bridge.errors import InputError, RefusedError

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was signed."""

    rotation: Rotation
    statement: str
    """The note, with its signatures."""
    checkpoint: str
    """Likewise, of the ledger with which the new key begins."""


async def rotate(
    pool: Pool,
    origin: str,
    old: Ed25519PrivateKey | Ed25519PublicKey,
    new: Ed25519PrivateKey,
    actor: Actor,
    at: datetime,
) -> Rotated:
    """Let the new key sign the ledger from now on; of a key that was lost, `old` is the public half.

    Without the old key's signature nobody who trusts that one alone learns of the new one. When the new key counts
    already, because a crash came before its file was put in its place, it returns what was signed then. Raises
    `RefusedError` when the archive is not what the old key has signed and what came since.
    """
    async with store.connection_of(pool) as connection:
        if counting := await _counting(connection, new):
            return counting
    if isinstance(old, Ed25519PrivateKey):
        with suppress(InputError):  # nothing is archived yet, but the entry will be
            await Notary(pool, old, origin).make()
    async with store.transaction(pool) as connection:
        await proof_store.lock_checkpoints(connection)
        return await _counting(connection, new) or await _rotate(connection, origin, old, new, actor, at)


async def _rotate(
    connection: Connection,
    origin: str,
    old: Ed25519PrivateKey | Ed25519PublicKey,
    new: Ed25519PrivateKey,
    actor: Actor,
    at: datetime,
) -> Rotated:
    lost = isinstance(old, Ed25519PublicKey)
    before, after = old if isinstance(old, Ed25519PublicKey) else old.public_key(), new.public_key()
    keys = [new] if isinstance(old, Ed25519PublicKey) else [old, new]
    signer = await signer_of(connection, origin, before)
    notes = signer.rotations
    if notes and read_rotation(notes[-1]).new != raw(before):
        raise RefusedError(f"{key_id(before)} is not the key with which the archive is signed now. Name that one.")
    details = {"old": key_id(before), "new": key_id(after), "public_key": public_pem(after), "lost": lost}
    seq = (await append_entry(connection, Entry("rotate", actor, details), at)).seq
    rotation = Rotation(origin, seq, raw(before), raw(after))
    statement = sign_rotation(rotation, *keys)
    await proof_store.add_rotation(connection, seq, statement)
    noted = await note_head(connection, signer, keys)
    return Rotated(rotation, statement, noted.note)


async def _counting(connection: Connection, new: Ed25519PrivateKey) -> Rotated | None:
    """Return what was signed when the key began to count, None when it does not count yet."""
    notes = await proof_store.read_rotations(connection)
    if not notes or (rotation := read_rotation(notes[-1])).new != raw(new.public_key()):
        return None
    stored = await proof_store.read_checkpoints(connection)
    return Rotated(rotation, notes[-1], next(each.note for each in stored if each.size == rotation.size))
