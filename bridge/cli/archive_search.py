"""`muster archive search`: find what was said, by words and filters."""

from __future__ import annotations

import argparse
from functools import reduce
from typing import TYPE_CHECKING, Any

from bridge.archive.entry import Entry
from bridge.archive.log import record
from bridge.archive.search import search
from bridge.archive.search_document import Kind
from bridge.archive.search_query import Order, Query, Term, filter_of, parse, united
from bridge.archive.search_rendering import found_as_json, found_as_text
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.command import print_json, width, with_services

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_MOST = 10_000
_DESCRIPTION = """\
Finds messages that hold every word, in any language and inflection, also as parts of longer words; file names, polls,
names and topics of rooms too; edited and deleted ones with every text they had. Words in quotation marks stand side by
side as they are: '"annual report"'. Filters may stand among the words: room: from: department: after: before: kind:
has:file is:deleted is:edited. Direct rooms of two people are closed.
"""
# Option → filter, what stands in its place, its help.
_OPTIONS = {
    "--room": ("room", "ROOM", "only in this room: its ID, or its name"),
    "--sender": ("from", "USER", "only by this user ID; its first part will do"),
    "--department": ("department", "NAME", "only by people who were in this department then"),
    "--after": ("after", "TIME", "only from this day or moment on, in UTC: 2027-01-31, 2027-01-31T09:00"),
    "--before": ("before", "TIME", "only before this day or moment"),
    "--kind": ("kind", "KIND", f"only {', '.join(Kind)}"),
}
_FLAGS = {
    "--has-file": ("has", "file", "only with a file"),
    "--deleted": ("is", "deleted", "only what was deleted"),
    "--edited": ("is", "edited", "only what was edited, and the edits"),
}


def add_parser(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "search", help="find messages by words, people, rooms and dates", description=_DESCRIPTION
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help='a word, a "phrase" or a filter such as from:m.tamm')
    parser.add_argument(
        "--phrase", action="append", default=[], metavar="TEXT", help="words side by side, as they stand"
    )
    for option, (name, metavar, says) in _OPTIONS.items():
        parser.add_argument(option, dest=name, action="append", default=[], metavar=metavar, help=says)
    for option, (name, value, says) in _FLAGS.items():
        parser.add_argument(option, dest=name, action="append_const", const=value, help=says, default=[])
    parser.add_argument(
        "--order", type=Order, choices=[*Order], default=Order.TIME, help="newest (default) or best first"
    )
    parser.add_argument("--limit", type=_count, default=20, metavar="N", help="hits at most (default: 20)")
    parser.add_argument("--page", metavar="PAGE", help="go on where the same search ended, which printed this")
    add_actor(parser)
    parser.set_defaults(handler=with_services(search_archive))


async def search_archive(args: argparse.Namespace, services: Services) -> int:
    """Print the events that match."""
    actor = await actor_of(args, services)
    found = await search(
        services.pool,
        _query(args),
        server_name=services.config.homeserver.server_name,
        order=args.order,
        page=args.page,
        limit=args.limit,
        languages=services.config.archive.languages,
    )
    await record(services.pool, Entry("search", actor, _details(args, len(found.hits))), services.clock())
    if args.json:
        print_json(found_as_json(found))
    else:
        print(found_as_text(found, width()))
    return 0


def _query(args: argparse.Namespace) -> Query:
    """Return what the words and the options ask for together."""
    asked = [filter_of(name, value) for name in _filters() for value in getattr(args, name)]
    phrases = Query(tuple(Term(text, exact=True) for text in args.phrase))
    return reduce(united, asked, united(parse(" ".join(args.words)), phrases))


def _details(args: argparse.Namespace, hits: int) -> dict[str, Any]:
    """Return what was asked, for the archive's log."""
    filters = {name: value for name in _filters() if (value := getattr(args, name))}
    phrases = {"phrases": args.phrase} if args.phrase else {}
    page = {"page": args.page} if args.page else {}
    return {"words": " ".join(args.words), **phrases, "filters": filters, **page, "hits": hits}


def _filters() -> dict[str, None]:
    return dict.fromkeys(name for name, _, _ in [*_OPTIONS.values(), *_FLAGS.values()])


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {_MOST}, got {text!r}")
    return int(text)
