"""Announcements as a person reads them, and as scripts do (pure).

Lines are cut to the width that is asked for, in cells of a terminal: Chinese letters take two. What people wrote is
shown without control characters, which could drive a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.cells import cell_len, set_cell_size

from bridge.announcements.tracking import Recipient, Report, RoomDelivery, Summary

_INDENT = " " * 11


def list_as_text(summaries: Sequence[Summary], width: int = 80) -> str:
    """Return three lines an announcement: which, when and who; what; how far it has come."""
    return "\n\n".join(
        "\n".join(
            _cut(line, width)
            for line in (
                f"{summary.id}  {summary.created_at:%Y-%m-%d %H:%M} UTC  {_visible(summary.author_name)}",
                f"{_INDENT}{_visible(summary.text)}",
                f"{_INDENT}{_figures(summary)}",
            )
        )
        for summary in summaries
    )


def report_as_text(
    summary: Summary,
    deliveries: Sequence[RoomDelivery],
    recipients: Sequence[Recipient],
    *,
    most_names: int,
    width: int = 80,
) -> str:
    """Return the whole story of one announcement: each room, and at most `most_names` of those who are missing."""
    missing = [recipient for recipient in recipients if recipient.acknowledged_at is None]
    lines = [
        f"{summary.id}  {summary.created_at:%Y-%m-%d %H:%M} UTC  desk {summary.desk}",
        f"{_visible(summary.author_name)} ({_visible(summary.author)}):",
        f"  {_visible(summary.text)}",
        "",
        f"{_figures(summary)}, {len(missing):,} missing",
        "",
        *_rooms([delivery for delivery in deliveries if delivery.user_id is None]),
        *_rooms_of_people([delivery for delivery in deliveries if delivery.user_id is not None], most_names),
    ]
    if missing:
        lines += ["", f"Not acknowledged ({len(missing):,}):"]
        lines += [_name(recipient) for recipient in missing[:most_names]]
    if len(missing) > most_names:
        lines.append(f"  … and {len(missing) - most_names:,} more; --missing N names N of them, --json all")
    return "\n".join(_cut(line, width) for line in lines)


def list_as_json(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return the same for scripts."""
    return [_summary_as_json(summary) for summary in summaries]


def report_as_json(
    summary: Summary, deliveries: Sequence[RoomDelivery], recipients: Sequence[Recipient], report: Report
) -> dict[str, Any]:
    """Return the same for scripts, with everybody in it."""
    return {
        **_summary_as_json(summary),
        "missing": list(report.missing),
        "rooms": [asdict(delivery) for delivery in deliveries],
        "people": [_recipient_as_json(recipient) for recipient in recipients],
    }


def _summary_as_json(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "created_at": summary.created_at.isoformat()}


def _recipient_as_json(recipient: Recipient) -> dict[str, Any]:
    return {
        **asdict(recipient),
        "delivered_at": recipient.delivered_at and recipient.delivered_at.isoformat(),
        "acknowledged_at": recipient.acknowledged_at and recipient.acknowledged_at.isoformat(),
    }


def _figures(summary: Summary) -> str:
    people = "person" if summary.targeted == 1 else "people"
    return f"for {summary.targeted:,} {people}: {summary.delivered:,} delivered, {summary.acknowledged:,} acknowledged"


def _rooms(deliveries: Sequence[RoomDelivery]) -> list[str]:
    if not deliveries:
        return []
    return [f"Rooms ({len(deliveries):,}):", *map(_delivery, deliveries)]


def _rooms_of_people(deliveries: Sequence[RoomDelivery], most_names: int) -> list[str]:
    """Return how many got it in a room of their own, and of the others at most `most_names`, those who failed first."""
    if not deliveries:
        return []
    rest = sorted(
        (one for one in deliveries if one.state != "delivered"), key=lambda one: (one.state != "failed", one.name)
    )
    delivered = len(deliveries) - len(rest)
    lines = [f"People, each in their own room ({len(deliveries):,}): {delivered:,} delivered"]
    lines += map(_delivery, rest[:most_names])
    return lines + ([f"  … and {len(rest) - most_names:,} more"] if len(rest) > most_names else [])


def _delivery(delivery: RoomDelivery) -> str:
    return f"  {delivery.state:<9}  {_visible(delivery.name)}{_trouble(delivery)}"


def _trouble(delivery: RoomDelivery) -> str:
    return f": {_visible(delivery.error)}" if delivery.error else ""


def _name(recipient: Recipient) -> str:
    undelivered = "" if recipient.delivered_at else "  (not delivered)"
    return f"  {_visible(recipient.name)}  {_visible(recipient.user_id)}{undelivered}"


def _visible(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"
