"""`muster directory events` and `refused`: what became of HR's webhooks, and what sources send in vain."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, with_services
from bridge.directory.hook_outcome import REVIVABLE, Outcome
from bridge.directory.hook_store import find_event, read_events, retry_events
from bridge.directory.refusal import is_sensitive
from bridge.directory.refused_store import load_refused
from bridge.errors import RefusedError, UnknownNameError

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_events(below: Subparsers) -> None:
    """Add `events`."""
    parser = below.add_parser(
        "events",
        help="list what became of HR's webhooks, and try events again",
        description="Lists the events of HR's webhooks of the last seven days, newest first: about whom, when it was "
        "so, what became of it and why. Never what it says about the person.",
    )
    outcome = parser.add_mutually_exclusive_group()
    for each in (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.WITHOUT_VALUES):
        option = f"--{each.replace('_', '-')}"
        outcome.add_argument(option, dest="outcome", action="store_const", const=each, help=f"only those {_said(each)}")
    parser.add_argument("--source", metavar="NAME", help="only those of this source, as `directory.webhooks` names it")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (default: 100)")
    parser.set_defaults(handler=with_services(list_events))
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    retry = verbs.add_parser(
        "retry",
        help="act again on what was refused, held or unknown",
        description="Acts again on one event, or on all of a source, that was refused, held or about somebody unknown. "
        "Older news never overwrites newer. What did not even read has no values that could be tried.",
    )
    which = retry.add_mutually_exclusive_group(required=True)
    which.add_argument("seq", metavar="SEQ", type=int, nargs="?", help="the number of the event in the list")
    which.add_argument("--source", dest="of", metavar="NAME", help="all of this source")
    retry.set_defaults(handler=with_services(retry_those))


def add_refused(below: Subparsers) -> None:
    """Add `refused`."""
    parser = below.add_parser(
        "refused",
        help="list the attributes that sources send and nobody keeps",
        description="Lists the attributes that came over SCIM, webhooks and files and were dropped before anything was "
        "stored or logged: by name and number, never by value. A ! marks what no chat has to know; tell the sender to "
        "stop sending it.",
    )
    parser.set_defaults(handler=with_services(list_refused))


async def list_events(args: argparse.Namespace, services: Services) -> int:
    """Print the events."""
    events = await read_events(services.pool, outcome=args.outcome, source=args.source, limit=args.limit)
    if args.json:
        print_json([asdict(event) for event in events])
        return 0
    for event in events:
        reason = f": {event.reason}" if event.reason else ""
        print(
            f"{event.seq:>6}  {event.occurred_at:%Y-%m-%d %H:%M}  {event.source}  {event.subject or '(nobody)'}  "
            f"{event.outcome or 'waiting'}{reason}"
        )
    if not events:
        print("There are none.")
    return 0


async def list_refused(args: argparse.Namespace, services: Services) -> int:
    """Print what was counted."""
    found = await load_refused(services.pool)
    if args.json:
        print_json([asdict(each) | {"sensitive": is_sensitive(each.name)} for each in found])
        return 0
    for each in found:
        mark = "!" if is_sensitive(each.name) else " "
        print(f"{mark} {each.times:>9}  {each.last_at:%Y-%m-%d}  {each.source}  {each.name}")
    if not found:
        print("Nothing was refused.")
    return 0


async def retry_those(args: argparse.Namespace, services: Services) -> int:
    """Let events wait again."""
    retried = await retry_events(services.pool, seq=args.seq, source=args.of)
    if args.seq is not None and not retried:
        await _explain(args.seq, services)
    if args.json:
        print_json({"retried": retried})
    else:
        print(f"Tried again: {retried}. `muster directory events` tells what comes of it while Muster runs.")
    return 0


async def _explain(seq: int, services: Services) -> None:
    """Raise why that event cannot be tried again."""
    event = await find_event(services.pool, seq)
    if event is None:
        raise UnknownNameError(
            f"There is no event {seq}. `muster directory events` lists those of the last seven days."
        )
    if event.outcome in REVIVABLE:
        raise RefusedError(f"Event {seq} did not read, so nothing of it is kept. Let {event.source} send it again.")
    raise RefusedError(f"Event {seq} is {event.outcome or 'waiting'}; expected one refused, held or unknown.")


def _said(outcome: Outcome) -> str:
    return {
        Outcome.REFUSED: "that were refused",
        Outcome.UNKNOWN: "about somebody nobody knows yet",
        Outcome.WITHOUT_VALUES: "that do not say what has changed",
    }[outcome]
