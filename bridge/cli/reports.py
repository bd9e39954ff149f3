"""`muster reports`: which reports of employees are open, and whether somebody has taken them; never what they say."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from bridge.cli.command import counted, print_json, with_services
from bridge.concern.store import Line, load_lines
from bridge.directory.local_day import zone_of

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_MOST = 100_000


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "reports",
        help="list what employees have reported in confidence, without content",
        description="Lists the newest reports: number, kind, when each was opened, taken and closed. What they say "
        "and who made them is not told: that is sealed in the archive, where only a case opens it.",
    )
    parser.add_argument("--open", action="store_true", help="only those that are not closed")
    parser.add_argument(
        "--limit", type=counted(1, _MOST), default=20, metavar="N", help="reports at most (default: 20)"
    )
    parser.set_defaults(handler=with_services(list_reports))


async def list_reports(args: argparse.Namespace, services: Services) -> int:
    """Print the reports."""
    found = await load_lines(services.pool, only_open=args.open, limit=args.limit)
    if args.json:
        print_json([asdict(line) for line in found])
        return 0
    zone = zone_of(None, services.config.directory.timezone)
    for line in _table(found, zone):
        print(line)
    if not found:
        print("No report is open." if args.open else "Nothing has been reported yet.")
    return 0


def _table(found: Sequence[Line], zone: tzinfo) -> Iterator[str]:
    if not found:
        return
    widest = max(4, *(len(line.kind) for line in found))
    yield f"{'no.':>5}  {'kind':<{widest}}  {'opened':<16}  {'taken':<16}  closed"
    for line in found:
        taken = _moment(line.taken_at, zone) if line.taken_at else f"{line.taken} of {line.needed}"
        closed = _moment(line.closed_at, zone) if line.closed_at else "open"
        yield f"{line.number:>5}  {line.kind:<{widest}}  {_moment(line.opened_at, zone)}  {taken:<16}  {closed}"


def _moment(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
