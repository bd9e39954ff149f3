"""`muster announce`: say something to a desk's audience, in the company's name."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from bridge.announcements.desk import announce as open_announcement
from bridge.announcements.message import confirm
from bridge.cli.command import print_json, with_services

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "announce",
        help="announce a text in the rooms of a desk",
        description="Announces a text in the rooms of a desk, in the company's name. The running service delivers it; "
        "without one it waits until `muster run`.",
    )
    parser.add_argument("--desk", required=True, metavar="DESK", help="a desk of the policy")
    parser.add_argument("text", nargs="+", metavar="TEXT", help="what to announce")
    parser.set_defaults(handler=with_services(announce))


async def announce(args: argparse.Namespace, services: Services) -> int:
    """Write the announcement down and say where it goes."""
    announced = await open_announcement(
        services.pool,
        services.policy(),
        args.desk,
        " ".join(args.text),
        bot=services.homeserver.bot,
        seed=secrets.token_bytes(16),
        at=services.clock(),
    )
    if args.json:
        print_json(asdict(announced))
    else:
        print(confirm(announced.id, rooms=announced.rooms, people=announced.people))
    return 0
