"""`muster announcements`: what was announced, whom it reached, and who has acknowledged it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.announcements import store
from bridge.announcements.rendering import list_as_json, list_as_text, report_as_json, report_as_text
from bridge.announcements.tracking import read_id, report
from bridge.cli import announcements_show
from bridge.cli.command import counted, print_json, width, with_services
from bridge.errors import RefusedError, UnknownNameError

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
        "not acknowledged it; `show ID` says it by department and with the answers, also as files.",
    )
    parser.add_argument("words", nargs="*", metavar="[show] ID", help="an announcement, such as 7kq2-m9xd")
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
    announcements_show.add_arguments(parser)
    parser.set_defaults(handler=with_services(announcements))


async def announcements(args: argparse.Namespace, services: Services) -> int:
    """List announcements, or show one."""
    shown, name = _asked(args.words)
    if (args.csv is not None or args.html is not None) and not shown:
        raise RefusedError("`--csv` and `--html` go with `muster announcements show ID`.")
    if shown:
        return await announcements_show.show(args, services, name)
    if name:
        return await _report(args, services, name)
    summaries = await store.load_summaries(services.pool, args.limit)
    if args.json:
        print_json(list_as_json(summaries))
    else:
        print(list_as_text(summaries, width()) or "Nothing has been announced yet.")
    return 0


def _asked(words: Sequence[str]) -> tuple[bool, str]:
    """Return whether `show` is asked for, and of which announcement; empty: of none."""
    shown = words[:1] == ["show"]
    names = words[1:] if shown else words
    if len(names) > 1 or (shown and not names):
        raise RefusedError("Expected one announcement: `muster announcements show ID`.")
    return shown, names[0] if names else ""


async def _report(args: argparse.Namespace, services: Services, name: str) -> int:
    announcement = read_id(name)
    summary = await store.load_summary(services.pool, announcement) if announcement else None
    if announcement is None or summary is None:
        raise UnknownNameError(f"There is no announcement {name!r}; `muster announcements` lists them.")
    deliveries = await store.load_deliveries(services.pool, announcement)
    recipients = await store.load_recipients(services.pool, announcement)
    if args.json:
        print_json(report_as_json(summary, deliveries, recipients, report(recipients)))
    else:
        print(report_as_text(summary, deliveries, recipients, most_names=args.missing, width=width()))
    return 0
