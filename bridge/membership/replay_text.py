"""What two policies would have done to HR's changes, side by side: as text of at most so many columns, and as JSON.

Pure.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from bridge.membership.replay import Replay


def as_text(old: Replay | None, new: Replay, days: int, changes: int, width: int = 80) -> str:
    """Return a table by rule, then the days on which the brake would have stopped; without `old`, of one policy."""
    lines = [*textwrap.wrap(f"{changes} recorded changes of the last {days} days, day by day.", width), ""]
    rules = sorted({*new.joins, *new.removals, *(() if old is None else (*old.joins, *old.removals))})
    room = max(len("rule"), *(min(len(rule), width - 36) for rule in rules)) if rules else len("rule")
    if rules:
        lines += [f"{'rule':<{room}}  {'joins':>15}  {'removals':>15}"]
    for rule in rules:
        joins = _pair(None if old is None else old.joins.get(rule, 0), new.joins.get(rule, 0))
        removals = _pair(None if old is None else old.removals.get(rule, 0), new.removals.get(rule, 0))
        lines.append(f"{textwrap.shorten(rule, room):<{room}}  {joins:>15}  {removals:>15}")
    if not rules:
        lines.append("Nobody would have gained or lost anything.")
    elif old is not None:
        lines += ["", "Figures are: policy in force → this policy."]
    if old is not None:
        lines += ["", f"Brake, policy in force: {_times(len(old.stops))}.", *_stops(old, width)]
    lines += ["", f"Brake, this policy: {_times(len(new.stops))}.", *_stops(new, width)]
    return "\n".join(lines) + "\n"


def as_json(old: Replay | None, new: Replay, days: int, changes: int) -> dict[str, object]:
    """Return the same in values that `json.dumps` takes."""
    return {
        "days": days,
        "changes": changes,
        "old": None if old is None else _values(old),
        "new": _values(new),
    }


def _values(replay: Replay) -> dict[str, object]:
    return {
        "joins": dict(sorted(replay.joins.items())),
        "removals": dict(sorted(replay.removals.items())),
        "stops": [
            {"day": stop.day.isoformat(), "people": stop.people, "reasons": list(stop.reasons)} for stop in replay.stops
        ],
    }


def _pair(old: int | None, new: int) -> str:
    return str(new) if old is None else f"{old} → {new}"


def _times(count: int) -> str:
    return "would not have stopped anything" if not count else f"would have stopped {count} day{'s' * (count != 1)}"


def _stops(replay: Replay, width: int) -> Iterator[str]:
    for stop in replay.stops:
        yield from textwrap.wrap(
            f"{stop.day.isoformat()}  {' '.join(stop.reasons)}",
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
