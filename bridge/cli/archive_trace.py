"""`muster archive trace`: where a file went, and who could see it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive.entry import Entry
from bridge.archive.log import record
from bridge.archive.trace import target_of, trace
from bridge.archive.trace_text import trace_as_json, trace_as_text
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.command import print_json, width, with_services
from bridge.membership.called import called

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_trace(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "trace",
        help="show where a file went and who could see it",
        description="Shows every event that refers to a file, in which room, by whom, and who could see it, then and "
        "since. The file may have been uploaded any number of times under any name: it is known by its bytes.",
    )
    parser.add_argument(
        "what",
        metavar="FILE|HASH|LINK",
        help="a file on this machine, which is only hashed; its SHA-256 in hexadecimal; or an mxc:// link",
    )
    parser.add_argument("--all", action="store_true", dest="everybody", help="show every event and name everybody")
    add_actor(parser)
    parser.set_defaults(handler=with_services(trace_file))


async def trace_file(args: argparse.Namespace, services: Services) -> int:
    """Print where a file went."""
    actor = await actor_of(args, services)
    target = await target_of(args.what)
    found = await trace(services.pool, target)
    names = await called(services.pool, found.people, services.clock(), services.config.directory.timezone)
    details = {"file": str(target), "events": len(found.sightings)}
    await record(services.pool, Entry("trace", actor, details), services.clock())
    if args.json:
        print_json(trace_as_json(found, names))
    else:
        print(trace_as_text(found, names, width(), everybody=args.everybody))
    return 0
