"""`muster plan`: what differs from the policy, and what of it the brake would hold; nothing is changed.

With `--policy` or `--directory` it is a simulation with another policy, or with another file of people imported.
"""

from __future__ import annotations

import argparse
import textwrap
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.cli.directory import mapping_named
from bridge.directory.file_mapping import PLAIN
from bridge.membership.reconcile import Reconciler
from bridge.membership.rendering import (
    By,
    as_json,
    as_markdown,
    as_text,
    change_as_json,
    waiting_as_markdown,
    waiting_as_text,
)
from bridge.membership.survey import Survey
from bridge.policy.source import read_policy

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.directory.intake import ImportReport


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
    parser.add_argument("--policy", type=Path, metavar="FILE", help="simulate: with this policy")
    parser.add_argument(
        "--directory", type=Path, metavar="FILE", help="simulate: with this CSV file of people imported"
    )
    parser.add_argument("--mapping", metavar="NAME", help="read it as `directory.files.NAME` of the configuration says")
    parser.set_defaults(handler=with_services(plan))


async def plan(args: argparse.Namespace, services: Services) -> int:
    """Print the plan, its digest, and what would be held."""
    found, report = await _found(args, services)
    if args.json or args.format == "json":
        verdict = found.verdict
        imported = {} if report is None else {"import": asdict(replace(report, diff=None))}
        waiting = [change_as_json(change) for change in verdict.waiting]
        held = {"held": as_json(verdict.held), "reasons": list(verdict.reasons), "waiting": waiting}
        print_json({**as_json(found.plan), **held, **imported})
    elif args.format == "markdown":
        print(survey_as_markdown(found, args.by), end="")
    else:
        if report is not None:
            for line in (report.sentence("People that would be"), *report.warnings):
                print(textwrap.fill(line, width()))
            print()
        simulated = args.policy is not None or args.directory is not None
        print(survey_as_text(found, width(), args.by, simulated=simulated), end="")
    return 0


async def _found(args: argparse.Namespace, services: Services) -> tuple[Survey, ImportReport | None]:
    """Survey as things are, or as they would be with another policy or another file of people."""
    config = services.config
    timezone = config.directory.timezone
    if args.policy is None and args.directory is None:
        reconciler = Reconciler(
            services.pool, services.homeserver, services.accounts, clock=services.clock, timezone=timezone
        )
        return await reconciler.survey(services.policy()), None
    from bridge.membership.simulation import (  # loads the SCIM library, for which others shall not wait
        Picture,
        simulate,
    )

    policy = services.policy() if args.policy is None else read_policy(args.policy, config.attributes)
    picture = None
    if args.directory is not None:
        mapping = PLAIN if args.mapping is None else mapping_named(config, args.mapping)
        picture = Picture(args.directory, mapping, tuple(config.attributes))
    simulated = await simulate(services.pool, services.homeserver, policy, picture, services.clock, timezone=timezone)
    return simulated.survey, simulated.report


def survey_as_markdown(found: Survey, by: By) -> str:
    """Return the plan and what of it would be held, for a ticket or a review."""
    held = found.verdict.held
    text = as_markdown(found.plan, by)
    if not held.changes:
        return text
    return "\n".join(
        [f"{text}\n## Held", "", f"{len(held.changes)} changes would wait for a second person:", ""]
        + [f"- {reason}" for reason in found.verdict.reasons]
        + waiting_as_markdown(found.verdict.waiting, by)
        + ["", f"Digest of what waits: `{held.digest}`", ""]
    )


def survey_as_text(found: Survey, columns: int, by: By = By.ROOM, *, simulated: bool = False) -> str:
    """Return the plan, what of it would be held and why, and what to type next (nothing when it is simulated)."""
    text = as_text(found.plan, columns, by)
    if not found.plan.changes:
        return text
    held = found.verdict.held
    lines = [""]
    if held.changes:
        lines.append(f"The brake would hold {len(held.changes)} of these changes, all that take something away:")
        lines += [line for reason in found.verdict.reasons for line in textwrap.wrap(f"  {reason}", columns)]
        lines += waiting_as_text(found.verdict.waiting, columns, by)
        lines.append("")
    lines.append(
        "This is a simulation: nothing of it is stored."
        if simulated
        else f"To carry it out: muster apply {found.plan.digest[:12]}"
    )
    return text + "".join(f"{line}\n" for line in lines)
