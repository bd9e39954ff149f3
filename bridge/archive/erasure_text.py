"""A decision on erasure as text for a person and as JSON for the file. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.archive.disposition import DEED
from bridge.archive.entry import Actor, Recorded
from bridge.archive.erasure import Erasure
from bridge.archive.rendering import printable, short
from bridge.ids import RoomId, RoomKey

_DIGITS = 12
ALSO_KEPT = (
    "the directory's data about the person: kept and erased by HR, which is its source",
    "sender, room and time of each message: the ledger's index, without which nobody could prove what is gone",
    "what others wrote",
)
"""What no request takes."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was carried out."""

    erasure: Erasure
    name: str
    reason: str
    actor: Actor
    at: datetime
    keys: Mapping[RoomId, RoomKey]
    entries: Sequence[Recorded]
    """The dispositions of the ledger, those of earlier requests of the same person too."""


def erasure_as_text(erasure: Erasure, name: str, keys: Mapping[RoomId, RoomKey], width: int) -> str:
    """Return what would go and what would stay, and how to have it carried out."""
    return "\n".join(
        [
            f"What {printable(name)} said, as {', '.join(map(printable, erasure.accounts)) or 'nobody'}",
            *_account(erasure, keys, width),
            "",
            "Nothing was erased yet. This does exactly that:",
            f"  muster archive erase … --apply {erasure.digest[:_DIGITS]} -o DIR",
        ]
    )


def erasure_as_json(erasure: Erasure) -> dict[str, Any]:
    """Return what would go and what would stay as JSON."""
    return {
        "digest": erasure.digest,
        "person": erasure.person,
        "accounts": list(erasure.accounts),
        "going": len(erasure.going),
        "rooms": dict(erasure.rooms),
        "kept": [{"room_id": one.room_id, "reason": one.reason, "count": one.count} for one in erasure.kept],
        "also_kept": list(ALSO_KEPT),
    }


def decision_as_json(decided: Decided) -> dict[str, Any]:
    """Return the record of a decision, with where the ledger proves it."""
    return {
        "format": "muster-erasure-1",
        **erasure_as_json(decided.erasure),
        "name": decided.name,
        "reason": decided.reason,
        "by": decided.actor.name,
        "os_user": decided.actor.os_user,
        "at": decided.at.isoformat(),
        "entries": [
            {
                "id": one.entry_id,
                "position": one.seq,
                "records": one.entry.details.get("positions"),
                "leaves": one.entry.details.get("leaves"),
            }
            for one in decided.entries
        ],
    }


def decision_as_text(decided: Decided, width: int) -> str:
    """Return the record of a decision as a page to sign and to send."""
    erased = [
        f"{one.entry.details.get('count')} records, entry {one.entry_id} at position {one.seq}"
        for one in decided.entries
    ]
    return "\n".join(
        [
            f"Decision on the erasure of what {decided.name} said",
            "",
            f"decided   {short(decided.at)} by {decided.actor.name} ({decided.actor.os_user})",
            *_filled(f"because   {decided.reason}", width, " " * 10),
            f"accounts  {', '.join(decided.erasure.accounts) or 'none'}",
            "",
            *_account(decided.erasure, decided.keys, width),
            "",
            "Proof that they are erased, in the archive's ledger:",
            *(f"  {line}" for line in erased or ["nothing was erased"]),
            "`muster archive prove ENTRY` proves each to anybody.",
            "",
        ]
    )


def is_about(recorded: Recorded, erasure: Erasure) -> bool:
    """Return whether an entry is a disposition on a request of this person."""
    return recorded.entry.deed == DEED and recorded.entry.details.get("person") == erasure.person


def _account(erasure: Erasure, keys: Mapping[RoomId, RoomKey], width: int) -> Iterator[str]:
    yield f"erased: {len(erasure.going):,} records"
    for room_id, count in erasure.rooms.items():
        yield f"  {count:,} in {printable(keys.get(room_id, room_id))}"
    yield f"kept: {sum(one.count for one in erasure.kept):,} records"
    for one in erasure.kept:
        called = printable(keys.get(one.room_id, one.room_id))
        yield from _filled(f"  {one.count:,} in {called}: {printable(one.reason)}", width, "    ")
    yield "kept besides:"
    for reason in ALSO_KEPT:
        yield from _filled(f"  {reason}", width, "    ")


def _filled(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
