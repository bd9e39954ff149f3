"""`muster hours report`: what is said and received out of people's hours, by department and never by person."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, with_services
from bridge.errors import InputError, RefusedError
from bridge.membership.moment import parse_beginning, parse_moment

if TYPE_CHECKING:
    from bridge.announcements.workload import Row
    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.policy.working_time import WorkingTime

_USUAL = timedelta(weeks=4)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb and its verb."""
    parser = subparsers.add_parser(
        "hours",
        help="what is said out of people's hours",
        description="When people work is said in the policy, under `hours`.",
    )
    below = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    reporting = below.add_parser(
        "report",
        help="count what is sent and received out of hours",
        description="Counts messages by week and department: how many were sent out of their senders' hours, and how "
        "many were received out of their receivers'. Departments of fewer than five people are counted together. "
        "Nobody's messages are read, and no figure is one person's.",
    )
    reporting.add_argument("--since", metavar="TIME", help="from then on: 2027-02-11 (default: four weeks ago)")
    reporting.add_argument("--until", metavar="TIME", help="until then; a date means its end (default: now)")
    reporting.add_argument("--csv", action="store_true", help="print CSV, for a spreadsheet")
    reporting.set_defaults(handler=with_services(show_report))


async def show_report(args: argparse.Namespace, services: Services) -> int:
    """Print the figures."""
    from bridge.announcements.workload_text import as_csv, as_json, as_text

    policy = services.policy().hours
    if policy is None:
        raise RefusedError("The policy does not say when people work; say so under `hours:` and ask again.")
    since, until = _period(args, services)
    rows = await _count(services, policy, since, until)
    if args.json:
        print_json(as_json(rows))
    elif args.csv:
        print(as_csv(rows), end="")
    else:
        print(as_text(rows) if rows else "Nobody said anything then that may be told: fewer than five people, or none.")
    return 0


def _period(args: argparse.Namespace, services: Services) -> tuple[datetime, datetime]:
    timezone, now = services.config.directory.timezone, services.clock()
    since = parse_beginning(args.since, timezone=timezone) if args.since else now - _USUAL
    until = parse_moment(args.until, timezone=timezone, now=now) if args.until else now
    if since >= until:
        raise InputError(
            f"Expected --since before --until, came {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC."
        )
    return since, until


async def _count(services: Services, policy: WorkingTime, since: datetime, until: datetime) -> list[Row]:
    from bridge.announcements import hours_store
    from bridge.announcements.workload import Tally, report
    from bridge.archive.store import database_errors
    from bridge.directory.local_day import zone_of

    timezone = services.config.directory.timezone
    with database_errors():
        async with services.pool.acquire() as db, db.transaction(isolation="repeatable_read", readonly=True):
            workers = await hours_store.load_workers(db, policy, timezone, services.clock())
            tally = Tally(workers, await hours_store.load_members(db), zone_of(None, timezone))
            async for traffic in hours_store.read_traffic(db, services.homeserver.bot, since, until):
                tally.add(traffic)
    return report(tally)
