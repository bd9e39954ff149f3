"""How complete the archive is, as text for a terminal and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len, set_cell_size

from bridge.archive.completeness import Missing, Standing, Statement, Summary
from bridge.archive.rendering import printable, short, wrapped
from bridge.archive.values import MediaFigures, Status
from bridge.ids import RoomId

_COLUMN = 9
"""Columns of a figure in the table, with the blank before it."""
_FIGURES = ("events", "live", "fetched", "missing", "unread")


def status_as_text(status: Status, width: int) -> str:
    """Return the figures of the whole archive."""
    behind = ", ".join(f"{name} {count:,}" for name, count in status.behind.items() if count)
    since = f", all since {short(status.checked_at)}" if status.checked_at else ""
    figures = {
        "events": f"{status.size:,}",
        "root": status.root.hex(),
        "newest": short(status.newest) if status.newest else "-",
        "compared": f"{status.rooms:,} rooms{since}",
        **_summary_lines(status.summary),
        "awaiting": f"{status.awaiting:,} originals of deleted messages",
        "set aside": f"{status.set_aside:,}",
        "media": _media(status.media),
        "behind": behind or "no reader",
    }
    lines = [line for name, value in figures.items() for line in _field(name, value, width)]
    if status.media.reasons:
        lines += ["not fetched", *(f"  {count:>8,}  {printable(why)}" for why, count in status.media.reasons.items())]
    return "\n".join(lines)


def status_as_json(status: Status) -> dict[str, Any]:
    """Return the archive's figures as JSON."""
    return {
        "events": status.size,
        "root": status.root.hex(),
        "newest": status.newest.isoformat() if status.newest else None,
        "rooms": status.rooms,
        "checked_at": status.checked_at.isoformat() if status.checked_at else None,
        **_summary_as_json(status.summary),
        "awaiting_original": status.awaiting,
        "set_aside": status.set_aside,
        "behind": dict(status.behind),
        "media": _media_as_json(status.media),
    }


def statement_as_text(statement: Statement, name: str, width: int) -> str:
    """Return everything about one room; `name` may be empty."""
    whole = ", the room's creation" if statement.is_whole else ""
    figures = {
        "room": f"{printable(name)} {statement.room_id}".strip(),
        "standing": statement.standing.value,
        "compared": _moment(statement.checked_at) if statement.checked_at else "never",
        "first": f"{_moment(statement.first)}{whole}",
        "last": _moment(statement.last),
        "events": f"{statement.events:,}",
        "seen live": f"{statement.seen_live:,}",
        "fetched": f"{statement.backfilled:,} afterwards",
        "unreadable": f"{statement.encrypted:,} encrypted",
        "files": _links(statement.media),
    }
    lines = [line for name, value in figures.items() for line in _field(name, value, width)]
    if statement.obstacle and statement.obstacle.is_gone:
        lines += _field("gone", f"the homeserver has nothing of it since {short(statement.obstacle.since)}", width)
    for words in [_missing(one) for one in statement.missing] or ["nothing until it was compared"]:
        lines += _field("missing", words, width)
    return "\n".join(lines)


def statements_as_table(statements: Sequence[Statement], names: Mapping[RoomId, str], width: int) -> str:
    """Return a line for each room: those where something is missing first."""
    order = [Standing.INCOMPLETE, Standing.UNCOMPARED, Standing.FROZEN, Standing.COMPLETE]
    ranked = sorted(statements, key=lambda one: (order.index(one.standing), _called(one, names)))
    room = width - len(_FIGURES) * _COLUMN - 12
    heading = f"{'room':<{room}}{''.join(f'{name:>{_COLUMN}}' for name in _FIGURES)}  standing"
    return "\n".join([heading, *(_row(statement, _called(statement, names), room) for statement in ranked)])


def named_statement_as_json(statement: Statement, name: str) -> dict[str, Any]:
    """Return everything about one room, with what it is called."""
    return {"room_id": statement.room_id, "name": name or None, **statement_as_json(statement)}


def statement_as_json(statement: Statement) -> dict[str, Any]:
    """Return everything about one room."""
    obstacle = statement.obstacle
    return {
        "room_id": statement.room_id,
        "standing": statement.standing,
        "first": _iso(statement.first),
        "last": _iso(statement.last),
        "begins_with_creation": statement.is_whole,
        "events": statement.events,
        "seen_live": statement.seen_live,
        "backfilled": statement.backfilled,
        "undecryptable": statement.encrypted,
        "media": _media_as_json(statement.media),
        "missing": [{"reason": one.reason, "events": one.events} for one in statement.missing],
        "compared_at": _iso(statement.checked_at),
        "gone_since": _iso(obstacle.since) if obstacle and obstacle.is_gone else None,
    }


def _media_as_json(figures: MediaFigures) -> dict[str, Any]:
    return {
        "files": figures.files,
        "bytes": figures.size,
        "stored": figures.stored,
        "waiting": figures.waiting,
        "failed": figures.failed,
        "reasons": dict(figures.reasons),
    }


def _media(figures: MediaFigures) -> str:
    files = f"{figures.files:,} file{'' if figures.files == 1 else 's'}, {figures.size:,} bytes"
    return f"{files}; {figures.waiting:,} waiting, {figures.failed:,} given up"


def _links(figures: MediaFigures) -> str:
    return f"{figures.stored:,} stored, {figures.waiting:,} waiting, {figures.failed:,} given up"


def _summary_lines(summary: Summary) -> dict[str, str]:
    """Return the figures of all rooms, by what they are called."""
    standings = ", ".join(f"{summary.standings.get(one, 0):,} {one}" for one in Standing)
    lost = ", ".join(f"{count:,} {reason}" for reason, count in sorted(summary.lost.items()))
    return {
        "rooms": standings,
        "seen live": f"{summary.seen_live:,}",
        "fetched": f"{summary.backfilled:,} afterwards",
        "lost": lost or "no content",
        "unreadable": f"{summary.encrypted:,} encrypted",
    }


def _summary_as_json(summary: Summary) -> dict[str, Any]:
    """Return the figures of all rooms."""
    return {
        "standings": {one.value: summary.standings.get(one, 0) for one in Standing},
        "seen_live": summary.seen_live,
        "backfilled": summary.backfilled,
        "undecryptable": summary.encrypted,
        "lost": dict(summary.lost),
    }


def _row(statement: Statement, name: str, room: int) -> str:
    figures = (statement.events, statement.seen_live, statement.backfilled)
    cells = [*(f"{figure:,}" for figure in figures), _amount(statement.missing), f"{statement.encrypted:,}"]
    fitted = name if cell_len(name) < room else set_cell_size(name, room - 2) + "…"
    return f"{set_cell_size(fitted, room)}{''.join(f'{cell:>{_COLUMN}}' for cell in cells)}  {statement.standing}"


def _amount(missing: Sequence[Missing]) -> str:
    """Return how many events are missing, or a question mark where nobody knows."""
    if any(one.events is None for one in missing):
        return "?"
    return f"{sum(one.events or 0 for one in missing):,}"


def _missing(missing: Missing) -> str:
    return missing.reason if missing.events is None else f"{missing.events:,} {missing.reason}"


def _called(statement: Statement, names: Mapping[RoomId, str]) -> str:
    return " ".join(printable(names.get(statement.room_id, "")).split()) or statement.room_id


def _field(name: str, value: str, width: int) -> Iterator[str]:
    indent = 12
    for number, line in enumerate(wrapped(value, width, " " * indent)):
        yield line if number else f"{name:<{indent}}{line[indent:]}"


def _moment(when: datetime | None) -> str:
    return short(when) if when else "-"


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
