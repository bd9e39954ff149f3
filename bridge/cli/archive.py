"""`muster archive`: what was said and how complete that is; `archive_search` finds it, `archive_proof` proves it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive import rendering
from bridge.archive.search import show
from bridge.archive.status import status
from bridge.cli import archive_proof, archive_search
from bridge.cli.command import print_json, width, with_services

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
    one = below.add_parser(
        "show",
        help="show an event, its edits and who deleted it",
        description="Shows an event as it was sent, each edit of it, and who deleted what and when.",
    )
    one.add_argument("event", metavar="EVENT", help="an event ID, quoted for the shell: '$…'")
    one.set_defaults(handler=with_services(show_event))
    archive_proof.add_parsers(below)
    figures = below.add_parser(
        "status", help="show size, root and completeness", description="Shows how large and how complete it is."
    )
    figures.set_defaults(handler=with_services(show_status))


async def show_event(args: argparse.Namespace, services: Services) -> int:
    """Print an event and what became of it."""
    story = await show(services.pool, args.event)
    if args.json:
        print_json(rendering.story_as_json(story))
    else:
        print(rendering.story_as_text(story, width()))
    return 0


async def show_status(args: argparse.Namespace, services: Services) -> int:
    """Print the archive's figures."""
    found = await status(services.pool)
    if args.json:
        print_json(rendering.status_as_json(found))
    else:
        print(rendering.status_as_text(found))
    return 0
