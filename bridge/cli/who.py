"""`muster who ROOM [--at TIME]`: everybody who was in a room; signed access reports, and checking one."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import signing
from bridge.cli.command import Handler, print_json, system_user, width, with_services
from bridge.config import load_config
from bridge.errors import InputError, MusterError, RefusedError, UnknownNameError
from bridge.files import write_new

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.ids import PersonId
    from bridge.membership.who import Occupancy

_ENDINGS = (".csv", ".html")


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "who",
        help="say who is or was in a room, and report who has access",
        description="Lists everybody in a room, now or at a past moment: since when, with which power, by which rule "
        "or whose invitation, and the Matrix event. --report writes an access report and its signature, and the audit "
        "log says for whom.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("room", nargs="?", metavar="ROOM", help="a room's key, name, former name, alias or room ID")
    which.add_argument("--all", action="store_true", help="every room")
    which.add_argument("--verify", type=Path, metavar="FILE", help="check a report against FILE.sig, and nothing else")
    parser.add_argument(
        "--at", metavar="TIME", help="a past moment, such as 2027-03-01T09:30; a date alone means its end"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write FILE.csv or FILE.html, and its signature")
    parser.add_argument("--by", metavar="PERSON", help="who asks for the report (default: the system's user)")
    parser.set_defaults(handler=who)


async def who(args: argparse.Namespace) -> int:
    """Check a report, or list who is there; only the latter needs the database."""
    handler: Handler = with_services(list_people) if args.verify is None else verify
    return await handler(args)


async def verify(args: argparse.Namespace) -> int:
    """Say whether a report is as it was signed; exit code 1 when it is not."""
    path: Path = args.verify
    beside = path.with_name(f"{path.name}.sig")
    content, text = _read(path), _read(beside)
    signature = signing.read_signature(text.decode("utf-8", "replace"), str(beside))
    try:
        signing.check(content, signature, signing.open_public_key(load_config(args.config).data))
    except RefusedError as error:
        raise RefusedError(f"{path}: {error.message}") from error
    if args.json:
        print_json({"ok": True, "sha256": signature.sha256, "key_id": signature.key_id, "moment": signature.moment})
    else:
        print(f"{path} is as it was signed at {signature.moment} with the key {signature.key_id}.")
    return 0


async def list_people(args: argparse.Namespace, services: Services) -> int:
    """Print who is in the room, or write the report."""
    from bridge.cli.why import setting_of
    from bridge.membership.moment import parse_moment
    from bridge.membership.past import occupancies
    from bridge.membership.who_text import as_json, as_text

    _insist_on_report(args.report, args.by)
    now = services.clock()
    moment = parse_moment(args.at, timezone=services.config.directory.timezone, now=now) if args.at else now
    found = await occupancies(services.pool, args.room, moment, setting_of(services))
    if args.report is not None:
        await _report(args, services, found, moment)
    elif args.json:
        print_json([as_json(one) for one in found] if args.all else as_json(found[0]))
    else:
        print(as_text(found, width()) or "The archive knows of nobody in any room by then.\n", end="")
    return 0


async def _report(args: argparse.Namespace, services: Services, found: Sequence[Occupancy], moment: datetime) -> None:
    from bridge.membership.audit_store import settle_entries
    from bridge.membership.past_store import Report, record_report

    path: Path = args.report
    by, person = await _asker(args.by, services)
    key = signing.open_key(services.config.data)
    now = services.clock()
    policy = services.policy()
    text = _text_of(path, found, policy.company, moment, now, by, signing.key_id(key.public_key()))
    signature = signing.sign(text.encode(), key, now)
    room = "" if args.all else found[0].key or found[0].room_id
    digest = found[0].policy.digest if found and found[0].policy else ""
    report = Report(by, person, room, moment, path.name, hashlib.sha256(text.encode()).hexdigest())
    entry = await record_report(services.pool, report, digest, now)
    try:
        write_new(path, text, mode=0o600)
        write_new(path.with_name(f"{path.name}.sig"), signing.as_text(signature), mode=0o600)
    except MusterError as error:
        await settle_entries(services.pool, [entry], "failed", now, error=error.message)
        raise
    if args.json:
        print_json({"file": str(path), "sha256": signature.sha256, "key_id": signature.key_id, "entry": entry})
    else:
        print(f"{path} and {path.name}.sig are written, as entry {entry} of the audit log says.")


def _text_of(
    path: Path, found: Sequence[Occupancy], company: str, at: datetime, made_at: datetime, by: str, key_id: str
) -> str:
    from bridge.membership.access_report import Heading, as_csv, as_html
    from bridge.membership.explanation import iso

    if path.suffix.lower() == ".csv":
        return as_csv(found)
    return as_html(found, Heading(company, iso(at), iso(made_at), by, key_id))


def _insist_on_report(path: Path | None, by: str | None) -> None:
    if path is None:
        if by is not None:
            raise InputError("--by says who asks for a report; name its file with --report FILE.")
        return
    if path.suffix.lower() not in _ENDINGS:
        raise InputError(f"Expected a report called FILE.csv or FILE.html, came {path}.")
    for one in (path, path.with_name(f"{path.name}.sig")):
        if one.exists():
            raise RefusedError(f"{one} exists already; it was not touched. Move it away, or write elsewhere.")


async def _asker(by: str | None, services: Services) -> tuple[str, PersonId | None]:
    """Return what to call whoever asks, and who that is in the directory; a system's user may be nobody there."""
    from bridge.directory.store import load_person

    name = by or system_user()
    if name is None:
        raise InputError("The system does not say who runs this; name who asks with --by PERSON.")
    try:
        person = await load_person(services.pool, name)
    except UnknownNameError:
        if by is not None:
            raise
        return name, None
    return (person.user_name, person.id) if by is not None else (name, None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MusterError(f"{path} cannot be read: {error.strerror}.") from error
