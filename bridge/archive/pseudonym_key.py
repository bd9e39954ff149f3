"""The key with which pseudonyms are made, kept in the data folder."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from bridge.errors import MusterError, RefusedError
from bridge.files import make_folder, write_new

PSEUDONYM_KEY = "pseudonym-key"
_BYTES = 32


def open_pseudonym_key(folder: Path) -> bytes:
    """Return the key kept in the data folder; the first time one is made. Raises `MusterError`."""
    path = folder / PSEUDONYM_KEY
    if not path.exists():
        make_folder(folder)
        with suppress(RefusedError):  # another process was quicker, and its key counts
            write_new(path, secrets.token_hex(_BYTES) + "\n", mode=0o600)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise MusterError(f"{path} cannot be read as a key: {error}. Restore it, or remove it for another.") from error
    if len(key) != _BYTES:
        raise MusterError(f"{path} holds no key of {_BYTES} bytes. Restore it, or remove it for another.")
    return key
