"""`muster directory`: who works here, by hand: import a file, read LDAP, list, show one person, and SCIM tokens."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size

from bridge.cli.command import print_json, width, with_services
from bridge.cli.feeds import add_events, add_refused
from bridge.cli.identity import add_relink, add_review
from bridge.cli.import_report import SHOWN, lines_of, report_as_json
from bridge.cli.waiting import add_waiting
from bridge.directory.file_mapping import PLAIN, FileMapping
from bridge.directory.history import HistoryEntry, state_at
from bridge.directory.local_day import place_of
from bridge.directory.person import Person, attributes_of, is_employed, works_here
from bridge.directory.selector import matches, parse
from bridge.directory.store import load_history, load_people, load_person
from bridge.directory.token_store import create_token, load_tokens, revoke_token
from bridge.document import nearest
from bridge.errors import ImportFileError, RefusedError, UnknownNameError

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.config import Config
    from bridge.directory.intake import ImportReport


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb and what is below it."""
    verb = subparsers.add_parser(
        "directory",
        help="import people from a file, list them, show one",
        description="HR's data by hand. Identity providers push people over SCIM instead, with a token made here.",
    )
    below = verb.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_import(below)
    _add_ldap(below)
    _add_list(below)
    show = below.add_parser("show", help="show all that is known of a person, and since when")
    show.add_argument("person", metavar="PERSON", help="userName, externalId, id or display name")
    show.add_argument("--at", type=_day, metavar="DATE", help="what was, or will be, true on that day, as known now")
    show.add_argument(
        "--as-known", type=_day, metavar="DATE", help="what was known at the end of that day, at the place of work"
    )
    show.set_defaults(handler=with_services(show_person))
    add_review(below)
    add_relink(below)
    add_waiting(below)
    add_events(below)
    add_refused(below)
    _add_token(below)


def _add_import(below: Subparsers) -> None:
    parser = below.add_parser(
        "import",
        help="add and change people from a CSV file",
        description="Adds and changes people from a CSV file whose header names SCIM attributes: userName, "
        "externalId, displayName, givenName, familyName, email, title, userType, active, department, division, "
        "organization, costCenter, employeeNumber, manager (userName or externalId), start, end, timezone, locale, "
        "preferredLanguage, groups (separated by ;), and the attributes named in the configuration. All of the file "
        "is imported, or nothing. People are matched by externalId, else by userName.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the CSV file, UTF-8 or UTF-16, with , or ;")
    parser.add_argument("--mapping", metavar="NAME", help="read it as `directory.files.NAME` of the configuration says")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change, and of whom")
    parser.add_argument(
        "--complete",
        action="store_true",
        help="the file names everybody of its source: whoever is missing works here no longer; needs --rows, --sha256 "
        "or a mapping with a trailer",
    )
    parser.add_argument("--rows", type=int, metavar="N", help="refuse the file unless it names N people")
    parser.add_argument("--sha256", metavar="HEX", help="refuse the file unless this is its SHA-256")
    parser.set_defaults(handler=with_services(import_file))


def _add_ldap(below: Subparsers) -> None:
    parser = below.add_parser(
        "ldap",
        help="read an LDAP server or Active Directory now",
        description="Reads everybody whom `directory.ldap.NAME` of the configuration describes, as the service does by "
        "itself now and then. The server is read to the end, or nothing is changed.",
    )
    parser.add_argument("name", metavar="NAME", help="the name under `directory.ldap`")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.set_defaults(handler=with_services(read_ldap))


def _add_list(below: Subparsers) -> None:
    parser = below.add_parser("list", help="list people")
    parser.add_argument(
        "--filter", metavar="SELECTOR", help="only these, as a policy would say it: 'department eq \"Sales\"'"
    )
    parser.set_defaults(handler=with_services(list_people))


