"""`muster why PERSON [ROOM] [--at TIME]`: what put a person into a room, or keeps them out, now or at a past moment."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.directory.store import load_person
from bridge.ids import UserId
from bridge.membership.moment import parse_moment
from bridge.membership.past import holder_of, known_of, then_of
from bridge.membership.past_company import Setting
from bridge.membership.reconcile import Reconciler
from bridge.membership.survey import Scope
from bridge.membership.why import explain
from bridge.membership.why_text import as_json, as_text
from bridge.membership.why_then import explain_then

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.directory.person import Person
    from bridge.membership.explanation import Explanation


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "why",
        help="say why somebody is or was in a room, or not",
        description="Names for each room the rule, what it asks, what the directory answers and who said so, the "
        "version of the policy, the entry of the audit log that made it so, and the Matrix event. With --at, all of "
        "that as it was at a past moment.",
    )
    parser.add_argument("person", metavar="PERSON", help="userName, externalId, id, display name or user ID")
    parser.add_argument(
        "room",
        nargs="?",
        metavar="ROOM",
        help="a room's key or name, such as department/Sales; of the past also its ID",
    )
    parser.add_argument(
        "--at", metavar="TIME", help="a past moment, such as 2027-03-01T09:30; a date alone means its end"
    )
    parser.set_defaults(handler=with_services(why))


async def why(args: argparse.Namespace, services: Services) -> int:
    """Print the explanation."""
    now = services.clock()
    moment = parse_moment(args.at, timezone=services.config.directory.timezone, now=now) if args.at else None
    if args.person.startswith("@"):
        person = await load_person(services.pool, await holder_of(services.pool, UserId(args.person), moment or now))
    else:
        person = await load_person(services.pool, args.person)
    if moment is None:
        explanation = await _explain_now(person, args.room, services)
    else:
        explanation = await _explain_then(person, args.room, moment, services)
    if args.json:
        print_json(as_json(explanation))
    else:
        print(as_text(explanation, width()), end="")
    return 0


def setting_of(services: Services) -> Setting:
    """Return what questions about the past need of the configuration."""
    return Setting(
        bot=services.homeserver.bot,
        attributes=services.config.attributes,
        timezone=services.config.directory.timezone,
    )


async def _explain_now(person: Person, room: str | None, services: Services) -> Explanation:
    reconciler = Reconciler(
        services.pool,
        services.homeserver,
        services.accounts,
        clock=services.clock,
        timezone=services.config.directory.timezone,
    )
    found = await reconciler.survey(services.policy(), Scope(people=frozenset({person.id})))
    day = services.local_days()(person)
    known = await known_of(services.pool, found, person, services.clock(), day, setting_of(services))
    return explain(person, known, room)


async def _explain_then(person: Person, room: str | None, moment: datetime, services: Services) -> Explanation:
    then = await then_of(services.pool, person.id, moment, setting_of(services), room)
    return explain_then(then, room)
