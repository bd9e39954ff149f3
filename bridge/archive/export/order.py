"""What was ordered: which part of the archive, as of which checkpoint, in which form, by whom, for whom.

An order is complete: together with the archive it determines every byte of an export that is not encrypted, so that
one which was cut off goes on as if it had not been. Carrying it out is left to `run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from bridge.archive.checkpoint import read_checkpoint
from bridge.archive.entry import Actor
from bridge.archive.scope import Scope


class Format(StrEnum):
    """The forms in which an archive is handed out."""

    JSONL = "jsonl"
    """JSON Lines, the records themselves; every other form comes with them."""
    RSMF = "rsmf"
    """Relativity Short Message Format 2.0."""
    EML = "eml"
    """A mail for each room and day."""
    ACTIANCE = "actiance"
    """Actiance (Smarsh) XML."""
    DAT = "dat"
    """Concordance load files, DAT and OPT."""
    CSV = "csv"
    """A row for each version of each message."""
    HTML = "html"
    """Pages for a browser, with search."""

    @property
    def is_by_conversation(self) -> bool:
        """Whether a slice is a room and a day; else it is whatever comes next in the ledger."""
        return self not in (Format.JSONL, Format.CSV)


@dataclass(frozen=True, slots=True)
class Order:
    """One export."""

    format: Format
    scope: Scope
    actor: Actor
    case: str | None
    """Number of the case for which it is."""
    recipient: str | None
    """age's public key, `age1…`, to which every file is encrypted."""
    at: datetime
    """When it was ordered."""
    note: str
    """The signed checkpoint; what came later is not in the export."""
    public_key: str
    """Of the archive's key, in PEM."""

    @property
    def size(self) -> int:
        """Events that the checkpoint covers."""
        return read_checkpoint(self.note).size

    def as_json(self) -> dict[str, Any]:
        """Return the order as JSON; `of_json` reads it."""
        return {
            "format": str(self.format),
            "scope": self.scope.as_json(),
            "actor": {"name": self.actor.name, "os_user": self.actor.os_user},
            "case": self.case,
            "recipient": self.recipient,
            "at": self.at.isoformat(),
            "checkpoint": self.note,
            "public_key": self.public_key,
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the order that `as_json` wrote."""
        return cls(
            Format(value["format"]),
            Scope.of_json(value["scope"]),
            Actor(value["actor"]["name"], value["actor"]["os_user"]),
            value["case"],
            value["recipient"],
            datetime.fromisoformat(value["at"]),
            value["checkpoint"],
            value["public_key"],
        )
