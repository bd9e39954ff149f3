"""`muster handover PERSON --to PERSON`: who takes over somebody's rooms when that person leaves."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, with_services
from bridge.directory.person import works_here
from bridge.directory.store import load_person
from bridge.errors import RefusedError
from bridge.membership.lifecycle_store import forget_successor, name_successor

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "handover",
        help="name who takes over somebody's rooms",
        description="When PERSON leaves, rooms that people made themselves and that PERSON is the last administrator "
        "of go to this successor, who is brought in when not inside. Without one they go to those whom the policy "
        "names (`accounts.successors`), else to the manager, if inside, else to whoever there has the most power.",
    )
    parser.add_argument("person", metavar="PERSON", help="userName, externalId, id or display name")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--to", metavar="PERSON", help="the successor")
    which.add_argument("--forget", action="store_true", help="forget the successor named before")
    parser.set_defaults(handler=with_services(handover))


async def handover(args: argparse.Namespace, services: Services) -> int:
    """Name or forget a successor."""
    person = await load_person(services.pool, args.person)
    if args.forget:
        there = await forget_successor(services.pool, person.id)
        said = "Nobody takes over any more" if there else "Nobody was named to take over"
        _print(args, {"person": person.user_name, "successor": None}, f"{said}: {person.display_name}.")
        return 0
    successor = await load_person(services.pool, args.to)
    if successor.id == person.id:
        raise RefusedError(f"Expected somebody else than {person.display_name} as the successor.")
    if not works_here(successor, services.local_days()(successor)):
        raise RefusedError(f"Expected somebody who works here as the successor, came {successor.display_name}.")
    await name_successor(services.pool, person.id, successor.id, services.clock())
    _print(
        args,
        {"person": person.user_name, "successor": successor.user_name},
        f"{successor.display_name} takes over the rooms of {person.display_name} when {person.display_name} leaves.",
    )
    return 0


def _print(args: argparse.Namespace, value: dict[str, object], text: str) -> None:
    if args.json:
        print_json(value)
    else:
        print(text)
