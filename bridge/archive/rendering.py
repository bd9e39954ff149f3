"""The archive's answers as text for a terminal and as JSON for scripts.

Texts of messages are whatever somebody typed: control characters and what reorders lines are replaced before they
reach a terminal. JSON keeps them, escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from unicodedata import category

from rich.console import Console
from rich.text import Text

from bridge.archive import canonical
from bridge.archive.inspection import Finding, Problem, Verdict
from bridge.archive.values import Status

_LAST_MOMENT = 253_402_300_799_999
"""Milliseconds; the end of the year 9999, after which there are no dates."""
_DEEPEST = 100
_SHOWN_AS_IS = frozenset("\n\t\u200d")  # the joiner holds emoji together
_EXPLANATIONS: Mapping[Problem, str] = {
    Problem.ALTERED: "the event at position {seq} was altered",
    Problem.MISSING: "the event at position {seq} is missing",
    Problem.REORDERED: "the events from position {seq} on are not in the order in which they came",
    Problem.SURPLUS: "the event at position {seq} is unknown to the ledger",
    Problem.REWRITTEN: "from position {seq} on, events or the ledger itself were rewritten",
    Problem.CONTRADICTED: "between position {seq} and {checkpoint}, events were rewritten",
    Problem.FORGED: "the checkpoint of {seq} events is not what the archive's key signed",
}


def verdict_as_text(verdict: Verdict) -> str:
    """Return what a verification found."""
    size = f"{verdict.size:,} event{'' if verdict.size == 1 else 's'}"
    if verdict.finding is None:
        since = f" since {verdict.since:,}" if verdict.since else ""
        signed = f"\nsigned checkpoints that agree: {verdict.checkpoints:,}" if verdict.checkpoints else ""
        return f"{size}: every event{since} and the root agree.{signed}\nroot {verdict.root.hex()}"
    found = "\n".join(_finding_lines(verdict.finding))
    return f"The archive of {size} does not agree with its ledger:\n{found}\nroot {verdict.root.hex()}"


def explained(finding: Finding) -> str:
    """Return in words what is wrong and where."""
    return _EXPLANATIONS[finding.problem].format(seq=finding.seq, checkpoint=finding.checkpoint)


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"{explained(finding)}."
    if finding.checkpoint and finding.problem is not Problem.FORGED:
        yield f"A signed checkpoint of {finding.checkpoint:,} events tells so."
    if finding.event_id:
        yield f"event {printable(finding.event_id)}"
        yield f"room {printable(finding.room_id)}"


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """Return what a verification found as JSON."""
    return {
        "ok": verdict.ok,
        "size": verdict.size,
        "root": verdict.root.hex(),
        "problem": verdict.problem,
        "first_bad": verdict.first_bad,
        "event_id": verdict.finding.event_id if verdict.finding else None,
        "room_id": verdict.finding.room_id if verdict.finding else None,
        "checkpoint": verdict.finding.checkpoint if verdict.finding else None,
        "checkpoints": verdict.checkpoints,
        "since": verdict.since,
    }


def status_as_text(status: Status) -> str:
    """Return the archive's figures, one a line."""
    behind = ", ".join(f"{name} {count:,}" for name, count in status.behind.items() if count)
    since = f", all since {short(status.checked_at)}" if status.checked_at else ""
    figures = {
        "events": f"{status.size:,}",
        "root": status.root.hex(),
        "newest": short(status.newest) if status.newest else "-",
        "compared": f"{status.rooms:,} rooms{since}",
        "backfilled": f"{status.backfilled:,}",
        "awaiting": f"{status.awaiting:,} originals of deleted messages",
        "set aside": f"{status.set_aside:,}",
        "behind": behind or "no reader",
    }
    return "\n".join(f"{name:<12}{value}" for name, value in figures.items())


def status_as_json(status: Status) -> dict[str, Any]:
    """Return the archive's figures as JSON."""
    return {
        "events": status.size,
        "root": status.root.hex(),
        "newest": status.newest.isoformat() if status.newest else None,
        "rooms": status.rooms,
        "checked_at": status.checked_at.isoformat() if status.checked_at else None,
        "backfilled": status.backfilled,
        "awaiting_original": status.awaiting,
        "set_aside": status.set_aside,
        "behind": dict(status.behind),
    }


def moment(timestamp: int) -> str:
    """Return a Matrix timestamp in UTC."""
    if not 0 < timestamp <= _LAST_MOMENT:
        return "at an unknown time"
    return short(datetime.fromtimestamp(timestamp / 1000, UTC))


def printable(text: str) -> str:
    """Return the text without what would steer a terminal or turn the reading direction around."""
    return "".join("\ufffd" if category(one)[0] == "C" and one not in _SHOWN_AS_IS else one for one in text)


def writable(value: Any, depth: int = 0) -> Any:
    """Return the value so that any JSON writer writes it as UTF-8: what is nested very deep becomes text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping | list) and depth > _DEEPEST:
        return canonical.encode_value(value).decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {writable(key): writable(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [writable(inner, depth + 1) for inner in value]
    return value


def wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    """Return lines of at most `width` columns; wide characters take two."""
    console = Console(width=width, file=StringIO())
    lines = Text(printable(text)).wrap(console, width - len(indent), tab_size=4)
    return [f"{indent}{line.plain.rstrip()}" for line in lines]


def short(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
