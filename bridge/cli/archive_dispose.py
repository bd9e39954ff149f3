"""`muster archive dispose`: what the policy keeps no longer, shown or disposed of."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive.disposal import nothing_held
from bridge.archive.retention import carry_out, find_preview, preview
from bridge.archive.retention_text import preview_as_json, preview_as_text
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.command import print_json, with_services

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_dispose(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "dispose",
        help="show, and dispose of, what the policy keeps no longer",
        description="Shows what the policy's `archive: retain:` keeps no longer, by rule and room. With --apply it "
        "disposes of exactly that: texts and salts go, the leaves of the ledger stay, an entry of the log says why. "
        "What is on hold stays.",
    )
    parser.add_argument("--apply", metavar="DIGEST", help="dispose of what the preview with this digest showed")
    add_actor(parser)
    parser.set_defaults(handler=with_services(dispose))


async def dispose(args: argparse.Namespace, services: Services) -> int:
    """Print what would go, or dispose of it."""
    today, bot = services.clock().date(), services.homeserver.bot
    if not args.apply:
        found = await preview(services.pool, services.policy(), bot, today, nothing_held)
        if args.json:
            print_json(preview_as_json(found))
        else:
            print(preview_as_text(found))
        return 0
    actor = await actor_of(args, services)
    planned = await find_preview(services.pool, services.policy(), bot, today, nothing_held, args.apply)
    outcome = await carry_out(services.pool, planned, actor, nothing_held, services.clock)
    if args.json:
        print_json({"disposed": outcome.disposed, "held": len(outcome.held), "digest": planned.digest})
    else:
        print(f"Disposed of {outcome.disposed:,} records; held back {len(outcome.held):,}.")
        print("`muster archive log --deed dispose` shows the entries.")
    return 0
