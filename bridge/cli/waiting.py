"""`muster directory waiting`: who is missing from which source, and which of them wait for a second person."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from bridge.cli.command import print_json, width, with_services
from bridge.directory.door import AbsenceList
from bridge.directory.door_store import Absence, forget_feed, load_absences, load_feeds, load_lists
from bridge.directory.history_store import lock_directory
from bridge.directory.person import Person
from bridge.directory.store import load_people
from bridge.document import nearest
from bridge.errors import UnknownNameError
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_waiting(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "waiting",
        help="show who is missing from a source and has not left",
        description="Names the people whom a source of whole pictures (a complete file, an LDAP server) has named "
        "before and does not name now: first those who were too many to leave without a second person, then those who "
        "are not missing for long enough, or whom another source brings.",
    )
    parser.add_argument(
        "--forget", metavar="SOURCE", help="a source that is given up, such as file:payroll: it brings nobody any more"
    )
    parser.set_defaults(handler=with_services(show_waiting))


async def show_waiting(args: argparse.Namespace, services: Services) -> int:
    """Print the lists that wait, and everybody missing; before it, forget a source."""
    if args.forget is not None:
        await _forget(args.forget, services)
    lists = await load_lists(services.pool)
    absences = await load_absences(services.pool)
    listed = [each for waiting in lists for each in waiting.people]
    people = {person.id: person for person in await load_people(services.pool, listed)}
    if args.json:
        print_json(
            {
                "waiting": [_list_as_json(waiting, people) for waiting in lists],
                "missing": [_absence_as_json(absence) for absence in absences],
            }
        )
        return 0
    for line in [*_lines_of_lists(lists, people), *_lines_of_missing([each for each in absences if not each.waits])]:
        print(line)
    if not lists and not absences:
        print("Nobody is missing.")
    return 0


async def _forget(feed: str, services: Services) -> None:
    async with services.pool.acquire() as connection, connection.transaction():
        await lock_directory(connection)
        if not await forget_feed(connection, feed):
            raise UnknownNameError(f"There is no source {feed!r}{nearest(feed, await load_feeds(connection))}.")


def _lines_of_lists(lists: Sequence[AbsenceList], people: Mapping[PersonId, Person]) -> Iterator[str]:
    for waiting in lists:
        yield from textwrap.wrap(f"{waiting.reason} They wait since {waiting.held_at:%Y-%m-%d %H:%M} UTC:", width())
        for person in sorted((people[each] for each in waiting.people), key=lambda each: each.user_name.lower()):
            yield f"  {person.user_name}  {person.display_name}"
        yield f"To let exactly these go: muster approve {waiting.digest[:12]} --by PERSON"
        yield ""


def _lines_of_missing(absences: Sequence[Absence]) -> Iterator[str]:
    for feed, missing in groupby(absences, attrgetter("feed")):
        yield f"Missing from {feed}:"
        for each in missing:
            kept = f", brought by {each.kept_by}" if each.kept_by else ""
            yield f"  {each.user_name}  {each.display_name}  since {each.since:%Y-%m-%d %H:%M} UTC{kept}"


def _list_as_json(waiting: AbsenceList, people: Mapping[PersonId, Person]) -> dict[str, Any]:
    return {
        "digest": waiting.digest,
        "feed": waiting.feed,
        "reason": waiting.reason,
        "held_at": waiting.held_at,
        "told": waiting.told,
        "people": [
            {"id": each, "userName": people[each].user_name, "displayName": people[each].display_name}
            for each in waiting.people
        ],
    }


def _absence_as_json(absence: Absence) -> dict[str, Any]:
    return {
        "feed": absence.feed,
        "id": absence.person,
        "userName": absence.user_name,
        "displayName": absence.display_name,
        "since": absence.since,
        "kept_by": absence.kept_by,
        "waits": absence.waits,
    }
