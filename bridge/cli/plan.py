"""`muster plan`: what differs from the policy, and what of it the brake would hold; nothing is changed."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.membership.reconcile import Reconciler
from bridge.membership.rendering import By, as_json, as_markdown, as_text
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
    parser.add_argument(
        "--by",
        type=By,
        choices=list(By),
        default=By.ROOM,
        metavar="room|person",
        help="group the changes by room (default) or by person",
    )
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "json"),
        default="text",
        help="text for a terminal (default), markdown for a ticket, or json, as --json",
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
    if args.json or args.format == "json":
        verdict = found.verdict
        print_json({**as_json(found.plan), "held": as_json(verdict.held), "reasons": list(verdict.reasons)})
    elif args.format == "markdown":
        print(survey_as_markdown(found, args.by), end="")
    else:
        print(survey_as_text(found, width(), args.by), end="")
    return 0


def survey_as_markdown(found: Survey, by: By) -> str:
    """Return the plan and what of it would be held, for a ticket or a review."""
    held = found.verdict.held
    text = as_markdown(found.plan, by)
    if not held.changes:
        return text
    return "\n".join(
        [f"{text}\n## Held", "", f"{len(held.changes)} changes would wait for a second person:", ""]
        + [f"- {reason}" for reason in found.verdict.reasons]
        + ["", f"Digest of what waits: `{held.digest}`", ""]
    )


def survey_as_text(found: Survey, columns: int, by: By = By.ROOM) -> str:
    """Return the plan, what of it would be held and why, and what to type next."""
    text = as_text(found.plan, columns, by)
    if not found.plan.changes:
        return text
    held = found.verdict.held
    lines = [""]
    if held.changes:
        lines.append(f"The brake would hold {len(held.changes)} of these changes, all that take something away:")
        lines += [line for reason in found.verdict.reasons for line in textwrap.wrap(f"  {reason}", columns)]
        lines.append("")
    return text + "".join(f"{line}\n" for line in [*lines, f"To carry it out: muster apply {found.plan.digest[:12]}"])
