"""`muster directory review` and `relink`: what about people's identities a person ought to look at, and decide."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, with_services
from bridge.directory.history_store import load_links
from bridge.directory.identity import manager_cycles, suspected_rehires
from bridge.directory.reuse_store import decide_reuse, load_suspicions
from bridge.directory.status_store import load_unknown
from bridge.directory.store import load_people, load_person
from bridge.membership.relink import relink

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_review(below: Subparsers) -> None:
    """Add `review`."""
    parser = below.add_parser(
        "review",
        help="list what about people needs a look",
        description="Lists who seems to have come back under a new id, whose employmentStatus the configuration does "
        "not explain, managers who manage themselves in a circle, and who was sent under the externalId of somebody "
        "else who has left, which is held until it is decided here. Nothing of it changes anything by itself.",
    )
    decision = parser.add_mutually_exclusive_group()
    decision.add_argument("--same", metavar="USERNAME", help="who is held is the person who has left, come back")
    decision.add_argument("--other", metavar="USERNAME", help="who is held is somebody else and gets the externalId")
    parser.set_defaults(handler=with_services(review))


def add_relink(below: Subparsers) -> None:
    """Add `relink`."""
    parser = below.add_parser(
        "relink",
        help="give somebody who has come back under a new id the account of before",
        description="The record NEW goes on with the account of OLD, who must have left: the user ID, its rooms and "
        "its messages. An account that NEW has already goes to OLD, and is shut out with it.",
    )
    parser.add_argument("old", metavar="OLD", help="who has left: userName, externalId, id or display name")
    parser.add_argument("new", metavar="NEW", help="who has come back")
    parser.set_defaults(handler=with_services(relink_people))


async def review(args: argparse.Namespace, services: Services) -> int:
    """Print what needs a look, or settle what is held of one."""
    if args.same is not None or args.other is not None:
        return await _settle(args, services)
    people = await load_people(services.pool)
    rehires = suspected_rehires(people, services.local_days(), await load_links(services.pool))
    cycles = [[person.user_name for person in circle] for circle in manager_cycles(people)]
    unknown = await load_unknown(services.pool)
    held = await load_suspicions(services.pool)
    if args.json:
        print_json(
            {
                "rehires": [
                    {"old": each.old.id, "new": each.new.id, "userName": each.new.user_name, "same": each.because}
                    for each in rehires
                ],
                "statuses": [
                    {"person": each.person, "userName": each.user_name, "status": each.word} for each in unknown
                ],
                "managers": cycles,
                "held": [
                    {"person": each.person, "externalId": each.external_id, "userName": each.user_name} for each in held
                ],
            }
        )
        return 0
    for each in rehires:
        print(f"{each.new.user_name}: has come back? Same {each.because} as {each.old.user_name}, who has left.")
        print(f"  If so: muster directory relink {each.old.id} {each.new.id}")
    names = {person.id: person.user_name for person in people}
    for one in held:
        print(
            f"{one.user_name}: was sent under the externalId of {names[one.person]}, who has left. Held until you say:"
        )
        print(f"  muster directory review --same {one.user_name}, or --other {one.user_name}")
    for status in unknown:
        print(f"{status.user_name}: employmentStatus {status.word!r} is not in directory.statuses; it changes nothing.")
    for circle in cycles:
        print(f"{circle[0]}: is their own manager, by way of {', '.join([*circle[1:], circle[0]])}.")
    if not (rehires or held or unknown or cycles):
        print("Nothing needs a look.")
    return 0


async def _settle(args: argparse.Namespace, services: Services) -> int:
    name = args.same if args.same is not None else args.other
    former = await decide_reuse(services.pool, name, same=args.same is not None)
    if args.json:
        print_json({"userName": name, "same": args.same is not None, "former": list(former)})
    elif args.same is not None:
        print(f"{name} is the person of before. HR's next push or file of {name} is let in.")
    else:
        print(f"{name} is somebody else. HR's next push or file of {name} makes a new person.")
    return 0


async def relink_people(args: argparse.Namespace, services: Services) -> int:
    """Let the accounts change places."""
    old, new = await load_person(services.pool, args.old), await load_person(services.pool, args.new)
    await relink(services.pool, old, new, clock=services.clock, timezone=services.config.directory.timezone)
    if args.json:
        print_json({"old": old.id, "new": new.id})
    else:
        print(f"{new.user_name} goes on with the account of {old.user_name}.")
    return 0
