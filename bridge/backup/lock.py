"""Who can open a backup: holders of age keys (age-encryption.org/v1), or whoever knows a passphrase.

    recipients    the file is an age file, which `age -d -i KEY` opens as well
    passphrase    one line before such a file holds the key to it, itself encrypted with the passphrase, in base64

A key is a file as `age-keygen` writes it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyrage import DecryptError, IdentityError, RecipientError, passphrase, x25519

from bridge.errors import InputError
from bridge.files import write_new

LONGEST_LINE = 4096
_PREFIX = b"muster-backup-passphrase "


@dataclass(frozen=True, slots=True)
class Lock:
    """How a backup is closed."""

    recipients: Sequence[x25519.Recipient]
    prologue: bytes = b""
    """What stands before the age file."""


@dataclass(frozen=True, slots=True)
class Key:
    """What opens a backup: one of the two."""

    identities: Sequence[x25519.Identity] = ()
    words: str = field(default="", repr=False)


def lock_for(recipients: Sequence[str]) -> Lock:
    """Return the lock that each of these `age1…` opens; raises `InputError`."""
    found = []
    for name in recipients:
        try:
            found.append(x25519.Recipient.from_str(name))
        except RecipientError as error:
            raise InputError(
                f"Expected the public half of an age key, age1…, came {name!r}. `muster backup --new-key FILE` makes "
                "a key."
            ) from error
    return Lock(found)


def lock_with(words: str) -> Lock:
    """Return the lock that a passphrase opens."""
    identity = x25519.Identity.generate()
    sealed = base64.b64encode(passphrase.encrypt(str(identity).encode(), words))
    return Lock([identity.to_public()], _PREFIX + sealed + b"\n")


def wants_passphrase(path: Path) -> bool:
    """Return whether a backup is opened by a passphrase; raises `InputError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return is_prologue(file.readline(LONGEST_LINE))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def is_prologue(line: bytes) -> bool:
    """Return whether a backup that begins so is opened by a passphrase."""
    return line.startswith(_PREFIX)


def identities_for(key: Key, line: bytes) -> Sequence[x25519.Identity]:
    """Return what opens the age file behind the first line; raises `InputError`."""
    if not is_prologue(line):
        if not key.identities:
            raise InputError("The backup was made for a key, not for a passphrase. Name it with `--identity FILE`.")
        return key.identities
    if not key.words:
        raise InputError("The backup was made with a passphrase. Leave `--identity` out.")
    try:
        opened = passphrase.decrypt(base64.b64decode(line.removeprefix(_PREFIX)), key.words)
        return [x25519.Identity.from_str(opened.decode())]
    except (DecryptError, IdentityError, binascii.Error, ValueError) as error:
        raise InputError("The passphrase does not open the backup. Nothing was changed.") from error


def new_key(path: Path) -> str:
    """Write a new key, for its owner alone, and return its public half."""
    identity = x25519.Identity.generate()
    public = str(identity.to_public())
    write_new(path, f"# public key: {public}\n{identity}\n", mode=0o600)
    return public


def read_key(path: Path) -> Key:
    """Read a file of keys; raises `InputError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [x25519.Identity.from_str(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, IdentityError) as error:
        raise InputError(f"{path} holds no age key: expected lines AGE-SECRET-KEY-1….") from error
    if not found:
        raise InputError(f"{path} holds no age key: expected lines AGE-SECRET-KEY-1….")
    return Key(found)


def read_words(path: Path) -> str:
    """Return the passphrase that is a file's first line; raises `InputError`."""
    try:
        found = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    if not found:
        raise InputError(f"{path} holds no passphrase: its first line is empty.")
    return found
