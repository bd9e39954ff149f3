"""`muster approve DIGEST --by PERSON`: a second person lets go what waits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, with_services
from bridge.config import Applying
from bridge.membership.audit import Held
from bridge.membership.held import approve as record_approval
from bridge.membership.held import people_of
from bridge.membership.held_notice import Waiting

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "approve",
        help="let go what waits, as a second person",
        description="Records that somebody whom the policy names under `brake.approvers` agrees to exactly the "
        "changes that are held under this digest, or that exactly the people who are missing from a source under it "
        "have left. The service then carries that out.",
    )
    parser.add_argument("digest", metavar="DIGEST", help="of what waits; its first 8 characters or more will do")
    parser.add_argument(
        "--by", required=True, metavar="PERSON", help="who approves: userName, externalId, id or display name"
    )
    parser.set_defaults(handler=with_services(approve))


async def approve(args: argparse.Namespace, services: Services) -> int:
    """Record the approval."""
    config, policy = services.config, services.policy()
    waiting = await record_approval(
        services.pool,
        policy,
        args.digest,
        args.by,
        services.clock,
        timezone=config.directory.timezone,
        attributes=config.attributes,
    )
    changes = len(waiting.changes) if isinstance(waiting, Held) else 0
    if args.json:
        people = len(people_of(waiting))
        print_json({"digest": waiting.digest, "changes": changes, "people": people, "approved_by": args.by})
    else:
        print(_said(waiting, automatic=config.applying is Applying.AUTOMATIC))
    return 0


def _said(waiting: Waiting, *, automatic: bool) -> str:
    if isinstance(waiting, Held):
        said, rest = "Approved", f"{len(waiting.changes)} changes"
    else:
        said, rest = f"Approved: {len(waiting.people)} people of {waiting.feed} work here no longer", "what follows"
    if automatic:
        return f"{said}. The service now carries out {rest}."
    return f"{said}. The next `muster plan` and `muster apply` carry out {rest}."
