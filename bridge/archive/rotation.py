"""One key of the archive after the other: which key signed which stretch of the ledger, and who vouches for that.

When a key is replaced, old and new sign the same statement, a note like a checkpoint's:

    muster-rotation-1
    example.org/muster                    whose ledger
    20852163                              leaves with which the old key ended; the last is the entry `rotate`
    0xZ1…                                 the old key, 32 bytes
    k9Qb…                                 the new key
                                          an empty line
    — example.org/muster …                the old key's signature, unless that key was lost
    — example.org/muster …                the new key's

Whoever trusts one key of the chain learns the others from it: later ones from the old key's signature, earlier ones
from the new key's. A key counts for checkpoints from where it began up to where it ended, and for no others: what is
signed with a stolen key after it was replaced is worth nothing. Keeping keys is left to `signing`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.archive.checkpoint import Checkpoint, check_checkpoint, is_signed_by, read_checkpoint, signature_line
from bridge.errors import InputError, RefusedError

_NOTE = re.compile(
    r"muster-rotation-1\n(\S+)\n([1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n([A-Za-z0-9+/]{43}=)\n"
    r"\n(?:— \S+ [A-Za-z0-9+/=]+\n){1,2}"
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """That one key took the place of another."""

    origin: str
    size: int
    """Leaves with which the old key ended and the new one began."""
    old: bytes
    """32 bytes, as `new`."""
    new: bytes

    @property
    def statement(self) -> str:
        """The lines that the signatures cover."""
        keys = "".join(f"{base64.b64encode(key).decode()}\n" for key in (self.old, self.new))
        return f"muster-rotation-1\n{self.origin}\n{self.size}\n{keys}"


@dataclass(frozen=True, slots=True)
class Span:
    """For which checkpoints a key counts."""

    key: Ed25519PublicKey
    start: int
    """Leaves of the smallest."""
    end: int | None
    """Leaves of the largest; None while the key is in use."""

    def holds(self, size: int) -> bool:
        """Return whether the key counts for a checkpoint of that size."""
        return self.start <= size and (self.end is None or size <= self.end)


def sign_rotation(rotation: Rotation, *keys: Ed25519PrivateKey) -> str:
    """Return the note, signed with each of the keys."""
    lines = (signature_line(rotation.origin, rotation.statement, key) for key in keys)
    return f"{rotation.statement}\n{''.join(lines)}"


def read_rotation(note: str) -> Rotation:
    """Read a note without checking its signatures; raises `InputError`."""
    found = _NOTE.fullmatch(note)
    try:
        keys = [base64.b64decode(found[number], validate=True) for number in (3, 4)] if found else []
    except binascii.Error:
        keys = []
    rotation = Rotation(found[1], int(found[2]), *keys) if found and keys else None
    if rotation is None or not note.startswith(f"{rotation.statement}\n"):
        raise InputError("That is no statement about a new key: expected one that begins with muster-rotation-1.")
    return rotation


def spans_of(origin: str, trusted: Ed25519PublicKey, notes: Sequence[str]) -> tuple[Span, ...]:
    """Return the keys that a trusted one leads to, the oldest first, and where each counts.

    `notes` are the archive's, in order. What does not follow from the trusted key is left out: then its checkpoints do
    not count. Raises `InputError` when one does not read.
    """
    chain = [Span(trusted, 0, None)]
    rotations = _read(origin, notes)
    for note, rotation in rotations:
        last = chain[-1]
        if rotation.old == raw(last.key) and rotation.size > last.start and is_signed_by(note, origin, last.key):
            chain[-1:] = [Span(last.key, last.start, rotation.size), Span(_key(rotation.new), rotation.size, None)]
    for note, rotation in reversed(rotations):
        first = chain[0]
        fits = rotation.new == raw(first.key) and (first.end is None or rotation.size < first.end)
        if fits and is_signed_by(note, origin, first.key):
            chain[:1] = [Span(_key(rotation.old), 0, rotation.size), Span(first.key, rotation.size, first.end)]
    return tuple(chain)


def check_in_span(note: str, origin: str, spans: Sequence[Span]) -> Checkpoint:
    """Return what one of the keys has signed while it counted; raises `InputError` and `RefusedError`."""
    checkpoint = read_checkpoint(note)
    signers = [span for span in spans if checkpoint.origin == origin and is_signed_by(note, origin, span.key)]
    if any(span.holds(checkpoint.size) for span in signers):
        return checkpoint
    for span in signers:
        until = "" if span.end is None else f" to {span.end}"
        raise RefusedError(
            f"The checkpoint of {checkpoint.size} events was signed with a key that counts from {span.start}{until} "
            "events: with one that was replaced, or stolen. Do not believe it."
        )
    return check_checkpoint(note, origin, spans[-1].key)


def raw(key: Ed25519PublicKey) -> bytes:
    """Return a key's 32 bytes."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _read(origin: str, notes: Sequence[str]) -> list[tuple[str, Rotation]]:
    found = [(note, read_rotation(note)) for note in notes]
    return sorted((one for one in found if one[1].origin == origin), key=lambda one: one[1].size)


def _key(key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(key)
