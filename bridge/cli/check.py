"""`muster check`: is the policy good, and does it do what its tests say?"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.command import from_here, print_json, width
from bridge.clock import system_clock
from bridge.config import Config, load_config
from bridge.config_announcements import unknown_desks
from bridge.errors import DocumentError, MusterError, Problem, RefusedError
from bridge.membership.doubts import Today, doubts
from bridge.membership.rehearsal import rehearse
from bridge.membership.replay_text import as_json, as_text
from bridge.policy.lint import warnings
from bridge.policy.loader import load
from bridge.policy.pictures import rooms_by_picture
from bridge.policy.schema import Policy
from bridge.policy.trial import insist_on_tests
from bridge.yaml_text import read_text

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "check",
        help="validate configuration and policy, and run the policy's tests",
        description="Reports every problem at once, as FILE:LINE:COLUMN: error: …, and exits with 1 if there is one. "
        "What is probably not meant is a warning: two rules for the same people, an exception that is over; where the "
        "database answers, also selectors that match nobody, ids of other rooms, and rooms that barriers divide; what "
        "may well be meant is a note. "
        "Without FILE the configured policy is checked. Changes nothing, and needs neither homeserver nor (without "
        "--replay) database.",
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="policy files")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for a warning too")
    parser.add_argument(
        "--replay",
        type=_days,
        metavar="DAYS",
        help="also show what the policy would have done to HR's changes of so many days, such as 90d",
    )
    parser.add_argument(
        "--no-directory", action="store_true", help="do not look at the people and rooms that there are"
    )
    parser.set_defaults(handler=check)


async def check(args: argparse.Namespace) -> int:
    """Print a line for each good policy and each problem."""
    good, problems = checked(args.files, args.config)
    day = system_clock().date()
    today = None if args.no_directory or not good else await _today(args.config)
    doubtful = [each for file, policy in good.items() for each in warnings(policy, file, day)]
    if not args.files:
        doubtful += [each for policy in good.values() for each in _without_desks(policy, args.config)]
    if isinstance(today, Today):
        doubtful += [each for file, policy in good.items() for each in doubts(policy, file, today, day)]
    if args.json and (problems or args.replay is None):
        policies = [{"file": file, **_sizes(policy)} for file, policy in good.items()]
        told = [asdict(problem) for problem in (*problems, *doubtful)]
        skipped = {"not_checked": today} if isinstance(today, str) else {}
        print_json({"ok": not problems, "policies": policies, "problems": told, **skipped})
    elif not args.json:
        for file, policy in good.items():
            print(f"{file}: ok: {_summary(policy)}")
        for problem in (*problems, *doubtful):
            print(problem, file=sys.stderr)
        if isinstance(today, str):
            print(f"not checked against the directory: {today}")
    if args.replay is not None and not problems:
        await _replay(args, list(good.values()))
    strict = args.strict and any(each.severity == "warning" for each in doubtful)
    return 1 if problems or strict else 0


async def _today(path: Path) -> Today | str:
    """Return the people and rooms there are, or why they cannot be looked at."""
    try:
        config = _configured(path)
        return config if isinstance(config, str) else await _asked(config)
    except MusterError as error:
        return str(error)


async def _asked(config: Config) -> Today | str:
    """Return what the database tells; raise `DatabaseError` when it does not answer."""
    from bridge.app import open_storage  # these cost half a second, which checking alone need not wait for
    from bridge.database import AWAY, words_of
    from bridge.membership.today import read_today

    zone, attributes = config.directory.timezone, config.attributes
    try:
        async with open_storage(config, to_read=True) as storage:
            today = await read_today(storage.pool, system_clock(), timezone=zone, attributes=attributes)
    except AWAY as error:
        return words_of(error)
    return today if today.census.active else "nobody works there yet"


def _configured(path: Path) -> Config | str:
    """Return the configuration of a database that there is, for to make one is not for a check; or what is missing."""
    if not path.exists():
        return f"there is no {path}, which says where it is"
    config = load_config(path)
    if config.database is None and not (config.data / "postgres").exists():
        return "there is no database yet"
    return config


async def _replay(args: argparse.Namespace, policies: Sequence[Policy]) -> None:
    """Print what the policy would have done, beside the one in force when that is another."""
    from bridge.app import open_storage  # half a second, which checking alone need not wait for

    config = _configured(args.config)
    if isinstance(config, str):
        raise RefusedError(f"There is nothing to replay: {config}.")
    if len(policies) != 1:
        raise RefusedError(f"Expected one policy to replay, came {len(policies)}. Name one FILE.")
    async with open_storage(config, to_read=True) as storage:
        report = await rehearse(
            storage.pool,
            policies[0],
            args.replay,
            system_clock(),
            timezone=config.directory.timezone,
            attributes=config.attributes,
        )
    if args.json:
        print_json({"replay": as_json(report.old, report.new, report.days, report.changes)})
    else:
        print("\n" + as_text(report.old, report.new, report.days, report.changes, width()), end="")


def _days(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}d", text):
        raise argparse.ArgumentTypeError(f"expected a number of days such as 90d, got {text!r}")
    return int(text[:-1])


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
            attributes, files = settings.attributes, files or [from_here(settings.policy)]
        except DocumentError as error:
            problems += error.problems
    for file in files:
        try:
            policy = load(read_text(file), str(file), attributes)
            insist_on_tests(policy, str(file))
            if bad := _bad_pictures(policy, file):
                raise DocumentError(bad)
            good[str(file)] = policy
        except DocumentError as error:
            problems += error.problems
    return good, problems


def _without_desks(policy: Policy, config: Path) -> list[Problem]:
    """Return what the configuration says of desks that its policy does not have; a bad one has been told of."""
    with suppress(DocumentError):
        return unknown_desks(load_config(config).announcements, policy.desks, str(config))
    return []


def _bad_pictures(policy: Policy, file: Path) -> list[Problem]:
    """Return what is wrong with the pictures that the policy names as files."""
    if not rooms_by_picture(policy):
        return []
    from bridge.membership.room_pictures import picture_problems  # decoding is not needed for most policies

    return picture_problems(policy, file)


def _summary(policy: Policy) -> str:
    sizes = {what: number for what, number in _sizes(policy).items() if number or what != "desks"}
    counted = (f"{number} {what[:-1] if number == 1 else what}" for what, number in sizes.items())
    return f"{', '.join(counted)} passed"


def _sizes(policy: Policy) -> dict[str, int]:
    """Return how much there is of everything; tests last."""
    return {
        "rooms": len(policy.rooms),
        "spaces": len(policy.spaces),
        "desks": len(policy.desks),
        "tests": len(policy.tests),
    }
