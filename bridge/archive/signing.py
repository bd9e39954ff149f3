"""The archive's key, with which Muster signs what it hands out, and signatures beside files.

The key is Ed25519 (RFC 8032), in the data folder in PEM, readable for its owner alone; its public half lies beside it,
to be given to whoever has to check. When it is replaced the new key waits beside it until the ledger says that it
counts, and the old public half stays, under its key's name. A signature is made over a statement of one line, which
names the file's digest, the key and the moment, so that it can be checked with openssl alone; `docs/why.md` shows how.
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
from bridge.files import make_folder, remove, replace, sync, write_new

FORMAT = "muster-report-1"
PRIVATE_KEY, _PUBLIC, _NEXT = "archive-key.pem", "archive-key.pub.pem", "archive-key.next.pem"
_REPLACED = "archive-key.{}.pub.pem"
KEYS = "archive-key*.pem"
"""The files in the data folder that belong to the archive's keys, those of before too."""
_FIELDS = ("format", "sha256", "key_id", "moment", "signature")
_NAME = re.compile(r"[0-9a-f]{16}")
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
    path, public = folder / PRIVATE_KEY, folder / _PUBLIC
    if not path.exists():
        _make_key(path)
    key = _read_key(path)
    if not public.exists():
        with suppress(RefusedError):
            write_new(public, public_pem(key.public_key()))
    return key


def open_next_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key that shall take the place of the one in the data folder; it waits there and does not count yet."""
    path = folder / _NEXT
    if not path.exists():
        _make_key(path)
    return _read_key(path)


def open_key_of(folder: Path, public: Ed25519PublicKey) -> Ed25519PrivateKey:
    """Return the private half of a key, which counts; when it is the next one it takes its place in the folder.

    Raises `RefusedError` when the folder has it not.
    """
    if (folder / _NEXT).exists() and key_id(open_next_key(folder).public_key()) == key_id(public):
        _take_next(folder)
    key = open_key(folder)
    if (found := key_id(key.public_key())) != key_id(public):
        raise RefusedError(
            f"The archive is signed with the key {key_id(public)}; {folder / PRIVATE_KEY} holds {found}. Put back the "
            "one of your backup; when it is lost, `muster archive rotate-key --lost`."
        )
    return key


def open_public_key(folder: Path, name: str | None = None) -> Ed25519PublicKey:
    """Return the public key kept in the data folder, which anybody may read; or a replaced one, by its `key_id`."""
    replaced = folder / _REPLACED.format(name) if name and _NAME.fullmatch(name) else None
    return read_public_key_file(replaced if replaced and replaced.exists() else folder / _PUBLIC)


def read_public_key_file(path: Path) -> Ed25519PublicKey:
    """Return the public key in a file; raises `MusterError`."""
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


def _make_key(path: Path) -> None:
    """Write a new key, unless another process was quicker; it survives a loss of power."""
    make_folder(path.parent)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with suppress(RefusedError):
        write_new(path, pem.decode(), mode=0o600)
    sync(path)


def _take_next(folder: Path) -> None:
    """Put the next key in its place, the private half last: until then the next one is there to be put again."""
    public, new = folder / _PUBLIC, open_next_key(folder).public_key()
    if public.exists() and key_id(old := read_public_key_file(public)) != key_id(new):
        with suppress(RefusedError):
            write_new(folder / _REPLACED.format(key_id(old)), public_pem(old))
        remove(public)
    with suppress(RefusedError):
        write_new(public, public_pem(new))
    replace(folder / _NEXT, folder / PRIVATE_KEY)


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
