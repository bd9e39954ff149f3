"""What a backup says of itself: at its beginning what it is of, at its end what was put into it.

    about.json            what it is of: versions, server, the tables and their columns
    files/NAME            configuration, policy, registration, the archive's key
    database/TABLE/N      the rows of a table as PostgreSQL's binary COPY, in pieces that belong together
    sequences.json        where the numbers go on that the database gives
    media/HASH/N          a file of the archive's, when asked for, in pieces; `end` closes one that is whole
    manifest.json         about the same, and each part's digest, the rows, and the ledger's size and root

Writing and reading the file is left to `parcel`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bridge.errors import InputError

FORMAT = "muster-backup-1"
ABOUT, SEQUENCES, MANIFEST = "about.json", "sequences.json", "manifest.json"
FILES, DATABASE, MEDIA = "files/", "database/", "media/"
END = "end"


@dataclass(frozen=True, slots=True)
class About:
    """What a backup is of."""

    muster: str
    """The version of the program that made it."""
    schema: int
    """The number of the newest upgrade of its database."""
    server_name: str
    made_at: str
    """ISO 8601, UTC."""
    tables: Mapping[str, tuple[str, ...]]
    """Each table's columns, in the order in which their values stand in the backup."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was put into it, or what was found in it."""

    digests: Mapping[str, str]
    """SHA-256, hexadecimal, of each part by name: a file, or all rows of a table."""
    rows: Mapping[str, int]
    """Of each table."""
    files: int
    """Of the archive's that are whole in it."""
    size: int
    """The ledger's, in events."""
    root: str
    """The ledger's, hexadecimal."""

    def difference(self, found: Contents) -> str:
        """Return what is not as it was put in, empty when all is."""
        for name, digest in self.digests.items():
            if name not in found.digests:
                return f"{name} is missing"
            if found.digests[name] != digest:
                return f"{name} was altered"
        for name in found.digests:
            if name not in self.digests:
                return f"{name} was added"
        for table, rows in self.rows.items():
            if found.rows.get(table) != rows:
                return f"table {table} has {found.rows.get(table)} rows of {rows}"
        if self.files != found.files:
            return f"it holds {found.files} of {self.files} files of the archive's"
        if (self.size, self.root) != (found.size, found.root):
            return f"the ledger is of {found.size} events with root {found.root}, not of {self.size} with {self.root}"
        return ""


def about_as_json(about: About) -> bytes:
    """Return the first part."""
    return _encoded({"format": FORMAT, **asdict(about)})


def manifest_as_json(about: About, contents: Contents) -> bytes:
    """Return the last part."""
    return _encoded({"format": FORMAT, **asdict(about), **asdict(contents)})


def read_about(content: bytes) -> About:
    """Read the first part; raises `InputError` when this is no backup, or one of another format."""
    found = _decoded(content)
    tables = {name: tuple(columns) for name, columns in found["tables"].items()}
    return About(found["muster"], found["schema"], found["server_name"], found["made_at"], tables)


def read_contents(content: bytes) -> Contents:
    """Read the last part; raises `InputError`."""
    found = _decoded(content)
    return Contents(found["digests"], found["rows"], found["files"], found["size"], found["root"])


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(content)
    except ValueError as error:
        raise InputError("This is no backup of Muster's: it does not begin as one does.") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"Expected a backup of format {FORMAT}. Restore it with the Muster that made it.")
    return found
