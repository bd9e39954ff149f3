"""`muster why PERSON [ROOM]`: what put a person into a room, or keeps them out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.directory.store import load_person
from bridge.membership import audit_store
from bridge.membership.reconcile import Reconciler
from bridge.membership.survey import Scope
from bridge.membership.why import Known, as_json, as_text, explain

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "why",
        help="say why somebody is in a room, or not",
        description="Names for each room the rule, what it asks, what the directory answers, and the entry of the "
        "audit log that made it so.",
    )
    parser.add_argument("person", metavar="PERSON", help="userName, externalId, id or display name")
    parser.add_argument("room", nargs="?", metavar="ROOM", help="a room's key or name, such as department/Sales")
    parser.set_defaults(handler=with_services(why))


async def why(args: argparse.Namespace, services: Services) -> int:
    """Print the explanation."""
    person = await load_person(services.pool, args.person)
    reconciler = Reconciler(
        services.pool,
        services.homeserver,
        services.accounts,
        clock=services.clock,
        timezone=services.config.directory.timezone,
    )
    found = await reconciler.survey(services.policy(), Scope(people=frozenset({person.id})))
    known = Known(
        policy=found.policy,
        desired=found.desired,
        current=found.current,
        arrivals=await audit_store.read_last_arrivals(services.pool, person.id),
        day=services.local_days()(person),
    )
    explanation = explain(person, known, args.room)
    if args.json:
        print_json(as_json(explanation))
    else:
        print(as_text(explanation, width()), end="")
    return 0
