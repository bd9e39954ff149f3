"""`muster apply DIGEST`: carry out exactly the plan that was shown."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, system_user, width, with_services
from bridge.cli.progress import progress_bar
from bridge.directory.store import load_person
from bridge.membership import apply as applying
from bridge.membership.audit import COMMAND_LINE
from bridge.membership.reconcile import Reconciled, Reconciler
from bridge.policy.source import good_policy
from bridge.policy.store import keep_policy
from bridge.yaml_text import read_text

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_NAMED = 20
_LINES = 10
"""Lines of progress where there is no terminal to draw a bar on."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "apply",
        help="carry out a plan",
        description="Carries out the plan with that digest, or refuses when the plan is another by now. What takes "
        "too much away is held until a second person approves it. Exit code 1 when a change failed.",
    )
    parser.add_argument("digest", metavar="DIGEST", help="from `muster plan`; its first 8 characters or more will do")
    parser.add_argument(
        "--by", metavar="PERSON", help="who applies; somebody else must then approve what is held of it"
    )
    parser.set_defaults(handler=with_services(apply))


async def apply(args: argparse.Namespace, services: Services) -> int:
    """Apply the plan and print what became of it."""
    config, now = services.config, services.clock()
    text = read_text(config.policy)
    policy = good_policy(text, str(config.policy), config.attributes)
    await keep_policy(services.pool, policy.digest, text, now)
    reconciler = Reconciler(
        services.pool,
        services.homeserver,
        services.accounts,
        clock=services.clock,
        timezone=config.directory.timezone,
        at_once=config.homeserver.concurrency,
    )
    by = None if args.by is None else (await load_person(services.pool, args.by)).id
    with shown_progress() as progress:
        result = await reconciler.reconcile(
            policy,
            cause="apply",
            digest=args.digest,
            set_off_by=system_user() or COMMAND_LINE,
            by=by,
            progress=progress,
        )
    if args.json:
        print_json(apply_as_json(result))
    else:
        print(apply_as_text(result, width()), end="")
    return 1 if result.applied.failures else 0


@contextmanager
def shown_progress(doing: str = "applying", what: str = "changes") -> Iterator[applying.Progress]:
    """Yield a function that shows on standard error how far we are: a bar on a terminal, a few lines elsewhere."""
    if not sys.stderr.isatty():
        yield _lines_of_progress(what)
        return
    with progress_bar(doing) as progress:
        yield progress


def _lines_of_progress(what: str) -> applying.Progress:
    shown = 0

    def show(over: int, total: int) -> None:
        nonlocal shown
        if (part := over * _LINES // total) > shown:
            shown = part
            print(f"{over} of {total} {what}", file=sys.stderr, flush=True)

    return show


def apply_as_text(result: Reconciled, columns: int) -> str:
    """Return what became of a plan, and what to type next."""
    applied, held = result.applied, result.held
    if not result.plan.changes:
        return "Nothing to do.\n"
    lines = [f"{applied.done} of {len(result.plan.changes)} changes done."]
    if applied.failures:
        lines.append(f"{len(applied.failures)} failed; `muster audit` has them all:")
        for failure in applied.failures[:_NAMED]:
            change = failure.change
            place = f"in {change.room}" if change.user_id and change.room else change.room
            subject = " ".join(filter(None, (change.action.value, change.user_id, place)))
            lines.append(f"  {subject}: {failure.error}")
    if held.changes:
        lines += [f"{len(held.changes)} wait for a second person:", *(f"  {reason}" for reason in result.reasons)]
        lines.append(f"To let them go: muster approve {held.digest[:12]} --by PERSON")
    return "".join(f"{textwrap.fill(line, columns, subsequent_indent='    ')}\n" for line in lines)


def apply_as_json(result: Reconciled) -> dict[str, object]:
    """Return the same for programs."""
    return {
        "run": result.run_id,
        "digest": result.plan.digest,
        "done": result.applied.done,
        "failed": [
            {
                "action": failure.change.action.value,
                "room": failure.change.room,
                "user_id": failure.change.user_id,
                "error": failure.error,
            }
            for failure in result.applied.failures
        ],
        "held": {"digest": result.held.digest, "changes": len(result.held.changes), "reasons": list(result.reasons)},
        "sessions_ended": result.applied.sessions_ended,
    }