def _add_token(below: Subparsers) -> None:
    verb = below.add_parser(
        "token",
        help="make, list and revoke the tokens that SCIM clients bear",
        description="Each source of people has tokens of its own; the history says which source wrote.",
    )
    verbs = verb.add_subparsers(title="verbs", metavar="VERB", required=True)
    create = verbs.add_parser("create", help="make a token and print it, this once")
    create.add_argument("name", metavar="NAME", help="the client that will bear it, such as okta; never used before")
    create.add_argument(
        "--source", metavar="SOURCE", help="whose people it brings, if not NAME: for the next token of one"
    )
    create.set_defaults(handler=with_services(make_token))
    listing = verbs.add_parser("list", help="list the tokens, without what they are")
    listing.set_defaults(handler=with_services(list_tokens))
    revoke = verbs.add_parser("revoke", help="make a token useless at once")
    revoke.add_argument("name", metavar="NAME", help="the name with which it was made")
    revoke.set_defaults(handler=with_services(end_token))


async def import_file(args: argparse.Namespace, services: Services) -> int:
    """Import a CSV file and say what changed."""
    from bridge.directory.intake import import_csv  # loads the SCIM library, for which no other verb shall wait

    try:
        data = args.file.read_bytes()
    except OSError as error:
        raise ImportFileError(f"{args.file}: {error.strerror}. Expected a CSV file that can be read.") from error
    mapping = PLAIN if args.mapping is None else mapping_named(services.config, args.mapping)
    if args.complete and not mapping.trailer and args.rows is None and args.sha256 is None:
        raise RefusedError(
            "A complete file must be known to be whole. Expected --rows N, --sha256 HEX, or a mapping with a trailer. "
            "Nothing was changed."
        )
    report = await import_csv(
        services.pool,
        data,
        args.file.name,
        custom=services.config.attributes,
        mapping=mapping,
        complete=args.complete,
        rows=args.rows,
        sha256=args.sha256,
        dry_run=args.dry_run,
        clock=services.clock,
    )
    return _print_report(report, args)


async def read_ldap(args: argparse.Namespace, services: Services) -> int:
    """Read all of an LDAP server now and say what changed."""
    from bridge.directory.ldap import LdapReader  # likewise

    config = services.config
    sources = config.directory.feeds.ldap
    if args.name not in sources:
        raise UnknownNameError(
            f"There is no `directory.ldap.{args.name}` in {config.path}{nearest(args.name, sources)}."
        )
    reader = LdapReader(
        services.pool,
        sources[args.name],
        timezone=config.directory.timezone,
        custom=config.attributes,
        clock=services.clock,
    )
    return _print_report(await reader.read(full=True, dry_run=args.dry_run), args)


def _print_report(report: ImportReport, args: argparse.Namespace) -> int:
    if args.json:
        print_json(report_as_json(report, dry_run=args.dry_run))
        return 0
    for line in lines_of(report, width=width(), limit=SHOWN if sys.stdout.isatty() else None):
        print(line)
    return 0


async def list_people(args: argparse.Namespace, services: Services) -> int:
    """List people, or those whom a selector matches."""
    selector = parse(args.filter) if args.filter else None
    day_of = services.local_days()
    people = sorted(
        (
            person
            for person in await load_people(services.pool)
            if selector is None or matches(selector, attributes_of(person, day_of(person)))
        ),
        key=lambda person: person.user_name.lower(),
    )
    if args.json:
        print_json([_person_as_json(person, day_of(person)) for person in people])
        return 0
    for line in _table(
        [("USERNAME", "NAME", "DEPARTMENT", "TITLE", ""), *(_listed(each, day_of(each)) for each in people)]
    ):
        print(line)
    print(f"{len(people)} {'person' if len(people) == 1 else 'people'}")
    return 0


async def show_person(args: argparse.Namespace, services: Services) -> int:
    """Show a person and the history."""
    person = await load_person(services.pool, args.person)
    history = await load_history(services.pool, person.id)
    day = services.local_days()(person)
    zone = place_of(person, services.config.directory.timezone)
    if args.at is not None or args.as_known is not None:
        day = args.at or day
        state = _insist_on(state_at(history, day, as_known=args.as_known, zone=zone), person, day)
        history, person = [state], state.person
    if args.json:
        print_json({**_person_as_json(person, day), "history": [_entry_as_json(entry, zone) for entry in history]})
        return 0
    attributes = attributes_of(person, day)
    longest = max(map(len, attributes))
    for name, values in sorted(attributes.items()):
        print(f"{name:<{longest}}  {', '.join(str(value) for value in values)}")
    print()
    for entry in history:
        print(f"{entry.recorded_at:%Y-%m-%d %H:%M} UTC  {entry.action:<8}  {entry.source}{_since(entry, zone)}")
    return 0


