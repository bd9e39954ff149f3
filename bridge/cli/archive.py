"""`muster archive`: search and show what was said, see how complete it is; proving it is in `archive_proof`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive import rendering
from bridge.archive.entry import Entry
from bridge.archive.log import record
from bridge.archive.search import search
from bridge.archive.status import status
from bridge.cli import archive_proof
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.archive_encrypted import add_encrypted
from bridge.cli.archive_log import add_log
from bridge.cli.archive_show import add_show
from bridge.cli.command import print_json, width, with_services

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_MOST = 10_000


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb and what is below it."""
    verb = subparsers.add_parser(
        "archive",
        help="search, show, verify and prove what was said",
        description="The record of everything said in every room, edited and deleted messages too.",
    )
    below = verb.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_search(below)
    add_show(below)
    archive_proof.add_parsers(below)
    add_log(below)
    add_encrypted(below)
    figures = below.add_parser(
        "status", help="show size, root and completeness", description="Shows how large and how complete it is."
    )
    figures.set_defaults(handler=with_services(show_status))


def _add_search(below: Subparsers) -> None:
    parser = below.add_parser(
        "search",
        help="find messages by their words",
        description="Finds messages that hold every word, in any script, newest first; edited and deleted ones too.",
    )
    parser.add_argument("words", nargs="+", metavar="WORD", help="a word; inflections match")
    parser.add_argument("--room", metavar="ROOM", help="only in the room with this ID")
    parser.add_argument("--sender", metavar="USER", help="only by this user ID")
    parser.add_argument("--limit", type=_count, default=20, metavar="N", help="messages at most (default: 20)")
    add_actor(parser)
    parser.set_defaults(handler=with_services(search_archive))


async def search_archive(args: argparse.Namespace, services: Services) -> int:
    """Print the messages that hold all the words."""
    actor = await actor_of(args, services)
    words = " ".join(args.words)
    hits = await search(services.pool, words, room=args.room, sender=args.sender, limit=args.limit)
    details = {"words": words, "room": args.room, "sender": args.sender, "hits": len(hits)}
    await record(services.pool, Entry("search", actor, details), services.clock())
    if args.json:
        print_json(rendering.hits_as_json(hits))
    else:
        print(rendering.hits_as_text(hits, width()) or "Nothing was found.")
    return 0


async def show_status(args: argparse.Namespace, services: Services) -> int:
    """Print the archive's figures."""
    found = await status(services.pool)
    if args.json:
        print_json(rendering.status_as_json(found))
    else:
        print(rendering.status_as_text(found))
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {_MOST}, got {text!r}")
    return int(text)
