"""The proof of one event as small JSON: what `verifier` accepts without Muster and without its database.

    {"format": "muster-proof-1",
     "event_id": "$…",
     "event": "…",             canonical bytes of the event, base64; null when it was disposed of
     "salt": "…",              base64; null likewise
     "leaf": "…",              SHA-256(0x00, salt, event), base64
     "leaf_index": 16,         from 0
     "inclusion": ["…"],       RFC 9162 section 2.1.3, base64
     "checkpoint": "…",        the signed note
     "public_key": "…",        in PEM
     "disposition": {…},       the entry that disposed of it: event, salt, leaf_index and inclusion; there when one did
     "rotations": ["…"],       statements about new keys, signed by old and new; there when keys were replaced
     "consistency": {"checkpoint": "…", "path": ["…"]}}

`consistency` (RFC 9162 section 2.1.4) is there when somebody asks what an older checkpoint has to do with this one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

FORMAT = "muster-proof-1"


@dataclass(frozen=True, slots=True)
class Consistency:
    """That an older checkpoint is about the beginning of the same ledger."""

    note: str
    path: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Disposal:
    """The entry of the same ledger that disposed of the record."""

    body: bytes
    salt: bytes
    index: int
    """From 0."""
    path: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Bundle:
    """The proof of one event."""

    event_id: str
    body: bytes | None
    """None with the salt when the record was disposed of."""
    salt: bytes | None
    leaf: bytes
    index: int
    """From 0."""
    path: Sequence[bytes]
    note: str
    public_key: str
    """PEM."""
    consistency: Consistency | None = None
    rotations: Sequence[str] = ()
    """Statements about new keys, notes as `rotation` has them."""
    disposal: Disposal | None = None
    """When the record was disposed of."""


def bundle_as_text(bundle: Bundle) -> str:
    """Return the bundle's JSON."""
    document: dict[str, object] = {
        "format": FORMAT,
        "event_id": bundle.event_id,
        "event": None if bundle.body is None else _text(bundle.body),
        "salt": None if bundle.salt is None else _text(bundle.salt),
        "leaf": _text(bundle.leaf),
        "leaf_index": bundle.index,
        "inclusion": [_text(step) for step in bundle.path],
        "checkpoint": bundle.note,
        "public_key": bundle.public_key,
    }
    if bundle.disposal:
        document["disposition"] = {
            "event": _text(bundle.disposal.body),
            "salt": _text(bundle.disposal.salt),
            "leaf_index": bundle.disposal.index,
            "inclusion": [_text(step) for step in bundle.disposal.path],
        }
    if bundle.rotations:
        document["rotations"] = list(bundle.rotations)
    if bundle.consistency:
        path = [_text(step) for step in bundle.consistency.path]
        document["consistency"] = {"checkpoint": bundle.consistency.note, "path": path}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
