"""`muster emergency`: a roll call, from the command line."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bridge.announcements import emergency, emergency_store
from bridge.announcements.emergency import Author
from bridge.announcements.emergency_command import Start, storable
from bridge.announcements.roll_call import Present, RollCall, count
from bridge.announcements.roll_call_report import as_json
from bridge.announcements.roll_call_text import ended_answer, started_line
from bridge.announcements.roll_calls import board_of, load_report, report_text
from bridge.announcements.tracking import read_id
from bridge.archive.rendering import wrapped
from bridge.channels import store as channel_store
from bridge.cli.command import print_json, system_user, width, with_services
from bridge.directory.selector import parse
from bridge.errors import RefusedError, UnknownNameError

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.database import Connection
    from bridge.policy.schema import Desk, Policy


_INDENT = "    "


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "emergency",
        help="start a roll call, follow it, end it",
        description="Asks everybody at once whether they are safe, in their rooms and by second channels. The running "
        "service delivers it and follows it up; without one it waits until `muster run`.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    start = verbs.add_parser("start", help="start a roll call; it goes out at once")
    start.add_argument("text", nargs="+", metavar="TEXT", help="what has happened and what to do")
    start.add_argument("--drill", action="store_true", help="an exercise: every text says so")
    start.add_argument("--site", metavar="SITE", help="only people who work there")
    start.add_argument("--people", metavar="SELECTOR", help="only these people, such as 'department eq \"Sales\"'")
    start.add_argument("--desk", metavar="DESK", help="in whose rooms; may be left out when the policy has one desk")
    start.set_defaults(handler=with_services(start_call))
    for name, handler, told in (
        ("board", show_board, "show who is safe, who needs help and who is silent"),
        ("end", end_call, "end a roll call and tell everybody"),
        ("report", show_report, "show how fast people were reached and answered"),
    ):
        verb = verbs.add_parser(name, help=told)
        verb.add_argument("id", nargs="?", metavar="ID", help="a roll call; without it the one that goes on")
        verb.set_defaults(handler=with_services(handler))


async def start_call(args: argparse.Namespace, services: Services) -> int:
    """Start a roll call and say where it goes."""
    policy = services.policy()
    text = storable(" ".join(args.text)).strip()
    if not text:
        raise RefusedError("Nothing was started: what has happened is missing.")
    async with services.pool.acquire() as db, db.transaction():
        started = await emergency.start(
            db,
            policy,
            _desk(policy, args.desk),
            Start(text, args.site, args.drill),
            Author(services.homeserver.bot, system_user() or policy.company),
            bot=services.homeserver.bot,
            seed=secrets.token_bytes(16),
            at=services.clock(),
            timezone=services.config.directory.timezone,
            people=parse(args.people) if args.people else None,
        )
    assert started is not None, "no event has started it"
    if args.json:
        print_json(asdict(started))
    else:
        print(started_line(started.id, started.people, started.rooms, site=started.site, drill=started.drill))
        print(f"Follow it with: muster emergency board {started.id}")
        print(f"End it with:    muster emergency end {started.id}")
    return 0


async def show_board(args: argparse.Namespace, services: Services) -> int:
    """Show the board of a roll call."""
    async with services.pool.acquire() as db:
        call = await _find(db, args.id)
        people = await emergency_store.load_people(db, call.id)
        line = await emergency_store.load_line(db, call.id)
        tallies = await channel_store.count(db, call.id)
    if args.json:
        print_json(_board_as_json(call, people))
    else:
        print(filled(board_of(call, people, line, tallies, services.policy(), services.config.directory.timezone)))
    return 0


async def end_call(args: argparse.Namespace, services: Services) -> int:
    """End a roll call."""
    async with services.pool.acquire() as db, db.transaction():
        call = await _find(db, args.id)
        await emergency.end(db, call.id, desk=None, by=system_user() or "", at=services.clock())
    if args.json:
        print_json({"id": call.id})
    else:
        print(ended_answer(call))
    return 0


async def show_report(args: argparse.Namespace, services: Services) -> int:
    """Show how fast a roll call was."""
    async with services.pool.acquire() as db:
        call = await _find(db, args.id)
        people = await emergency_store.load_people(db, call.id)
        if args.json:
            print_json(as_json(call, await load_report(db, call, people), people))
        else:
            print(filled(await report_text(db, call, people, services.config.directory.timezone)))
    return 0


def _desk(policy: Policy, named: str | None) -> Desk:
    known = ", ".join(sorted(policy.desks)) or "none"
    if named is None and len(policy.desks) != 1:
        raise UnknownNameError(f"Nothing was started: say in whose rooms with --desk (there are: {known}).")
    desk = policy.desks.get(named or next(iter(policy.desks)))
    if desk is None:
        raise UnknownNameError(f"Nothing was started: the policy has no desk {named!r} (there are: {known}).")
    return desk


async def _find(db: Connection, typed: str | None) -> RollCall:
    announcement = read_id(typed) if typed is not None else None
    if typed is not None and announcement is None:
        raise UnknownNameError(f"There is no roll call {typed!r}; `muster emergency board` shows the newest.")
    return await emergency.find(db, announcement)


def filled(text: str) -> str:
    """Return the text with its long lines broken at the terminal's width, and what follows indented."""
    paragraphs = (wrapped(line, width() - len(_INDENT), "") if line else [""] for line in text.split("\n"))
    return "\n".join(f"\n{_INDENT}".join(lines) for lines in paragraphs)


def _board_as_json(call: RollCall, people: list[Present]) -> dict[str, Any]:
    counted = count(people)
    return {
        "id": call.id,
        "drill": call.drill,
        "site": call.site,
        "started_at": call.started_at.isoformat(),
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "safe": counted.safe,
        "help": counted.help,
        "silent": counted.silent,
        "people": [
            {
                "user_id": person.user_id,
                "name": person.name,
                "site": person.site,
                "department": person.department,
                "answer": person.answer,
                "answered_at": person.answered_at.isoformat() if person.answered_at else None,
                "delivered_at": person.delivered_at.isoformat() if person.delivered_at else None,
            }
            for person in people
        ],
    }
