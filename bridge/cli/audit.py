"""`muster audit`: what Muster did and why, the newest last."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from bridge.cli.command import counted, print_json, width, with_services
from bridge.directory.store import load_person
from bridge.membership.audit import Entry, told_cause
from bridge.membership.audit_store import read_entries

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_MOST = 1_000_000


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "audit",
        help="show what Muster did and why",
        description="Shows the entries of the audit log, the newest last: what was done to whom in which room, by "
        "which rule, from which version of directory and policy, and how it ended.",
    )
    parser.add_argument("--person", metavar="PERSON", help="only about this person, or this user ID")
    parser.add_argument("--room", metavar="ROOM", help="only about this room: its key, or its room ID")
    parser.add_argument(
        "--limit", type=counted(0, _MOST), default=50, metavar="N", help="entries at most (default: 50)"
    )
    parser.set_defaults(handler=with_services(audit))


async def audit(args: argparse.Namespace, services: Services) -> int:
    """Print the newest entries."""
    person = user_id = None
    if args.person is not None and args.person.startswith("@"):
        user_id = args.person
    elif args.person is not None:
        person = (await load_person(services.pool, args.person)).id
    entries = await read_entries(services.pool, person=person, user_id=user_id, room=args.room, limit=args.limit)
    if args.json:
        print_json([asdict(entry) for entry in reversed(entries)])
    elif not entries:
        print("No entries.")
    else:
        columns = width()
        for entry in reversed(entries):
            for line in _lines(entry, columns):
                print(line)
    return 0


def _lines(entry: Entry, columns: int) -> Iterator[str]:
    place = f" in {entry.room_key}" if entry.room_key and entry.user_id else f" {entry.room_key}"
    value = f" ({entry.value})" if entry.value else ""
    subject = f"{entry.action.value} {entry.user_id}{place}".replace("  ", " ").rstrip()
    ended = f"; {entry.sessions_ended} sessions ended" if entry.sessions_ended is not None else ""
    yield from _wrapped(f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.outcome}: {subject}{value}{ended}", columns)
    yield from _wrapped(f"    {entry.rule}: {entry.error or entry.reason}", columns)
    cause = told_cause(entry.cause, entry.set_off_by, entry.approver)
    yield from _wrapped(
        f"    entry {entry.id}, run {entry.run_id} ({cause}), directory {entry.directory_version},"
        f" policy {entry.policy_digest[:12]}",
        columns,
    )


def _wrapped(text: str, columns: int) -> list[str]:
    """Return the text in lines; what would move a terminal's cursor is shown as a replacement character."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return textwrap.wrap(shown, columns, subsequent_indent="      ", break_on_hyphens=False)
