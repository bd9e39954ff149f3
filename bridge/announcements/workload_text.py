"""The report of what is said out of people's hours, as a table, as CSV and as JSON (pure)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Any

from bridge.announcements.workload import Load, Row, total
from bridge.membership.access_report import defused

COLUMNS = ("week", "department", "people", "sent", "sent outside hours", "received", "received outside hours")
_NAME = 30


def as_text(rows: Sequence[Row]) -> str:
    """Return a table of at most 80 columns."""
    head = f"{'week of':<10}  {'department':<{_NAME}} {'people':>6}  {'sent outside':>13}  {'received':>13}"
    lines = [head, *(_line(f"{row.week}", row.department, f"{row.people:,}", row.load) for row in rows)]
    return "\n".join([*lines, _line("all", "", "", total(rows))])


def as_csv(rows: Sequence[Row]) -> str:
    """Return the rows as CSV (RFC 4180), with a byte order mark, which spreadsheets want."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        load = row.load
        figures = (row.people, load.sent, load.sent_outside, load.received, load.received_outside)
        writer.writerow((row.week, defused(row.department), *figures))
    return "\ufeff" + text.getvalue()


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows for scripts; shares are from 0 to 1, or null where there was nothing."""
    return [
        {
            "week": row.week.isoformat(),
            "department": row.department,
            "people": row.people,
            "sent": row.load.sent,
            "sent_outside": row.load.sent_outside,
            "sent_outside_share": _share(row.load.sent_outside, row.load.sent),
            "received": row.load.received,
            "received_outside": row.load.received_outside,
            "received_outside_share": _share(row.load.received_outside, row.load.received),
        }
        for row in rows
    ]


def _line(week: str, department: str, people: str, load: Load) -> str:
    name = department if len(department) <= _NAME else f"{department[: _NAME - 1]}…"
    sent, received = _figure(load.sent_outside, load.sent), _figure(load.received_outside, load.received)
    return f"{week:<10}  {name:<{_NAME}} {people:>6}  {sent:>13}  {received:>13}"


def _figure(outside: int, of: int) -> str:
    share = _share(outside, of)
    return f"{outside:,} {'-' if share is None else f'{share:.0%}':>4}"


def _share(outside: int, of: int) -> float | None:
    return round(outside / of, 4) if of else None
