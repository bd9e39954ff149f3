"""`muster archive access` and `erase`: what somebody may ask of the archive about themselves (GDPR Articles 15, 17)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import person_store
from bridge.archive.access import write_access
from bridge.archive.disposal import nothing_held
from bridge.archive.entry import Entry
from bridge.archive.erase import carry_out, plan_erasure
from bridge.archive.erasure_text import (
    Decided,
    decision_as_json,
    decision_as_text,
    erasure_as_json,
    erasure_as_text,
)
from bridge.archive.log import record
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.command import from_here, print_json, width, with_services
from bridge.directory.store import load_person
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.files import make_folder, write_new
from bridge.ids import RoomId, RoomKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.app import Services
    from bridge.cli.command import Subparsers

_SHORTEST = 8
"""Characters of a digest that name a decision."""
_PERSON = "userName, externalId, id or display name"


def add_person(below: Subparsers) -> None:
    """Add the verbs."""
    access = below.add_parser(
        "access",
        help="write everything that is held of somebody",
        description="Writes a folder for somebody who asks what is held of them: what they sent, what others' state "
        "says of them, HR's data about them and its history, what they acknowledged.",
    )
    access.add_argument("person", metavar="PERSON", help=_PERSON)
    access.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="a new folder")
    add_actor(access)
    access.set_defaults(handler=with_services(give_access))
    erase = below.add_parser(
        "erase",
        help="show, and erase, what somebody said",
        description="Shows what would be erased of what somebody said and what would stay, and why. With --apply it "
        "erases exactly that: texts and salts go, the leaves of the ledger stay, and a decision is written.",
    )
    erase.add_argument("person", metavar="PERSON", help=_PERSON)
    erase.add_argument(
        "--reason",
        required=True,
        metavar="TEXT",
        help="why, for instance the request's file number; it stays in the ledger, so name nobody",
    )
    erase.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="ROOM=REASON",
        help="a room, by key or ID, whose records the law keeps, and which law; may be given several times",
    )
    erase.add_argument("--apply", metavar="DIGEST", help="erase what the preview with this digest showed")
    erase.add_argument("-o", "--output", type=Path, metavar="DIR", help="where --apply writes the decision")
    add_actor(erase)
    erase.set_defaults(handler=with_services(erase_person))


async def give_access(args: argparse.Namespace, services: Services) -> int:
    """Write the folder."""
    actor = await actor_of(args, services)
    person = await load_person(services.pool, args.person)
    accounts = await person_store.read_accounts(services.pool, person.id)
    await record(services.pool, Entry("access", actor, {"person": person.id}), services.clock())
    written = await write_access(services.pool, args.output, person.id, accounts, person.user_name, services.clock())
    if args.json:
        print_json({one.name: {"lines": one.lines, "sha256": one.digest} for one in written})
    else:
        print(f"Wrote {args.output}: {', '.join(f'{one.name} ({one.lines:,})' for one in written)}, index.txt.")
    return 0


async def erase_person(args: argparse.Namespace, services: Services) -> int:
    """Print what would be erased and what would stay, or erase it."""
    if args.apply and not args.output:
        raise InputError("Expected -o DIR beside --apply: the decision is written there.")
    actor = await actor_of(args, services)
    person = await load_person(services.pool, args.person)
    required = _required(args.keep, await person_store.read_keys(services.pool))
    erasure, keys = await plan_erasure(
        services.pool, person.id, services.policy(), services.clock().date(), nothing_held, required
    )
    if not args.apply:
        if args.json:
            print_json(erasure_as_json(erasure))
        else:
            print(erasure_as_text(erasure, person.user_name, keys, width()))
        return 0
    if len(args.apply) < _SHORTEST or not erasure.digest.startswith(args.apply.lower()):
        raise RefusedError(
            f"{args.apply} is not what would be erased now: something came or went, or a hold or the policy changed. "
            "Nothing was erased. Look again without --apply."
        )
    make_folder(args.output)
    files = args.output / "decision.json", args.output / "decision.txt"
    if taken := [str(file) for file in files if file.exists()]:
        raise RefusedError(f"{taken[0]} exists already; nothing was erased. Name another folder.")
    outcome, dispositions = await carry_out(services.pool, erasure, args.reason, actor, nothing_held, services.clock)
    decided = Decided(erasure, person.user_name, args.reason, actor, services.clock(), keys, dispositions)
    write_new(files[0], json.dumps(decision_as_json(decided), indent=1, ensure_ascii=False) + "\n", mode=0o600)
    write_new(files[1], decision_as_text(decided, width()), mode=0o600)
    if args.json:
        print_json(decision_as_json(decided))
    else:
        print(f"Erased {outcome.disposed:,} records. The decision is in {from_here(args.output)}.")
    return 0


def _required(keep: Sequence[str], keys: Mapping[RoomId, RoomKey]) -> dict[RoomId, str]:
    """Return the rooms of `--keep`, by ID, with the reason."""
    rooms = {str(key): room_id for room_id, key in keys.items()}
    found = {}
    for one in keep:
        room, given, reason = one.partition("=")
        if not given or not reason.strip():
            raise InputError(f"Expected --keep ROOM=REASON, came {one}.")
        if room not in rooms and not room.startswith("!"):
            raise UnknownNameError(f"There is no room {room}. `muster rooms` lists rooms; keys are in the policy.")
        found[rooms.get(room, RoomId(room))] = reason.strip()
    return found
