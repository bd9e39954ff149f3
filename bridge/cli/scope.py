"""Which part of the archive a command is about, and who runs it, from its options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.archive.scope import Scope
from bridge.archive.scope_store import rooms_called
from bridge.directory.store import load_person
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.ids import RoomId, UserId
from bridge.membership.moment import parse_beginning
from bridge.membership.store import users_of

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.directory.person import Person


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Add `--person`, `--room`, `--since` and `--until`."""
    parser.add_argument(
        "--person",
        action="append",
        default=[],
        metavar="PERSON",
        help="what they sent, and what was said in rooms while they were there: userName, externalId, id, display "
        "name or user ID; may be repeated",
    )
    parser.add_argument(
        "--room", action="append", default=[], metavar="ROOM", help="a room's ID or name; may be repeated"
    )
    parser.add_argument("--since", metavar="TIME", help="only from then on: 2027-02-11, 2027-02-11T14:00")
    parser.add_argument("--until", metavar="TIME", help="only before then; a date means its beginning")


async def scope_of(args: argparse.Namespace, services: Services) -> Scope:
    """Return what the options name; raises `UnknownNameError`, and `InputError` for a time that does not read."""
    zone = services.config.directory.timezone
    return Scope(
        rooms=frozenset([room for name in args.room for room in await _rooms(name, services)]),
        people=frozenset([user for name in args.person for user in await _users(name, services)]),
        since=args.since and parse_beginning(args.since, timezone=zone),
        until=args.until and parse_beginning(args.until, timezone=zone),
    )


async def person_of(args: argparse.Namespace, services: Services) -> Person:
    """Return the person whom `--as` names; raises `RefusedError` without."""
    if not args.actor:
        raise RefusedError("This is answered for by a person: say with --as who you are.")
    return await load_person(services.pool, args.actor)


async def people_named(names: Sequence[str], services: Services) -> list[Person]:
    """Return the people called so."""
    return [await load_person(services.pool, name) for name in names]


async def _rooms(name: str, services: Services) -> list[RoomId]:
    found = await rooms_called(services.pool, name)
    if not found:
        raise UnknownNameError(f"There is no room {name!r} in the archive; give its name, or its ID.")
    return found


async def _users(name: str, services: Services) -> list[UserId]:
    if name.startswith("@") and ":" in name:
        return [UserId(name)]
    person = await load_person(services.pool, name)
    found = sorted(await users_of(services.pool, [person.id]))
    if not found:
        raise InputError(f"{person.display_name} has no account, so nothing is theirs. Name a user ID instead.")
    return found
