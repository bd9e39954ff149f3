"""The archive's key, with which Muster signs what it hands out, and signatures beside files.

The key is Ed25519 (RFC 8032), in the data folder in PEM, readable for its owner alone; its public half lies beside it,
to be given to whoever has to check. A signature is made over a statement of one line, which names the file's digest,
the key and the moment, so that it can be checked with openssl alone; `docs/why.md` shows how.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from bridge.errors import InputError, MusterError, RefusedError
from bridge.files import make_folder, write_new

FORMAT = "muster-report-1"
_PRIVATE, _PUBLIC = "archive-key.pem", "archive-key.pub.pem"
_FIELDS = ("format", "sha256", "key_id", "moment", "signature")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Signature:
    """What `FILE.sig` holds, as a JSON object of texts."""

    format: str
    sha256: str
    """Of the file's bytes, hexadecimal."""
    key_id: str
    """First 16 hexadecimal digits of the SHA-256 of the public key's 32 bytes."""
    moment: str
    """When it was signed, ISO 8601, UTC."""
    signature: str
    """Base64 of the 64 bytes over the statement."""

    @property
    def statement(self) -> bytes:
        """What is signed: format, digest, key and moment, with a space between and a line feed behind."""
        return f"{self.format} {self.sha256} {self.key_id} {self.moment}\n".encode()


def open_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key kept in the data folder; the first time one is made."""
    path, public = folder / _PRIVATE, folder / _PUBLIC
    if not path.exists():
        make_folder(folder)
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with suppress(RefusedError):  # another process was quicker, and its key counts
            write_new(path, pem.decode(), mode=0o600)
    key = _read_key(path)
    if not public.exists():
        with suppress(RefusedError):
            write_new(public, public_pem(key.public_key()))
    return key


def open_public_key(folder: Path) -> Ed25519PublicKey:
    """Return the public key kept in the data folder, which anybody may read."""
    path = folder / _PUBLIC
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise MusterError(
            f"{path} cannot be read: {error.strerror}. It is made with the first report; or check with openssl."
        ) from error
    return read_public_key(pem, str(path))


def read_public_key(pem: bytes, name: str) -> Ed25519PublicKey:
    """Return the public key of a text as openssl writes it; raises `InputError`."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{name} holds no public key. Put back the one of your backup.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{name}: expected an Ed25519 key, came another kind. Put back the one of your backup.")
    return key


def public_pem(key: Ed25519PublicKey) -> str:
    """Return a public key as openssl reads it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """Return the short name of a key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def sign(content: bytes, key: Ed25519PrivateKey, moment: datetime) -> Signature:
    """Return the signature of a file's bytes."""
    unsigned = Signature(
        format=FORMAT,
        sha256=hashlib.sha256(content).hexdigest(),
        key_id=key_id(key.public_key()),
        moment=moment.isoformat(timespec="seconds"),
        signature="",
    )
    signed = base64.b64encode(key.sign(unsigned.statement)).decode()
    return Signature(**{**asdict(unsigned), "signature": signed})


def as_text(signature: Signature) -> str:
    """Return the text of `FILE.sig`: one field a line."""
    return json.dumps(asdict(signature), indent=1) + "\n"


def read_signature(text: str, name: str) -> Signature:
    """Read the text of `FILE.sig`; raises `InputError`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{name} is no signature: expected JSON. Take the file that was made with the report."
        ) from error
    if not isinstance(found, Mapping) or any(not isinstance(found.get(field), str) for field in _FIELDS):
        raise InputError(f"{name} is no signature: expected an object of the texts {', '.join(_FIELDS)}.")
    signature = Signature(**{field: found[field] for field in _FIELDS})
    if signature.format != FORMAT or not _DIGEST.fullmatch(signature.sha256):
        raise InputError(f"{name} is no signature of format {FORMAT}. Check it with the Muster that made it.")
    return signature


def check(content: bytes, signature: Signature, key: Ed25519PublicKey) -> None:
    """Raise `RefusedError`, saying what differs, unless the key signed exactly these bytes."""
    if signature.key_id != key_id(key):
        raise RefusedError(f"It was signed with the key {signature.key_id}; the key here is {key_id(key)}.")
    try:
        key.verify(base64.b64decode(signature.signature, validate=True), signature.statement)
    except (InvalidSignature, ValueError) as error:
        raise RefusedError("The signature is not that of this key: the signature file was altered.") from error
    if hashlib.sha256(content).hexdigest() != signature.sha256:
        raise RefusedError("The file is not the one that was signed: it was altered afterwards.")


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise MusterError(f"{path} cannot be read: {error.strerror}. Run the command as the service's user.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MusterError(f"{path} holds no key. Put back the one of your backup.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise MusterError(f"{path}: expected an Ed25519 key, came another kind. Put back the one of your backup.")
    return key
