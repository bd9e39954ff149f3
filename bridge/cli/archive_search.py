"""`muster archive search`: find what was said, by words and filters."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from bridge.archive.access import Access
from bridge.archive.rendering import wrapped
from bridge.archive.search.document import Kind
from bridge.archive.search.query import Order, Query, Term, filter_of, parse, united
from bridge.archive.search.rendering import found_as_json, found_as_text
from bridge.archive.search.search import search
from bridge.cli.actor import add_actor
from bridge.cli.archive_case import access_of, add_case_option
from bridge.cli.command import counted, print_json, width, with_services

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
    parser.add_argument("--limit", type=counted(1, _MOST), default=20, metavar="N", help="hits at most (default: 20)")
    parser.add_argument("--page", metavar="PAGE", help="go on where the same search ended, which printed this")
    add_case_option(parser)
    add_actor(parser)
    parser.set_defaults(handler=with_services(search_archive))


async def search_archive(args: argparse.Namespace, services: Services) -> int:
    """Print the events that match."""
    access = await access_of(args, services)
    found = await search(
        services.pool,
        await _within(_query(args), access),
        server_name=services.config.homeserver.server_name,
        order=args.order,
        page=args.page,
        limit=args.limit,
        languages=services.config.archive.languages,
    )
    passing = await access.passing(services.pool, [hit.seq for hit in found.hits])
    found = replace(found, hits=tuple(hit for hit in found.hits if hit.seq in passing))
    await access.record("search", _details(args, len(found.hits)))
    if args.json:
        print_json(found_as_json(found))
    else:
        print(found_as_text(found, width()))
        if access.case and access.closed_because:
            print("\n" + "\n".join(wrapped(access.closed_because, width(), "")))
    return 0


def _query(args: argparse.Namespace) -> Query:
    """Return what the words and the options ask for together."""
    asked = [filter_of(name, value) for name in _filters() for value in getattr(args, name)]
    phrases = Query(tuple(Term(text, exact=True) for text in args.phrase))
    return reduce(united, asked, united(parse(" ".join(args.words)), phrases))


async def _within(query: Query, access: Access) -> Query:
    """Return the query within the dates of its case, and with the rooms that it opens."""
    if access.case is None:
        return query
    scope = access.case.scope
    starts = [at for at in (query.after, _milliseconds(scope.since)) if at is not None]
    ends = [at for at in (query.before, _milliseconds(scope.until)) if at is not None]
    return replace(
        query,
        after=max(starts, default=None),
        before=min(ends, default=None),
        scope=replace(query.scope, opened=await access.opened()),
    )


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def _details(args: argparse.Namespace, hits: int) -> dict[str, Any]:
    """Return what was asked, for the archive's log."""
    filters = {name: value for name in _filters() if (value := getattr(args, name))}
    phrases = {"phrases": args.phrase} if args.phrase else {}
    page = {"page": args.page} if args.page else {}
    return {"words": " ".join(args.words), **phrases, "filters": filters, **page, "hits": hits}


def _filters() -> dict[str, None]:
    return dict.fromkeys(name for name, _, _ in [*_OPTIONS.values(), *_FLAGS.values()])
