"""The archive's log as text for a terminal and as JSON for scripts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from bridge.archive import canonical
from bridge.archive.entry import Recorded
from bridge.archive.rendering import moment, printable


def entries_as_text(entries: Sequence[Recorded], width: int) -> str:
    """Return the entries, each with when, who and what, and its details below."""
    return "\n".join(line for entry in entries for line in _lines(entry, width))


def entries_as_json(entries: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return the entries as JSON."""
    return [
        {
            "seq": recorded.seq,
            "id": recorded.entry_id,
            "at": moment(recorded.timestamp),
            "by": recorded.entry.actor.name,
            "os_user": recorded.entry.actor.os_user,
            "deed": recorded.entry.deed,
            "details": dict(recorded.entry.details),
        }
        for recorded in entries
    ]


def _lines(recorded: Recorded, width: int) -> Iterator[str]:
    entry = recorded.entry
    who = printable(entry.actor.name)
    if entry.actor.os_user != entry.actor.name:
        who += f" (as {printable(entry.actor.os_user)})"
    yield f"{moment(recorded.timestamp)}  {who}  {printable(entry.deed)}"
    said = "; ".join(f"{name} {_value(value)}" for name, value in entry.details.items() if value is not None)
    yield from textwrap.wrap(printable(said), width, initial_indent="  ", subsequent_indent="  ")


def _value(value: Any) -> str:
    return value if isinstance(value, str) else canonical.encode_value(value).decode("utf-8", "replace")
