"""Holds as text for a terminal and as JSON for scripts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.archive.case_text import field_lines, scope_lines
from bridge.archive.hold import Custodian, Hold
from bridge.archive.rendering import printable, short, wrapped


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a hold beside itself."""

    custodians: Sequence[Custodian]
    events: int
    """In its scope, now."""
    media: tuple[int, int]
    """Files that it keeps on the homeserver, and files that were missing there."""


def hold_as_text(hold: Hold, around: Around, width: int) -> str:
    """Return everything about a hold."""
    custodians, media = around.custodians, around.media
    lines = [f"hold      {printable(hold.number)}", *field_lines("reason", [hold.reason], width)]
    lines += scope_lines(hold.scope, width)
    if hold.case:
        lines.append(f"case      {printable(hold.case)}")
    if hold.release is None:
        files = f" and {media[0]:,} files on the homeserver" if media[0] else ""
        lines.append(f"keeps     {around.events:,} events{files}")
        lines += [f"missing   {media[1]:,} files on the homeserver"] if media[1] else []
    lines.append(f"placed    {short(hold.since)} by {printable(hold.placed_by)}")
    if hold.release:
        lines.append(f"released  {short(hold.release.at)} by {printable(hold.release.by)}")
    if custodians:
        told = [f"{one.user_id} {_standing(one, silent=hold.silent)}" for one in custodians]
        lines += ["", f"acknowledged by {sum(one.acknowledged_at is not None for one in custodians)} of {len(told)}"]
        lines += [line for one in told for line in wrapped(one, width)]
    return "\n".join(lines)


def holds_as_text(holds: Sequence[Hold], width: int) -> str:
    """Return the holds, two lines each or more."""
    lines = []
    for hold in holds:
        over = f"; released {short(hold.release.at)}" if hold.release else ""
        lines.append(f"{printable(hold.number)}  {short(hold.since)}  {printable(hold.placed_by)}{over}")
        lines += wrapped(hold.reason, width)
    return "\n".join(lines)


def hold_as_json(hold: Hold, around: Around) -> dict[str, Any]:
    """Return everything about a hold as JSON."""
    release = hold.release
    return {
        "number": hold.number,
        "reason": hold.reason,
        "scope": hold.scope.as_json(),
        "case": hold.case,
        "silent": hold.silent,
        "events": around.events,
        "media": {"protected": around.media[0], "missing": around.media[1]},
        "placed": {"by": hold.placed_by, "at": hold.since.isoformat(), "entry": hold.entry},
        "released": release and {"by": release.by, "at": release.at.isoformat(), "entry": release.entry},
        "custodians": [
            {
                "user_id": one.user_id,
                "told": one.told,
                "acknowledged": one.acknowledged_at and one.acknowledged_at.isoformat(),
            }
            for one in around.custodians
        ],
    }


def release_document(hold: Hold, proofs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return what a hold was, with the files of its entries' proofs and their SHA-256."""
    release = hold.release
    return {
        "format": "muster-hold-1",
        "number": hold.number,
        "reason": hold.reason,
        "scope": hold.scope.as_json(),
        "placed": {"by": hold.placed_by, "at": hold.since.isoformat(), "entry": hold.entry},
        "released": release and {"by": release.by, "at": release.at.isoformat(), "entry": release.entry},
        "proofs": [{"file": name, "sha256": digest} for name, digest in proofs],
    }


def _standing(one: Custodian, *, silent: bool) -> str:
    if one.acknowledged_at:
        return f"acknowledged {short(one.acknowledged_at)}"
    if silent:
        return "is not told"
    times = "once" if one.told == 1 else f"{one.told} times"
    return f"was told {times}" if one.told else "is yet to be told"
