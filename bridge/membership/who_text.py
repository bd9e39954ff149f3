"""Who was in rooms, as text for a terminal and as JSON for scripts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from bridge.membership.explanation import WORDS
from bridge.membership.who import Occupancy, Occupant
from bridge.membership.why_text import in_lines, moment, rank


def as_json(occupancy: Occupancy) -> dict[str, Any]:
    """Return a room's occupancy in values that `json.dumps` takes."""
    return asdict(occupancy)


def as_text(occupancies: Sequence[Occupancy], width: int = 80) -> str:
    """Return the rooms, one after another, as lines of at most `width` columns."""
    lines: list[str] = []
    for place, occupancy in enumerate(occupancies):
        lines += ["", *_lines(occupancy)] if place else _lines(occupancy)
    return in_lines(lines, width)


def _lines(occupancy: Occupancy) -> Iterator[str]:
    key = f" ({occupancy.key})" if occupancy.key and occupancy.key != occupancy.name else ""
    yield f"{occupancy.name}{key} at {moment(occupancy.at)}: {_counted(occupancy)}"
    yield f"  {occupancy.room_id}"
    if occupancy.rule:
        yield f"  {occupancy.rule} asks: {occupancy.selector}"
    if occupancy.policy is not None:
        since = f", in force since {moment(occupancy.policy.since)}" if occupancy.policy.since else ""
        yield f"  policy {occupancy.policy.digest[:12]}{since}"
    yield f"  {occupancy.completeness}"
    for occupant in occupancy.occupants:
        yield ""
        yield from _occupant_lines(occupant)


def _counted(occupancy: Occupancy) -> str:
    counts = Counter(occupant.membership for occupant in occupancy.occupants)
    invited = f", {counts[WORDS['invite']]} invited" if counts[WORDS["invite"]] else ""
    return f"{counts[WORDS['join']]} in it{invited}"


def _occupant_lines(occupant: Occupant) -> Iterator[str]:
    work = ", ".join(text for text in (occupant.title, occupant.department) if text)
    yield f"{occupant.person or occupant.user_id}{f' ({work})' if work else ''}"
    if occupant.person:
        yield f"  {occupant.user_id}"
    power = f", power {rank(occupant.level)}" if occupant.level != 0 else ""
    yield f"  {occupant.membership} since {moment(occupant.since)}{power}"
    yield f"  {occupant.rule}: {occupant.reason}" if occupant.rule != "-" else f"  {occupant.reason}"
    if occupant.approved_by:
        yield f"  approved by {occupant.approved_by}"
    entry = f"entry {occupant.entry}, " if occupant.entry is not None else ""
    yield f"  {entry}event {occupant.event_id}"
