"""`muster archive log`: who did what with the archive."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive.log import entries
from bridge.archive.log_text import entries_as_json, entries_as_text
from bridge.archive.pseudonym import without_names
from bridge.archive.pseudonym_key import open_pseudonym_key
from bridge.cli.command import counted, print_json, width, with_services
from bridge.membership.moment import parse_beginning, parse_moment

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_MOST = 100_000


def add_log(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "log",
        help="show who searched, looked and proved",
        description="Shows what people did with the archive, the newest first: each search, each look at an event, "
        "each proof. These are leaves of the same ledger, which `muster archive verify` checks with the rest.",
    )
    parser.add_argument("--by", metavar="NAME", help="only what this userName, or user of the operating system, did")
    parser.add_argument("--deed", metavar="WORD", help="only one kind of deed, the log's third column: search, view, …")
    parser.add_argument("--since", metavar="TIME", help="only from then on: 2027-02-11, 2027-02-11T14:00")
    parser.add_argument("--until", metavar="TIME", help="only until then; a date means its end")
    parser.add_argument(
        "--limit", type=counted(1, _MOST), default=100, metavar="N", help="entries at most (default: 100)"
    )
    parser.add_argument("--pseudonyms", action="store_true", help="name nobody: pseudonyms for names and words")
    parser.set_defaults(handler=with_services(show_log))


async def show_log(args: argparse.Namespace, services: Services) -> int:
    """Print the entries."""
    timezone = services.config.directory.timezone
    found = await entries(
        services.pool,
        deed=args.deed,
        actor=args.by,
        since=args.since and parse_beginning(args.since, timezone=timezone),
        until=args.until and parse_moment(args.until, timezone=timezone, now=services.clock()),
        limit=args.limit,
    )
    if args.pseudonyms:
        key = open_pseudonym_key(services.config.data)
        found = [without_names(one, key) for one in found]
    if args.json:
        print_json(entries_as_json(found))
    else:
        print(entries_as_text(found, width()) or "Nobody did anything with the archive.")
    return 0
