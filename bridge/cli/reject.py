"""`muster reject DIGEST --by PERSON`: a second person keeps things as they are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, with_services
from bridge.membership.held import reject as record_rejection

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "reject",
        help="keep what waits as it is, as a second person",
        description="Records that somebody whom the policy names under `brake.approvers` does not agree to what is "
        "held under this digest. An approval is withdrawn, and nobody is asked again until it changes; what does not "
        "take away goes on. To end it, put the directory or the policy right.",
    )
    parser.add_argument("digest", metavar="DIGEST", help="of what waits; its first 8 characters or more will do")
    parser.add_argument(
        "--by", required=True, metavar="PERSON", help="who rejects: userName, externalId, id or display name"
    )
    parser.set_defaults(handler=with_services(reject))


async def reject(args: argparse.Namespace, services: Services) -> int:
    """Record the no."""
    timezone = services.config.directory.timezone
    waiting = await record_rejection(
        services.pool, services.policy(), args.digest, args.by, services.clock, timezone=timezone
    )
    if args.json:
        print_json({"digest": waiting.digest, "rejected_by": args.by})
    else:
        print(f"Rejected: {waiting.digest[:12]} goes on waiting, and nobody is asked again until it changes.")
    return 0
