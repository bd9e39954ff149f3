"""`muster archive hold`: what must be kept, who was told so, and the proof that it was."""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import hold_store, holds
from bridge.archive.bundle import bundle_as_text
from bridge.archive.entry import Entry
from bridge.archive.hold import REMIND, Hold
from bridge.archive.hold_text import Around, hold_as_json, hold_as_text, holds_as_text, release_document
from bridge.archive.log import record
from bridge.archive.prove import prove
from bridge.archive.scope_store import count_events, read_bounds
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.archive_proof import notary_of
from bridge.cli.command import print_json, width, with_services
from bridge.cli.scope import add_scope, person_of, scope_of
from bridge.errors import InputError
from bridge.files import write_new
from bridge.ids import EventId

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_DESCRIPTION = """\
A legal hold keeps a part of the archive, whatever retention and erasure say, until it is released. The people whom it
names are told by the bot, acknowledge with a reaction, and are reminded. Placing, acknowledging and releasing are
entries of the archive's log, which `hold proof` proves to others.
"""
_MOST_DAYS = 365


def add_hold(below: Subparsers) -> None:
    """Add the verb and what is below it."""
    verb = below.add_parser("hold", help="keep what a court may ask for", description=_DESCRIPTION)
    verbs = verb.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_place(verbs)
    listing = verbs.add_parser("list", help="list all holds", description="Lists all holds, the newest first.")
    listing.set_defaults(handler=with_services(list_holds))
    one = _add_numbered(
        verbs, "show", "show a hold", "Shows a hold, how many events it keeps, and who has acknowledged it."
    )
    one.set_defaults(handler=with_services(show_hold))
    end = _add_numbered(verbs, "release", "end a hold", "Ends a hold; retention and erasure go on afterwards.")
    end.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="write the proofs there, into a new folder")
    add_actor(end)
    end.set_defaults(handler=with_services(release_hold))
    proof = _add_numbered(
        verbs,
        "proof",
        "prove to others when a hold was placed and released",
        "Writes the proofs of the entries of placing and releasing a hold, which `muster archive verifier` checks "
        "without the archive, and what the hold was.",
    )
    proof.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="write them there, into a new folder"
    )
    add_actor(proof)
    proof.set_defaults(handler=with_services(prove_hold))


def _add_place(verbs: Subparsers) -> None:
    parser = _add_numbered(
        verbs,
        "place",
        "keep what these people sent and heard, and what was said in these rooms",
        "Keeps what these people sent and heard, and what was said in these rooms, now and from now on. The people "
        "are told so by the bot, unless with --silent; the members of rooms are not.",
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; the people who are told read this")
    add_scope(parser)
    parser.add_argument("--case", metavar="NUMBER", help="the case that it belongs to")
    parser.add_argument("--silent", action="store_true", help="tell nobody")
    parser.add_argument(
        "--remind",
        type=_days,
        default=REMIND,
        metavar="DAYS",
        help=f"remind whoever has not acknowledged after so many days (default: {REMIND.days})",
    )
    add_actor(parser)
    parser.set_defaults(handler=with_services(place_hold))


def _add_numbered(verbs: Subparsers, name: str, says: str, description: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=says, description=description)
    parser.add_argument("number", metavar="NUMBER", help="the hold's, as the company writes it: 2027-014")
    return parser


async def place_hold(args: argparse.Namespace, services: Services) -> int:
    """Put a hold in force."""
    person = await person_of(args, services)
    hold = Hold(
        number=args.number,
        reason=args.reason,
        scope=await scope_of(args, services),
        placed_by=person.user_name,
        since=services.clock(),
        entry=EventId(""),
        case=args.case,
        silent=args.silent,
        remind=args.remind,
    )
    return await _say(args, services, await holds.place(services.pool, hold, await actor_of(args, services)))


async def list_holds(args: argparse.Namespace, services: Services) -> int:
    """Print all holds."""
    found = await hold_store.read_all(services.pool)
    if args.json:
        print_json([hold_as_json(hold, await _around(hold, services)) for hold in found])
    else:
        print(holds_as_text(found, width()) or "There is no hold.")
    return 0


async def show_hold(args: argparse.Namespace, services: Services) -> int:
    """Print a hold."""
    return await _say(args, services, await holds.known_hold(services.pool, args.number))


async def release_hold(args: argparse.Namespace, services: Services) -> int:
    """End a hold, and write its proofs."""
    await person_of(args, services)
    await holds.insist_in_force(services.pool, args.number)
    if args.output:
        _make_folder(args.output)
    hold = await holds.release(services.pool, args.number, await actor_of(args, services), services.clock())
    if args.output:
        await _write_proofs(hold, args.output, services)
    return await _say(args, services, hold)


async def prove_hold(args: argparse.Namespace, services: Services) -> int:
    """Write the proofs of a hold's entries."""
    hold = await holds.known_hold(services.pool, args.number)
    actor = await actor_of(args, services)
    _make_folder(args.output)
    await record(services.pool, Entry("prove", actor, {"hold": hold.number}), services.clock())
    files = await _write_proofs(hold, args.output, services)
    if args.json:
        print_json({"folder": str(args.output), "files": files})
    else:
        print(f"Wrote {', '.join(files)} to {args.output}.")
        print("Whoever checks them: muster archive verifier > verify.py; python verify.py placed.json")
    return 0


async def _write_proofs(hold: Hold, folder: Path, services: Services) -> list[str]:
    """Write a proof for each entry, and the document that names them; return the files."""
    written = {"placed.json": hold.entry, **({"released.json": hold.release.entry} if hold.release else {})}
    notary = notary_of(services)
    proofs = []
    for name, entry in written.items():
        text = bundle_as_text(await prove(services.pool, entry, notary.signer, await notary.covering(entry)))
        write_new(folder / name, text)
        proofs.append((name, hashlib.sha256(text.encode()).hexdigest()))
    write_new(folder / "hold.json", json.dumps(release_document(hold, proofs), ensure_ascii=False, indent=1) + "\n")
    return [*written, "hold.json"]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); name a new folder.") from error


async def _say(args: argparse.Namespace, services: Services, hold: Hold) -> int:
    around = await _around(hold, services)
    if args.json:
        print_json(hold_as_json(hold, around))
    else:
        print(hold_as_text(hold, around, width()))
    return 0


async def _around(hold: Hold, services: Services) -> Around:
    pool = services.pool
    return Around(
        await hold_store.read_custodians(pool, hold.number),
        await count_events(pool, await read_bounds(pool, hold.scope)),
        await hold_store.count_media(pool, hold.number),
    )


def _days(text: str) -> timedelta:
    if not text.isdecimal() or not 0 < int(text) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"expected a whole number of days from 1 to {_MOST_DAYS}, got {text!r}")
    return timedelta(days=int(text))
