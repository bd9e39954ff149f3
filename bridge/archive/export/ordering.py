"""Ordering an export: it is in the archive's log before a byte is written, and again when everything is.

What is exported ends at a checkpoint, which is signed now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.archive import signing
from bridge.archive.entry import Actor, Entry
from bridge.archive.export.journal import Journal
from bridge.archive.export.order import Format, Order
from bridge.archive.export.writer import read_recipient
from bridge.archive.log import record
from bridge.archive.notary import Notary
from bridge.archive.scope import Scope
from bridge.errors import RefusedError

if TYPE_CHECKING:
    from bridge.archive.export.run import Report
    from bridge.database import Pool

_DEED = "export"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to have exported."""

    format: Format
    scope: Scope
    case: str | None = None
    recipient: str | None = None
    """age's public key."""


async def order(pool: Pool, notary: Notary, folder: Path, wish: Wish, actor: Actor, at: datetime) -> Journal:
    """Record an export, sign the archive as it is, and begin the export's journal.

    Raises `InputError` for a recipient that is none, and as `Journal.start` and `Notary.make`; then nothing is written.
    """
    if wish.recipient:
        read_recipient(wish.recipient)
    Journal.check(folder)
    await record(pool, Entry(_DEED, actor, _details(wish, folder)), at)
    note = (await notary.make()).note
    public_key = signing.public_pem(notary.signer.key)
    ordered = Order(wish.format, wish.scope, actor, wish.case, wish.recipient, at, note, public_key)
    return Journal.start(folder, ordered)


async def resume(pool: Pool, notary: Notary, folder: Path, actor: Actor, at: datetime) -> Journal:
    """Record that an export that was cut off goes on, and return its journal.

    Raises as `Journal.open`, and `RefusedError` when the export was not begun from this archive.
    """
    journal = Journal.open(folder)
    ordered = journal.order
    notary.signer.check(ordered.note)
    if ordered.public_key != signing.public_pem(notary.signer.key):
        raise RefusedError(f"{folder} was begun with another key of the archive. Make a new export elsewhere.")
    wish = Wish(ordered.format, ordered.scope, ordered.case, ordered.recipient)
    await record(pool, Entry(_DEED, actor, {**_details(wish, folder), "resumed": True}), at)
    return journal


async def conclude(pool: Pool, folder: Path, actor: Actor, report: Report, at: datetime) -> None:
    """Record that an export is whole, with what it came to."""
    details = {
        "folder": str(folder),
        "done": True,
        "events": report.events,
        "missing_files": len(report.missing),
        "manifest_sha256": report.manifest_sha256,
    }
    await record(pool, Entry(_DEED, actor, details), at)


def _details(wish: Wish, folder: Path) -> dict[str, Any]:
    return {
        "format": str(wish.format),
        "scope": wish.scope.as_json(),
        "case": wish.case,
        "encrypted_to": wish.recipient,
        "folder": str(folder),
    }
