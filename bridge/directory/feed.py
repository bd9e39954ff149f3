"""Who brings people by whole pictures, and how a picture is known to be whole. Pure.

A file and an LDAP read show everybody at once, so that somebody can be missing from them; SCIM and webhooks speak of
one person at a time, and nobody is. What absence then means is left to `door`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from bridge.errors import ImportFileError

SHRINK: Final = 0.1
"""Share of a feed's people that may be missing without further ado, when nothing else is said."""
GRACE: Final = timedelta(hours=12)
"""So that a daily picture acts at its second time, when nothing else is said."""


class Proof(StrEnum):
    """How a picture is known to be whole: each has been checked by whoever hands it over."""

    TRAILER = "trailer"
    """The last line says how many rows there are."""
    ROWS = "rows"
    """Somebody has counted the rows."""
    DIGEST = "digest"
    """The sender says what the SHA-256 of the file is."""
    PAGES = "pages"
    """The server said success after the last page."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One who brings people by pictures, whole or partial."""

    name: str
    """`file:payroll` by the mapping's name, `file:csv` without one, `ldap:ad` by the source's."""
    complete: bool = False
    """Each picture is meant to be whole: who is missing from it may have left."""
    shrink: float = SHRINK
    """The share of its people that may be missing."""
    grace: timedelta = GRACE
    """How long somebody must be missing."""


def prove(
    name: str, data: bytes, people: int, *, trailer: bool = False, rows: int | None = None, sha256: str | None = None
) -> Proof | None:
    """Return how a file of so many people is known to be whole, None when it is not.

    `trailer` tells that the last line has been found right, `rows` how many people there ought to be, `sha256` is the
    digest it ought to have, hexadecimal. Raises `ImportFileError` when one of them is not so.
    """
    if sha256 is not None and (came := hashlib.sha256(data).hexdigest()) != sha256.lower():
        raise ImportFileError(
            f"{name}: error: expected the SHA-256 {sha256.lower()}, came {came}; is the file cut off, or "
            "the digest that of another?\nNothing was changed."
        )
    if rows is not None and rows != people:
        raise ImportFileError(
            f"{name}: error: expected {rows} people, came {people}; is the file cut off?\nNothing was changed."
        )
    proofs = ((sha256 is not None, Proof.DIGEST), (rows is not None, Proof.ROWS), (trailer, Proof.TRAILER))
    return next((proof for given, proof in proofs if given), None)


def sidecar_digest(text: str, name: str) -> str:
    """Return the digest in a file as `sha256sum` writes it; `name` is what messages call it.

    Raises `ImportFileError` when the first word is no SHA-256.
    """
    found = re.match(r"\\?([0-9A-Fa-f]{64})(?:\s|$)", text)
    if found is None:
        raise ImportFileError(
            f"{name}: error: expected a SHA-256 of 64 hexadecimal digits, as sha256sum writes it. Nothing was changed."
        )
    return found[1].lower()
