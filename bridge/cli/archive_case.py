"""`muster archive case`: why, about what and by whom direct rooms are looked at."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.archive import case_store, cases
from bridge.archive.access import Access, Looker
from bridge.archive.case import Case
from bridge.archive.case_text import awaiting_approval, case_as_json, case_as_text, cases_as_text
from bridge.cli.actor import actor_for, actor_of, add_actor
from bridge.cli.command import print_json, width, with_services
from bridge.cli.scope import add_scope, people_named, person_of, scope_of
from bridge.directory.notice_store import put_notice
from bridge.directory.person import attributes_of
from bridge.directory.store import load_person
from bridge.membership.store import users_of

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_DESCRIPTION = """\
A case says why a part of the archive is looked at, and who may. Direct rooms of two people are closed to search, show
and prove, but for those that a case opens: one that a second person has approved, for the people it allows in, with
--case NUMBER. Everything done for a case is an entry of the archive's log.
"""


def add_case(below: Subparsers) -> None:
    """Add the verb and what is below it."""
    verb = below.add_parser("case", help="open direct rooms to an investigation", description=_DESCRIPTION)
    verbs = verb.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_open(verbs)
    listing = verbs.add_parser("list", help="list all cases", description="Lists all cases, the newest first.")
    listing.set_defaults(handler=with_services(list_cases))
    _add_numbered(verbs, "show", "show a case", "Shows everything about a case.").set_defaults(
        handler=with_services(show_case)
    )
    more = _add_numbered(
        verbs,
        "allow",
        "let more people into a case",
        "Lets more people into a case. An approval was for fewer, and is gone: have the case approved again.",
    )
    more.add_argument("people", nargs="+", metavar="PERSON", help="userName, externalId, id or display name")
    add_actor(more)
    more.set_defaults(handler=with_services(allow_people))
    second = _add_numbered(
        verbs,
        "approve",
        "let a case open direct rooms, as a second person",
        "Records that somebody whom the policy names under `archive.approvers` (without it, `brake.approvers`) agrees "
        "that exactly this case opens direct rooms: not who opened it, nor anybody it allows in or is about. What "
        "nobody has made use of lapses as other approvals do (`brake.approval`).",
    )
    add_actor(second)
    second.set_defaults(handler=with_services(approve_case))
    end = _add_numbered(verbs, "close", "end a case", "Ends a case: it opens nothing any more. Its holds stay.")
    add_actor(end)
    end.set_defaults(handler=with_services(close_case))


def add_case_option(parser: argparse.ArgumentParser) -> None:
    """Add `--case NUMBER`."""
    parser.add_argument("--case", metavar="NUMBER", help="look for this case, which may open direct rooms")


async def access_of(args: argparse.Namespace, services: Services) -> Access:
    """Return the gate for who runs the command and the case it names; raises what `Access.of` and `actor_of` do."""
    person = await load_person(services.pool, args.actor) if args.actor else None
    return await Access.of(
        services.pool,
        Looker(actor_for(person), person.id if person else None),
        args.case,
        bot=services.homeserver.bot,
        lifetime=_lifetime(services) if args.case else timedelta(),
        clock=services.clock,
    )


def _add_open(verbs: Subparsers) -> None:
    parser = _add_numbered(
        verbs,
        "open",
        "open a case",
        "Opens a case about what these people sent and heard, and what was said in these rooms. It opens direct rooms "
        "once a second person has approved it.",
    )
    parser.add_argument("--purpose", required=True, metavar="TEXT", help="why; whoever approves it reads this")
    add_scope(parser)
    parser.add_argument(
        "--allow", action="extend", nargs="+", default=[], metavar="PERSON", help="who may look; you, without it"
    )
    add_actor(parser)
    parser.set_defaults(handler=with_services(open_case))


def _add_numbered(verbs: Subparsers, name: str, says: str, description: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=says, description=description)
    parser.add_argument("number", metavar="NUMBER", help="the case's, as the company writes it: 2027-014")
    return parser


async def open_case(args: argparse.Namespace, services: Services) -> int:
    """Open a case."""
    opener = await person_of(args, services)
    allowed = await people_named(args.allow, services) or [opener]
    case = Case(
        number=args.number,
        purpose=args.purpose,
        scope=await scope_of(args, services),
        allowed={person.id: person.user_name for person in allowed},
        opened_by=opener.user_name,
        opener=opener.id,
        opened_at=services.clock(),
    )
    await cases.open_case(services.pool, case, await actor_of(args, services))
    await put_notice(services.pool, awaiting_approval(case))
    return _say(args, services, case, f"Opened. A second person: muster archive case approve {case.number} --as PERSON")


async def list_cases(args: argparse.Namespace, services: Services) -> int:
    """Print all cases."""
    now, lifetime = services.clock(), _lifetime(services)
    found = await case_store.read_cases(services.pool)
    if args.json:
        print_json([case_as_json(case, now, lifetime) for case in found])
    else:
        print(cases_as_text(found, now, lifetime, width()) or "There is no case.")
    return 0


async def show_case(args: argparse.Namespace, services: Services) -> int:
    """Print a case."""
    return _say(args, services, await cases.known_case(services.pool, args.number), "")


async def allow_people(args: argparse.Namespace, services: Services) -> int:
    """Let more people in."""
    people = {person.id: person.user_name for person in await people_named(args.people, services)}
    actor = await actor_of(args, services)
    case = await cases.allow(services.pool, args.number, people, actor, services.clock())
    await put_notice(services.pool, awaiting_approval(case))
    return _say(args, services, case, "Let in. Direct rooms stay closed until the case is approved again.")


async def approve_case(args: argparse.Namespace, services: Services) -> int:
    """Record the approval of a second person."""
    person = await person_of(args, services)
    case = await cases.approve(
        services.pool,
        args.number,
        person,
        await users_of(services.pool, [person.id]),
        attributes_of(person, services.local_days()(person)),
        services.policy().approvers_of_cases,
        await actor_of(args, services),
        services.clock(),
    )
    return _say(args, services, case, "Approved.")


async def close_case(args: argparse.Namespace, services: Services) -> int:
    """End a case."""
    case = await cases.close(services.pool, args.number, await actor_of(args, services), services.clock())
    return _say(args, services, case, "Closed.")


def _say(args: argparse.Namespace, services: Services, case: Case, said: str) -> int:
    now, lifetime = services.clock(), _lifetime(services)
    if args.json:
        print_json(case_as_json(case, now, lifetime))
    else:
        print("\n\n".join(part for part in (case_as_text(case, now, lifetime, width()), said) if part))
    return 0


def _lifetime(services: Services) -> timedelta:
    """Return how long an approval holds that nobody has used."""
    return services.policy().brake.approval
