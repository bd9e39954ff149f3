"""A checkpoint: how large the ledger was and what its root was, signed, as text that anybody can keep.

The form is C2SP's tlog-checkpoint in a signed note (https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note):

    example.org/muster                    whose ledger: the origin, also the key's name
    20852163                              leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
                                          an empty line
    — example.org/muster Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

Several checkpoints in one file follow one another with an empty line between. When one is made is left to `notary`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.archive.ledger import HASH_SIZE
from bridge.errors import InputError, RefusedError

_ED25519 = b"\1"
_SIGNATURE_SIZE = 64
_ID_SIZE = 4
_NOTE = re.compile(r"(\S+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/=]+)\n\n((?:— \S+ [A-Za-z0-9+/=]+\n)+)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed."""

    origin: str
    size: int
    """Leaves."""
    root: bytes

    @property
    def statement(self) -> str:
        """The lines that the signature covers."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(server_name: str) -> str:
    """Return what names a company's ledger and its key."""
    return f"{server_name}/muster"


def sign_checkpoint(checkpoint: Checkpoint, *keys: Ed25519PrivateKey) -> str:
    """Return the note, signed with each of the keys."""
    lines = (signature_line(checkpoint.origin, checkpoint.statement, key) for key in keys)
    return f"{checkpoint.statement}\n{''.join(lines)}"


def signature_line(name: str, statement: str, key: Ed25519PrivateKey) -> str:
    """Return the line with which a key signs a statement (C2SP signed-note, "Signatures")."""
    signed = note_key_id(name, key.public_key()) + key.sign(statement.encode())
    return f"— {name} {base64.b64encode(signed).decode()}\n"


def is_signed_by(note: str, name: str, key: Ed25519PublicKey) -> bool:
    """Return whether the key has signed the note's statement in that name."""
    try:
        return _is_signed(note, name, key)
    except InvalidSignature:
        return False


def read_checkpoint(note: str) -> Checkpoint:
    """Read a signed note without checking its signature; raises `InputError`."""
    found = _NOTE.fullmatch(note)
    try:
        root = base64.b64decode(found[3], validate=True) if found else b""
    except binascii.Error:
        root = b""
    checkpoint = Checkpoint(found[1], int(found[2]), root) if found else None
    if checkpoint is None or len(root) != HASH_SIZE or not note.startswith(f"{checkpoint.statement}\n"):
        raise InputError(
            "That is no checkpoint: expected lines with origin, size and root, an empty line, and a line that begins "
            "with “—” for each signature. Take it as it was written."
        )
    return checkpoint


def check_checkpoint(note: str, origin: str, key: Ed25519PublicKey) -> Checkpoint:
    """Return what the key has signed in the name of the origin; raises `InputError` and `RefusedError`."""
    checkpoint = read_checkpoint(note)
    if checkpoint.origin != origin:
        raise RefusedError(f"The checkpoint is of {checkpoint.origin}; expected one of {origin}.")
    try:
        if _is_signed(note, origin, key):
            return checkpoint
    except InvalidSignature as error:
        raise RefusedError(f"The checkpoint of {checkpoint.size} events was altered after it was signed.") from error
    raise RefusedError(
        f"The checkpoint of {checkpoint.size} events was not signed with this key. If the key "
        "is a new one, put back the archive-key.pem of your backup."
    )


def split_notes(text: str) -> list[str]:
    """Return the signed notes of a file in which they follow one another."""
    parts = [f"{part}\n" for part in re.split(r"\n{2,}", text.replace("\r\n", "\n").strip("\n")) if part]
    return ["\n".join(parts[place : place + 2]) for place in range(0, len(parts), 2)]


def _is_signed(note: str, name: str, key: Ed25519PublicKey) -> bool:
    """Return whether the key has signed the note; raises `InvalidSignature` when something else than it says."""
    statement, _, lines = note.partition("\n\n")
    expected = note_key_id(name, key)
    for line in lines.splitlines():
        _, signer, encoded = line.split(" ")
        signed = _decoded(encoded)
        if signer == name and signed[:_ID_SIZE] == expected and len(signed) == _ID_SIZE + _SIGNATURE_SIZE:
            key.verify(signed[_ID_SIZE:], f"{statement}\n".encode())
            return True
    return False


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def note_key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """Return the ID of a key in signed notes (C2SP signed-note, "Signatures")."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:_ID_SIZE]
