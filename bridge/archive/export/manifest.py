"""What an export says of itself: `manifest.json`, signed beside, and `README.txt` for who opens the folder. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bridge.archive.checkpoint import read_checkpoint
from bridge.archive.export.order import Order
from bridge.archive.export.records import FORMAT
from bridge.archive.export.values import Missing, Written
from bridge.archive.rendering import writable

MANIFEST, SIGNATURE, README = "manifest.json", "manifest.json.sig", "README.txt"

_README = """What was said: an export of a Muster archive, made {at} by {actor}.

manifest.json      what was asked for, every file with its SHA-256 and size,
                   how complete the archive is, which files are missing
manifest.json.sig  signed with the archive's key
records/           every event as it was archived, a line of JSON each;
                   schema.json says what the fields mean
proof.json         proves that the records stand in the archive
{extra}
muster archive verify-export FOLDER checks all of it and needs no archive.
With --key archive-key.pub.pem it believes no other key than that one; get it
from the company, not from this folder.
"""
_ENCRYPTED = """
Every file but this one is encrypted with age (https://age-encryption.org) to
  {recipient}
For each: age -d -i KEY FILE.age > FILE
muster archive verify-export FOLDER --identity KEY checks it without doing so.
"""
_EXTRA: Mapping[str, str] = {
    "jsonl": "",
    "rsmf": "rsmf/              RSMF 2.0, a file for each room and day",
    "eml": "eml/               a mail for each room and day",
    "actiance": "actiance/          Actiance XML, a file for each room and day",
    "dat": "loadfile.dat, .opt Concordance load files in UTF-8; text/ beside",
    "csv": "csv/               a row for each version of each message",
    "html": "index.html         begin here, in a browser; search is in it",
}


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Events that came encrypted."""

    read: int
    """Those that stand in the export as what they said."""
    unread: int
    """Those that stand in it as they came, because the archive has no key."""


def manifest_of(
    order: Order,
    events: int,
    files: Iterable[Written],
    rooms: Sequence[Any],
    missing: Sequence[Missing],
    closed: int,
    encrypted: Encrypted,
) -> bytes:
    """Return `manifest.json`."""
    checkpoint = read_checkpoint(order.note)
    document = {
        "format": FORMAT,
        "export": order.as_json(),
        "archive": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "counts": {"events": events, "closed_events": closed, "rooms": len(rooms), "missing_files": len(missing)},
        "encrypted_events": asdict(encrypted),
        "completeness": rooms,
        "missing_files": [asdict(each) for each in missing],
        "files": [asdict(each) for each in sorted(files, key=lambda each: each.path)],
    }
    return json.dumps(writable(document), ensure_ascii=False, indent=1).encode() + b"\n"


def readme_of(order: Order) -> bytes:
    """Return `README.txt`, which is never encrypted and tells nothing of what was said."""
    text = _README.format(
        at=f"{order.at:%Y-%m-%d %H:%M}Z",
        actor=order.actor.name,
        extra=f"{_EXTRA[order.format]}\n" if _EXTRA[order.format] else "",
    )
    if order.recipient:
        text += _ENCRYPTED.format(recipient=order.recipient)
    return text.encode("utf-8", "replace")
