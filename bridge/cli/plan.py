"""`muster plan`: what differs from the policy, and what of it the brake would hold; nothing is changed."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.membership.reconcile import Reconciler
from bridge.membership.rendering import as_json, as_text
from bridge.membership.survey import Survey

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "plan",
        help="show what would be changed, and change nothing",
        description="Compares directory and policy with what there is. `muster apply DIGEST` carries out exactly "
        "what this shows.",
    )
    parser.set_defaults(handler=with_services(plan))


async def plan(args: argparse.Namespace, services: Services) -> int:
    """Print the plan, its digest, and what would be held."""
    reconciler = Reconciler(
        services.pool,
        services.homeserver,
        services.accounts,
        clock=services.clock,
        timezone=services.config.directory.timezone,
    )
    found = await reconciler.survey(services.policy())
    if args.json:
        verdict = found.verdict
        print_json({**as_json(found.plan), "held": as_json(verdict.held), "reasons": list(verdict.reasons)})
    else:
        print(survey_as_text(found, width()), end="")
    return 0


def survey_as_text(found: Survey, columns: int) -> str:
    """Return the plan, what of it would be held and why, and what to type next."""
    text = as_text(found.plan, columns)
    if not found.plan.changes:
        return text
    held = found.verdict.held
    lines = [""]
    if held.changes:
        lines.append(f"The brake would hold {len(held.changes)} of these changes, all that take something away:")
        lines += [line for reason in found.verdict.reasons for line in textwrap.wrap(f"  {reason}", columns)]
        lines.append("")
    return text + "".join(f"{line}\n" for line in [*lines, f"To carry it out: muster apply {found.plan.digest[:12]}"])
