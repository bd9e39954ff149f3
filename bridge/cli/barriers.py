"""`muster barriers`: who shares a room with somebody they must not."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.membership.barrier_store import Together, read_together

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_NAMED = 10


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "barriers",
        help="list who shares a room across an information barrier",
        description="Names every room in which both sides of a barrier are, who they are, and since when, by the "
        "barriers as they were when everything was last looked at. Exits with 1 if there is one.",
    )
    parser.set_defaults(handler=with_services(barriers))


async def barriers(args: argparse.Namespace, services: Services) -> int:
    """Print the rooms."""
    found = await read_together(services.pool)
    if args.json:
        print_json([asdict(each) for each in found])
    elif not found:
        print("Nobody shares a room across a barrier.")
    else:
        for each in found:
            for line in _lines(each, width()):
                print(line)
    return 1 if found else 0


def _lines(each: Together, columns: int) -> Iterator[str]:
    since = f", since {each.since:%Y-%m-%d %H:%M} UTC" if each.since is not None else ""
    place = each.key or each.room_id
    yield from textwrap.wrap(f"{place}: {each.reason}{since}", columns, break_on_hyphens=False)
    for name, users in (("between", each.one), ("and", each.other)):
        more = f" … and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
        yield from textwrap.wrap(
            f"  {name} ({len(users)}): {', '.join(users[:_NAMED])}{more}",
            columns,
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
