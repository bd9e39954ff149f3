"""`muster guests`: people whom HR does not know, and who answers for them."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from bridge.cli.command import print_json, width, with_services
from bridge.directory.census import Census
from bridge.directory.store import load_people, load_person
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.ids import RoomKey, UserId, server_of
from bridge.membership import guest_store, place_store, store
from bridge.membership.guests import Guest, guesthood, is_outside
from bridge.membership.member_store import note_drift

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.directory.person import Person
    from bridge.policy.schema import Guests

_LONGEST_ID = 255


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb and its verbs."""
    parser = subparsers.add_parser(
        "guests",
        help="people whom HR does not know, and who answers for them",
        description="A guest is in rooms of its sponsor's until a last day, as `guests` in the policy allows. The "
        "service acts on it at once; without it, `muster plan` shows what is to be done.",
    )
    below = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    adding = below.add_parser("add", help="make somebody a guest, or change what they are a guest of")
    adding.add_argument("user", metavar="USER", help="the guest's user ID, such as @kim:partner.example")
    adding.add_argument("--sponsor", metavar="PERSON", required=True, help="who answers for the guest")
    adding.add_argument("--reason", metavar="TEXT", required=True, help="why; the audit log tells it")
    adding.add_argument(
        "--room",
        metavar="ROOM",
        action="append",
        default=[],
        help="a room's key, such as department/Sales; may be repeated (default: every room of the sponsor's that is "
        "not exclusive)",
    )
    adding.set_defaults(handler=with_services(add_guest))
    renewing = below.add_parser("renew", help="say again that a guest is wanted")
    renewing.add_argument("user", metavar="USER", help="the guest's user ID")
    renewing.set_defaults(handler=with_services(renew_guest))
    for each in (adding, renewing):
        each.add_argument("--until", metavar="DATE", help="the last day (default: as long as the policy allows)")
    removing = below.add_parser("remove", help="have a guest leave every room")
    removing.add_argument("user", metavar="USER", help="the guest's user ID")
    removing.set_defaults(handler=with_services(remove_guest))
    listing = below.add_parser("list", help="show the guests, who answers for them, and until when")
    listing.set_defaults(handler=with_services(list_guests))


async def add_guest(args: argparse.Namespace, services: Services) -> int:
    """Make somebody a guest."""
    now, rules = services.clock(), _rules(services)
    sponsor = await load_person(services.pool, args.sponsor)
    user_id = await _account(args.user, rules, services)
    until = _last_day(args.until, services.local_days()(sponsor), rules)
    rooms = await _rooms(args.room, services)
    guest = Guest(user_id, sponsor.id, rooms, _one_line(args.reason), now, until)
    if why := _why_not(guest, [sponsor], rules, services):
        raise RefusedError(f"{user_id} cannot be a guest of {sponsor.display_name}: {why}.")
    async with services.pool.acquire() as connection, connection.transaction():
        await guest_store.end_guest(connection, user_id, now)
        await guest_store.put_guest(connection, guest)
        await note_drift(connection, [user_id])
    _print(args, guest, sponsor, f"{user_id} is a guest of {sponsor.display_name} until {until}.")
    return 0


async def renew_guest(args: argparse.Namespace, services: Services) -> int:
    """Say again until when somebody is a guest."""
    rules = _rules(services)
    guest = await _living(args.user, services)
    sponsor = await load_person(services.pool, guest.sponsor)
    until = _last_day(args.until, services.local_days()(sponsor), rules)
    guest = replace(guest, review_by=until)
    if why := _why_not(guest, [sponsor], rules, services):
        raise RefusedError(
            f"{guest.user_id} cannot stay a guest of {sponsor.display_name}: {why}. Name another sponsor: muster "
            f"guests add {guest.user_id} --sponsor PERSON --reason TEXT"
        )
    async with services.pool.acquire() as connection, connection.transaction():
        await guest_store.renew_guest(connection, guest.user_id, until, services.clock())
        await note_drift(connection, [guest.user_id])
    _print(args, guest, sponsor, f"{guest.user_id} stays a guest of {sponsor.display_name} until {until}.")
    return 0


async def remove_guest(args: argparse.Namespace, services: Services) -> int:
    """Have somebody be a guest no more."""
    guest = await _living(args.user, services)
    async with services.pool.acquire() as connection, connection.transaction():
        await guest_store.end_guest(connection, guest.user_id, services.clock())
        await note_drift(connection, [guest.user_id])
    _print(args, guest, None, f"{guest.user_id} is a guest no more.")
    return 0


