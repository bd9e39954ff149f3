"""`muster leavers`: who has left, which stages of leaving are done, and what is due when."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.membership.lifecycle_store import Leaver, LeaverProgress, read_leavers

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "leavers",
        help="show who has left, and which stages of leaving are to come",
        description="Lists who has left and has stages of `accounts.leavers` before them, the next one due first: what "
        "is done, and what is due when. A stage that is late waits for an approval, or for the homeserver: `muster "
        "plan` says for what. Times are UTC.",
    )
    parser.add_argument("--all", action="store_true", help="also those who have nothing to come")
    parser.set_defaults(handler=with_services(leavers))


async def leavers(args: argparse.Namespace, services: Services) -> int:
    """Print the leavers."""
    everybody = await read_leavers(services.pool)
    found = [each for each in everybody if args.all or each.next_due is not None]
    if args.json:
        print_json([asdict(each) for each in found])
        return 0
    now = services.clock()
    for each in found:
        for line in _lines(each, now, width()):
            print(line)
    rest = len(everybody) - len(found)
    if rest:
        print(f"{rest} more {'has' if rest == 1 else 'have'} nothing to come; --all names them.")
    elif not found:
        print("Nobody has left.")
    return 0


def _lines(leaver: Leaver, now: datetime, columns: int) -> Iterator[str]:
    since = f", left {leaver.left_at:%Y-%m-%d}" if leaver.left_at is not None else ""
    yield from textwrap.wrap(f"{leaver.name} ({leaver.user_id}){since}", columns, break_on_hyphens=False)
    for stage in leaver.stages:
        text = f"  {_state(stage, now)}  {', '.join(stage.steps)}"
        yield from textwrap.wrap(text, columns, subsequent_indent=" " * 25, break_on_hyphens=False)


def _state(stage: LeaverProgress, now: datetime) -> str:
    if stage.done_at is not None:
        return f"done {stage.done_at:%Y-%m-%d %H:%M}"
    return f"{'late' if stage.due_at <= now else 'due '} {stage.due_at:%Y-%m-%d %H:%M}"
