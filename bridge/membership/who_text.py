"""Who was in rooms, as text for a terminal and as JSON for scripts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from bridge.membership.explanation import WORDS
from bridge.membership.who import Occupancy, Occupant
from bridge.membership.why_text import in_lines, moment, rank

MOST_ABSENT = 20
"""So many of those who are not there are named in a text."""


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
    if occupancy.shadow:
        yield "  The rule is in shadow: nothing of it is carried out."
    for occupant in occupancy.occupants:
        yield ""
        yield from _occupant_lines(occupant)
    for state, some in groupby(sorted(occupancy.absent, key=_state), key=_state):
        people = list(some)
        yield from ("", f"{state}: {len(people):,}")
        for occupant in people[:MOST_ABSENT]:
            yield from _absent_lines(occupant)
        if len(people) > MOST_ABSENT:
            yield f"  and {len(people) - MOST_ABSENT:,} more; --json names everybody"


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
    if occupant.until:
        yield f"  {occupant.source}"
    if occupant.power_by:
        yield f"  power: {occupant.power_by}"
    if occupant.waits:
        yield f"  {occupant.waits}"
    if occupant.approved_by:
        yield f"  approved by {occupant.approved_by}"
    entry = f"entry {occupant.entry}, " if occupant.entry is not None else ""
    yield f"  {entry}event {occupant.event_id}"


def _absent_lines(occupant: Occupant) -> Iterator[str]:
    account = f" ({occupant.user_id})" if occupant.user_id else ", without an account"
    yield f"  {occupant.person}{account}: {occupant.reason}"
    yield f"    {occupant.source}"


def _state(occupant: Occupant) -> str:
    return occupant.membership
