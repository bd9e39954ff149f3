"""`muster drift`: what others change by hand, what rests because of a fight, and `go`, which ends a rest."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from bridge.cli.apply import shown_progress
from bridge.cli.command import print_json, with_services
from bridge.errors import UnknownNameError
from bridge.membership import drift_store, place_store
from bridge.membership.current import Membership
from bridge.membership.fighting import Rest
from bridge.membership.profile_audit import ProfileAudit
from bridge.membership.room_audit import RoomAudit

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb and its verbs."""
    parser = subparsers.add_parser(
        "drift",
        help="what others change by hand, and comparing with the homeserver",
        description="What somebody changes by hand in a managed room is put right at once. Where somebody undoes that "
        "again and again, Muster leaves it alone until an administrator says go.",
    )
    below = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    compare = below.add_parser("scan", help="compare every room and profile with the homeserver now")
    compare.set_defaults(handler=with_services(scan))
    rests = below.add_parser("list", help="show what rests because of a fight")
    rests.set_defaults(handler=with_services(list_rests))
    go = below.add_parser("go", help="have Muster go on with something that rests")
    go.add_argument("number", metavar="NUMBER", type=int, help="of the rest, as `muster drift list` shows it")
    go.set_defaults(handler=with_services(end_rest))


async def scan(args: argparse.Namespace, services: Services) -> int:
    """Compare every room and profile, and print what it came to and how long the rooms took."""
    membership = Membership(services.pool, bot=services.homeserver.bot, clock=services.clock)
    audit = RoomAudit(services.pool, services.homeserver, membership, clock=services.clock)
    with shown_progress("comparing", "rooms") as progress:
        found = await audit.scan(progress)
    profiles = await ProfileAudit(services.pool, services.homeserver, services.policy, clock=services.clock).scan()
    assert found.finished_at is not None
    seconds = (found.finished_at - found.started_at).total_seconds()
    if args.json:
        seen = {"profiles": profiles.profiles, "profiles_repaired": profiles.repaired}
        print_json({**asdict(found), "seconds": seconds, **seen})
    else:
        print(
            f"{found.rooms} rooms with {found.members} memberships compared in {seconds:.1f} s; "
            f"{found.repaired} missed and taken in, {found.failed} rooms not readable."
        )
        if profiles.profiles:
            print(f"{profiles.profiles} profiles compared; {profiles.repaired} were changed and are put right.")
    return 1 if found.failed else 0


async def list_rests(args: argparse.Namespace, services: Services) -> int:
    """Print what rests."""
    rests = await drift_store.read_rests(services.pool)
    if args.json:
        print_json([asdict(rest) for rest in rests])
        return 0
    names = {place.room_id: key for key, place in (await place_store.read_places(services.pool)).items()}
    for rest in rests:
        print(_line(rest, names.get(rest.about.room_id, rest.about.room_id or "profile")))
    if not rests:
        print("Nothing rests.")
    return 0


async def end_rest(args: argparse.Namespace, services: Services) -> int:
    """End a rest; the service then puts right what it has left alone."""
    if not await drift_store.end_rest(services.pool, args.number):
        raise UnknownNameError(f"Nothing rests as {args.number}. `muster drift list` shows what does.")
    if args.json:
        print_json({"ended": args.number})
    else:
        print("Muster goes on with it.")
    return 0


def _line(rest: Rest, room: str) -> str:
    about = f"{rest.about.field} of {rest.about.subject}" if rest.about.subject else rest.about.field
    return f"{rest.id}  {room}: {about}, since {rest.since:%Y-%m-%d %H:%M} because of {rest.sender}"
