"""`muster archive verify`, `checkpoint`, `prove`, `timestamp` and `verifier`: the record that proves itself."""

from __future__ import annotations

import argparse
import functools
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import proof_store, rendering, signing
from bridge.archive.bundle import bundle_as_text
from bridge.archive.checkpoint import Checkpoint, origin_of, read_checkpoint, split_notes
from bridge.archive.notary import Notary
from bridge.archive.prove import prove
from bridge.archive.verify import Signer, signer_of, verify
from bridge.cli.actor import add_actor
from bridge.cli.archive_case import access_of, add_case_option
from bridge.cli.command import print_json, with_services
from bridge.cli.progress import progress_bar
from bridge.errors import InputError, UnknownNameError
from bridge.files import write_new, write_new_bytes

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_parsers(below: Subparsers) -> None:
    """Add the verbs below `archive`."""
    check = below.add_parser(
        "verify",
        help="check every event against the ledger",
        description="Computes every leaf and the root of the ledger again from the stored events, and compares "
        "them with every signed checkpoint. Exit code 1, and the first position that does not agree, when anything was "
        "altered, removed or reordered.",
    )
    check.add_argument("--since", metavar="CHECKPOINT", help="begin at a checkpoint: its number of events, or its file")
    check.add_argument("--checkpoints", type=Path, metavar="FILE", help="compare with checkpoints kept elsewhere, too")
    check.add_argument(
        "--index",
        action="store_true",
        help="compare the columns by which events are found (room, sender, type, …), too; takes several times as long",
    )
    check.set_defaults(handler=with_services(verify_archive))
    mark = below.add_parser(
        "checkpoint",
        help="sign the ledger as it is now",
        description="Checks what came since the last checkpoint, signs the ledger's size and root, and prints that.",
    )
    mark.set_defaults(handler=with_services(make_checkpoint))
    one = below.add_parser(
        "prove",
        help="prove to others that an event is in the archive",
        description="Writes the proof of an event, which `muster archive verifier` checks without the archive.",
    )
    one.add_argument("event", metavar="EVENT", help="an event ID, quoted for the shell: '$…'")
    one.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the proof there")
    one.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="prove it against the last checkpoint of a file too"
    )
    add_case_option(one)
    add_actor(one)
    one.set_defaults(handler=with_services(prove_event))
    stamp = below.add_parser(
        "timestamp",
        help="write the newest RFC 3161 time stamp of a checkpoint",
        description="Writes the answer of the time-stamping authority, and prints the checkpoint that it is about. "
        "`openssl ts -verify -data CHECKPOINT -in FILE -CAfile CERTIFICATES` checks it.",
    )
    stamp.add_argument("file", type=Path, metavar="FILE", help="write the answer there, in DER")
    stamp.set_defaults(handler=with_services(write_timestamp))
    program = below.add_parser(
        "verifier",
        help="print the program that checks proofs",
        description="Prints a Python program of one file, which checks proofs and needs nothing but `cryptography`.",
    )
    program.set_defaults(handler=print_verifier)


async def verify_archive(args: argparse.Namespace, services: Services) -> int:
    """Print whether the archive agrees with its ledger and its checkpoints."""
    signer = await _known_signer(services, asked=bool(args.checkpoints or args.since))
    kept = _kept(args.checkpoints, signer)
    since = 0
    if args.since and args.since.isdecimal():
        since = int(args.since)
    elif args.since:
        last = _kept(Path(args.since), signer)[-1]
        kept, since = [*kept, last], last.size
    with progress_bar("verifying") as progress:
        verdict = await verify(services.pool, progress, signer=signer, kept=kept, since=since, filing=args.index)
    if args.json:
        print_json(rendering.verdict_as_json(verdict))
    else:
        print(rendering.verdict_as_text(verdict))
    return 0 if verdict.ok else 1


async def make_checkpoint(args: argparse.Namespace, services: Services) -> int:
    """Sign, and print what was signed."""
    noted = await notary_of(services).make()
    if args.json:
        checkpoint = noted.checkpoint
        print_json({"size": checkpoint.size, "root": checkpoint.root.hex(), "new": noted.is_new, "note": noted.note})
    else:
        print(noted.note, end="")
    return 0


async def prove_event(args: argparse.Namespace, services: Services) -> int:
    """Write the proof of an event; sign anew when no checkpoint covers it yet."""
    access = await access_of(args, services)
    await access.insist(args.event)
    notary = notary_of(services)
    note = await notary.covering(args.event)
    older = ""
    if args.checkpoint:
        older = max(_notes(args.checkpoint), key=lambda each: read_checkpoint(each).size)
    text = bundle_as_text(await prove(services.pool, args.event, notary.signer, note, older))
    await access.record("prove", {"event": args.event})
    if args.output is None:
        print(text, end="")
        return 0
    write_new(args.output, text)
    if args.json:
        print_json({"bundle": str(args.output), "size": read_checkpoint(note).size})
    else:
        print(f"Wrote {args.output}. Whoever checks it: muster archive verifier > verify.py; python verify.py BUNDLE")
    return 0


async def write_timestamp(args: argparse.Namespace, services: Services) -> int:
    """Write the time stamp, and print what it is about."""
    found = await proof_store.read_newest_timestamp(services.pool)
    if found is None:
        raise UnknownNameError(
            "No checkpoint was stamped yet. Set `archive.anchors.rfc3161`; the service does the rest."
        )
    note, token = found
    write_new_bytes(args.file, token)
    if args.json:
        print_json({"file": str(args.file), "note": note})
    else:
        print(note, end="")
    return 0


async def print_verifier(_args: argparse.Namespace) -> int:
    """Print the program."""
    print(files("bridge.archive").joinpath("verifier.py").read_text(encoding="utf-8"), end="")
    return 0


def notary_of(services: Services) -> Notary:
    """Return who signs the archive."""
    config = services.config
    reopen = functools.partial(signing.open_key_of, config.data)
    return Notary(services.pool, signing.open_key(config.data), origin_of(config.homeserver.server_name), reopen)


async def _known_signer(services: Services, *, asked: bool) -> Signer | None:
    """Return whose checkpoints count; nobody's before there is any, unless checkpoints are asked for."""
    if not asked and await proof_store.read_newest_checkpoint(services.pool) is None:
        return None
    config = services.config
    trusted = signing.open_public_key(config.data)
    return await signer_of(services.pool, origin_of(config.homeserver.server_name), trusted)


def _kept(path: Path | None, signer: Signer | None) -> list[Checkpoint]:
    """Return the checkpoints of a file, checked."""
    return [signer.check(note) for note in _notes(path)] if path and signer else []


def _notes(path: Path) -> list[str]:
    try:
        notes = split_notes(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}. Name a file of checkpoints.") from error
    if not notes:
        raise InputError(f"{path} holds no checkpoint.")
    return notes