def _insist_on(state: HistoryEntry | None, person: Person, day: date) -> HistoryEntry:
    if state is None:
        raise UnknownNameError(f"Nothing was known of {person.display_name} for {day}. Expected a later day.")
    return state


def _since(entry: HistoryEntry, zone: ZoneInfo) -> str:
    """Return since when it is true, if that is not the day of recording."""
    return "" if entry.valid_from == entry.recorded_at.astimezone(zone).date() else f", true since {entry.valid_from}"


async def make_token(args: argparse.Namespace, services: Services) -> int:
    """Make a token and print it."""
    token = await create_token(services.pool, args.name, args.source)
    if args.json:
        print_json({"name": args.name, "source": args.source or args.name, "token": token})
    else:
        print(token)
    return 0


async def end_token(args: argparse.Namespace, services: Services) -> int:
    """Revoke a token."""
    await revoke_token(services.pool, args.name)
    if args.json:
        print_json({"revoked": args.name})
    else:
        print(f"The token of {args.name!r} is useless now.")
    return 0


async def list_tokens(args: argparse.Namespace, services: Services) -> int:
    """List the tokens there are or were."""
    tokens = await load_tokens(services.pool)
    if args.json:
        print_json([asdict(each) for each in tokens])
    for each in [] if args.json else tokens:
        state = "revoked" if each.revoked_at else "valid"
        source = f"  of {each.source}" if each.source != each.name else ""
        print(f"{each.created_at:%Y-%m-%d %H:%M}  {state:<8} {each.name}{source}")
    return 0


def mapping_named(config: Config, name: str) -> FileMapping:
    """Return the mapping of the configuration; raise `UnknownNameError`, naming the nearest, when there is none."""
    if name not in config.directory.feeds.files:
        raise UnknownNameError(
            f"There is no mapping {name!r} in {config.path}{nearest(name, config.directory.feeds.files)}."
        )
    return config.directory.feeds.files[name]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a day such as 2027-03-01, came {text!r}") from error


def _listed(person: Person, today: date) -> tuple[str, ...]:
    attributes = attributes_of(person, today)
    department, title = (", ".join(map(str, attributes.get(name, ()))) for name in ("department", "title"))
    return person.user_name, person.display_name, department, title, _state(person, today)


def _state(person: Person, today: date) -> str:
    """Say why somebody does not work here; nothing of who does."""
    if works_here(person, today):
        return ""
    if is_employed(person, today):
        return "barred"
    return "no start date" if person.awaited else "inactive"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the rows as columns that fit the width; what is too long is cut with an ellipsis."""
    last = max(len(row[-1]) for row in rows)
    room = (width() - last - 2 * (len(rows[0]) - 1)) // (len(rows[0]) - 1)
    widths = [min(room, max(cell_len(row[column]) for row in rows)) for column in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(_fitted(cell, size) for cell, size in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def _fitted(text: str, size: int) -> str:
    return set_cell_size(text, size) if cell_len(text) <= size else f"{set_cell_size(text, size - 1)}…"


def _person_as_json(person: Person, today: date) -> dict[str, Any]:
    return {
        "id": person.id,
        "userName": person.user_name,
        "active": works_here(person, today),
        "barred": is_employed(person, today) and not works_here(person, today),
        "awaited": person.awaited,
        "version": person.version,
        "attributes": {name: list(values) for name, values in sorted(attributes_of(person, today).items())},
        "employments": [
            {"start": job.start, "end": job.end, "title": job.title, "department": job.department}
            for job in person.employments
        ],
    }


def _entry_as_json(entry: HistoryEntry, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "version": entry.version,
        "recorded_at": entry.recorded_at,
        "source": entry.source,
        "action": entry.action,
        "valid_from": entry.valid_from,
        "person": _person_as_json(entry.person, entry.recorded_at.astimezone(zone).date()),
    }
