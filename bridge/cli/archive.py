"""`muster archive`: what was said and how complete that is; `archive_search` finds it, `archive_proof` proves it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive import rendering
from bridge.archive.status import status
from bridge.cli import archive_export, archive_proof, archive_search
from bridge.cli.archive_log import add_log
from bridge.cli.archive_show import add_show
from bridge.cli.command import print_json, with_services

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb and what is below it."""
    verb = subparsers.add_parser(
        "archive",
        help="search, show, verify and prove what was said",
        description="The record of everything said in every room, edited and deleted messages too.",
    )
    below = verb.add_subparsers(title="verbs", metavar="VERB", required=True)
    archive_search.add_parser(below)
    add_show(below)
    archive_proof.add_parsers(below)
    archive_export.add_parsers(below)
    add_log(below)
    figures = below.add_parser(
        "status", help="show size, root and completeness", description="Shows how large and how complete it is."
    )
    figures.set_defaults(handler=with_services(show_status))


async def show_status(args: argparse.Namespace, services: Services) -> int:
    """Print the archive's figures."""
    found = await status(services.pool)
    if args.json:
        print_json(rendering.status_as_json(found))
    else:
        print(rendering.status_as_text(found))
    return 0
