"""`muster announcements`: what was announced, whom it reached, and who has acknowledged it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.announcements import store
from bridge.announcements.rendering import list_as_json, list_as_text, report_as_json, report_as_text
from bridge.announcements.tracking import read_id, report
from bridge.cli.command import counted, print_json, width, with_services
from bridge.errors import UnknownNameError

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_MOST = 1_000_000


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "announcements",
        help="list announcements, or show who has not acknowledged one",
        description="Lists the newest announcements; with an ID, shows how that one fared in each room and who has "
        "not acknowledged it.",
    )
    parser.add_argument("id", nargs="?", metavar="ID", help="an announcement, such as 7kq2-m9xd")
    parser.add_argument(
        "--limit", type=counted(0, _MOST), default=20, metavar="N", help="announcements to list at most (default: 20)"
    )
    parser.add_argument(
        "--missing",
        type=counted(0, _MOST),
        default=20,
        metavar="N",
        help="missing people to name at most (default: 20)",
    )
    parser.set_defaults(handler=with_services(announcements))


async def announcements(args: argparse.Namespace, services: Services) -> int:
    """List announcements, or show one."""
    if args.id is not None:
        return await _show(args, services)
    summaries = await store.load_summaries(services.pool, args.limit)
    if args.json:
        print_json(list_as_json(summaries))
    else:
        print(list_as_text(summaries, width()) or "Nothing has been announced yet.")
    return 0


async def _show(args: argparse.Namespace, services: Services) -> int:
    announcement = read_id(args.id)
    summary = await store.load_summary(services.pool, announcement) if announcement else None
    if announcement is None or summary is None:
        raise UnknownNameError(f"There is no announcement {args.id!r}; `muster announcements` lists them.")
    deliveries = await store.load_deliveries(services.pool, announcement)
    recipients = await store.load_recipients(services.pool, announcement)
    if args.json:
        print_json(report_as_json(summary, deliveries, recipients, report(recipients)))
    else:
        print(report_as_text(summary, deliveries, recipients, most_names=args.missing, width=width()))
    return 0
