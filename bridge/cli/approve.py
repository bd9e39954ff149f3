"""`muster approve DIGEST --by PERSON`: a second person lets a held plan go."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, with_services
from bridge.config import Applying
from bridge.membership.held import approve as record_approval

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "approve",
        help="let a held plan go, as a second person",
        description="Records that somebody whom the policy names under `brake.approvers` agrees to exactly the "
        "changes that are held under this digest. The service then carries them out.",
    )
    parser.add_argument("digest", metavar="DIGEST", help="of the held plan; its first 8 characters or more will do")
    parser.add_argument(
        "--by", required=True, metavar="PERSON", help="who approves: userName, externalId, id or display name"
    )
    parser.set_defaults(handler=with_services(approve))


async def approve(args: argparse.Namespace, services: Services) -> int:
    """Record the approval."""
    timezone = services.config.directory.timezone
    policy = services.policy()
    held = await record_approval(services.pool, policy, args.digest, args.by, services.clock, timezone=timezone)
    if args.json:
        print_json({"digest": held.digest, "changes": len(held.changes), "approved_by": args.by})
    elif services.config.applying is Applying.AUTOMATIC:
        print(f"Approved. The service now carries out {len(held.changes)} changes.")
    else:
        print(f"Approved: {len(held.changes)} changes. The next `muster plan` and `muster apply` carry them out.")
    return 0
