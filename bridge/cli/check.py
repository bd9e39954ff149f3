"""`muster check`: is the policy good, and does it do what its tests say?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from bridge.config import load_config
from bridge.document import read_text
from bridge.errors import DocumentError, Problem
from bridge.policy.loader import load
from bridge.policy.schema import Policy
from bridge.policy.trial import insist_on_tests


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="validate configuration and policy, and run the policy's tests",
        description="Reports every problem at once, as FILE:LINE:COLUMN: error: …, and exits with 1 if there is one. "
        "Without FILE the configured policy is checked. Changes nothing and needs neither homeserver nor database.",
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="policy files")
    parser.set_defaults(handler=check)


async def check(args: argparse.Namespace) -> int:
    """Print a line for each good policy and each problem."""
    good, problems = checked(args.files, args.config)
    if args.json:
        files = [{"file": file, **_sizes(policy)} for file, policy in good.items()]
        print(json.dumps({"ok": not problems, "files": files, "problems": [asdict(problem) for problem in problems]}))
    else:
        for file, policy in good.items():
            print(f"{file}: ok: {', '.join(_counted(*size) for size in _sizes(policy).items())}")
        for problem in problems:
            print(problem, file=sys.stderr)
    return 1 if problems else 0


def checked(files: Collection[Path], config: Path) -> tuple[dict[str, Policy], list[Problem]]:
    """Return the good ones of these policies, and every problem of the others and of the configuration.

    The configuration says which custom attributes there are, and without `files` where the policy is; with `files` it
    may be missing.
    """
    good: dict[str, Policy] = {}
    problems: list[Problem] = []
    attributes: Collection[str] = ()
    if not files or config.exists():
        try:
            settings = load_config(config)
            attributes, files = settings.attributes, files or [settings.policy]
        except DocumentError as error:
            problems += error.problems
    for file in files:
        try:
            policy = load(read_text(file), str(file), attributes)
            insist_on_tests(policy, str(file))
            good[str(file)] = policy
        except DocumentError as error:
            problems += error.problems
    return good, problems


def _sizes(policy: Policy) -> dict[str, int]:
    return {
        "rooms": len(policy.rooms),
        "spaces": len(policy.spaces),
        "announcements": len(policy.desks),
        "tests": len(policy.tests),
    }


def _counted(what: str, number: int) -> str:
    words = f"{number} {what[:-1] if number == 1 else what}"
    return f"{words} passed" if what == "tests" else words