async def list_guests(args: argparse.Namespace, services: Services) -> int:
    """Print the guests whom nobody has ended; for those who are nowhere, why."""
    found = [guest for guest in await guest_store.read_guests(services.pool) if guest.ended_at is None]
    people = await load_people(services.pool, frozenset(guest.sponsor for guest in found))
    sponsors = {person.id: person for person in people}
    census = Census(people, services.local_days())
    over = guesthood(services.policy().guests, found, census, services.homeserver.server_name).over
    if args.json:
        print_json([_as_json(guest, sponsors.get(guest.sponsor), over.get(guest.user_id)) for guest in found])
    elif not found:
        print("There are no guests.")
    else:
        for guest in found:
            for line in _lines(guest, sponsors.get(guest.sponsor), over.get(guest.user_id), width()):
                print(line)
    return 0


def _rules(services: Services) -> Guests:
    rules = services.policy().guests
    if rules is None:
        raise RefusedError("The policy has no guests: say under `guests` who may have some (docs/policy.md).")
    return rules


async def _account(user: str, rules: Guests, services: Services) -> UserId:
    """Return the user ID of somebody who can be a guest: outside the directory, and there if of our own server."""
    user_id, server_name = UserId(user), services.homeserver.server_name
    if not user.startswith("@") or not server_of(user_id) or not user.isprintable() or len(user) > _LONGEST_ID:
        raise InputError(f"Expected a user ID such as @kim:partner.example, came {user!r}.")
    if await store.people_of(services.pool, [user_id]):
        raise RefusedError(f"{user_id} is the account of somebody in the directory, whose rooms the policy decides.")
    if is_outside(user_id, server_name):
        return user_id
    state = await services.accounts.get(user_id)
    if user_id == services.homeserver.bot or state is None or state.deactivated or state.locked:
        raise RefusedError(
            f"Expected an account of {server_name} that can be used, came {user_id}. Have it made on the homeserver."
        )
    return user_id


async def _rooms(keys: list[str], services: Services) -> tuple[RoomKey, ...]:
    known = (await place_store.read_places(services.pool)).keys() | services.policy().rooms.keys()
    for key in keys:
        if RoomKey(key) not in known:
            from bridge.document import nearest

            raise UnknownNameError(f"There is no room {key!r}{nearest(key, known)}.")
    return tuple(RoomKey(key) for key in dict.fromkeys(keys))


def _last_day(said: str | None, today: date, rules: Guests) -> date:
    """Return the day that is meant, not past and not later than the policy allows; a review counts from today."""
    latest = today + timedelta(days=min(rules.review.days, (date.max - today).days))
    if said is None:
        return latest
    try:
        day = date.fromisoformat(said)
    except ValueError as error:
        raise InputError(f"Expected a day such as 2027-03-01, came {said!r}.") from error
    if not today <= day <= latest:
        raise RefusedError(f"Expected a day from {today} to {latest}, as `guests: review` allows, came {day}.")
    return day


def _why_not(guest: Guest, people: list[Person], rules: Guests, services: Services) -> str:
    census = Census(people, services.local_days())
    return guesthood(rules, [guest], census, services.homeserver.server_name).over.get(guest.user_id, "")


async def _living(user: str, services: Services) -> Guest:
    for guest in await guest_store.read_guests(services.pool):
        if guest.user_id == user and guest.ended_at is None:
            return guest
    raise UnknownNameError(f"{user!r} is no guest. `muster guests list` names those who are.")


def _one_line(text: str) -> str:
    found = " ".join(text.split())
    if not found or not found.isprintable():
        raise InputError("Expected one line of text as the reason.")
    return found


def _print(args: argparse.Namespace, guest: Guest, sponsor: Person | None, text: str) -> None:
    if args.json:
        print_json(_as_json(guest, sponsor, None))
    else:
        print(text)


def _as_json(guest: Guest, sponsor: Person | None, over: str | None) -> dict[str, object]:
    return {
        "user_id": guest.user_id,
        "sponsor": sponsor.user_name if sponsor is not None else guest.sponsor,
        "rooms": list(guest.rooms),
        "reason": guest.reason,
        "added_at": guest.added_at.isoformat(),
        "review_by": guest.review_by.isoformat(),
        "over": over,
    }


def _lines(guest: Guest, sponsor: Person | None, over: str | None, columns: int) -> Iterator[str]:
    name = sponsor.display_name if sponsor is not None else "somebody who is not in the directory"
    text = f"{guest.user_id}: guest of {name} until {guest.review_by}: {guest.reason}"
    yield from textwrap.wrap(text, columns, subsequent_indent="  ", break_on_hyphens=False)
    where = ", ".join(guest.rooms) or "every room of the sponsor's that is not exclusive"
    said = f"in no room: {over}" if over is not None else where
    yield from textwrap.wrap(said, columns, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
