"""`muster backup`: all that Muster knows, encrypted, in one file; `muster restore` puts it back."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive.entry import Entry
from bridge.archive.log import record
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.apply import shown_progress
from bridge.cli.command import from_here, print_json, with_services
from bridge.errors import InputError

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.backup.lock import Lock
    from bridge.backup.snapshot import Taken
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "backup",
        help="write all that Muster knows to an encrypted file",
        description="Writes database, configuration, policy, registration and the archive's key to one encrypted "
        "file, while the service runs. `muster restore` puts it back.",
    )
    parser.add_argument(
        "place", type=Path, nargs="?", metavar="DIR|FILE", help="a new file, or a folder for one with the time as name"
    )
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="age1…",
        help="encrypt it for the holder of this age key; may be repeated",
    )
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="encrypt it with the passphrase in the file's first line"
    )
    parser.add_argument(
        "--new-key", type=Path, metavar="FILE", help="only make a key for backups, and print what to name after --to"
    )
    parser.add_argument(
        "--with-media", action="store_true", help="with the files that people shared; else only the list of them"
    )
    add_actor(parser)
    parser.set_defaults(handler=backup)


async def backup(args: argparse.Namespace) -> int:
    """Write a backup, or a key."""
    from bridge.backup.lock import new_key  # compiled code that other verbs need not load

    if args.new_key is None:
        return await with_services(write_backup)(args)
    public = new_key(args.new_key)
    if args.json:
        print_json({"key": str(args.new_key), "to": public})
    else:
        print(f"Wrote {args.new_key}. Keep it away from this machine: only it opens the backups.")
        print(f"To make them: muster backup DIR --to {public}")
    return 0


async def write_backup(args: argparse.Namespace, services: Services) -> int:
    """Write a backup and say what it is of."""
    from bridge.archive.blob import open_blobs
    from bridge.backup.snapshot import take

    if args.place is None:
        raise InputError("Expected a folder or a new file to write to. See `muster backup --help`.")
    actor, at = await actor_of(args, services), services.clock()
    lock = _lock(args)
    path = args.place / f"muster-{at:%Y%m%dT%H%M%SZ}.age" if args.place.is_dir() else args.place
    details = {"file": path.name, "to": args.to or None}
    await record(services.pool, Entry("backup", actor, details), at)
    config = services.config
    blobs = open_blobs(config.archive.media, config.data) if args.with_media else None
    with shown_progress("backing up", "tables") as progress:
        taken = await take(services.pool, config, path.absolute(), lock, at, progress, blobs)
    if args.json:
        print_json(_as_json(taken))
    else:
        print(f"Wrote {from_here(taken.path)}: {taken.bytes:,} bytes.")
        print(f"events  {taken.contents.size:,}")
        print(f"root    {taken.contents.root}")
        if args.with_media:
            print(f"files   {taken.contents.files:,}")
        if taken.damaged:
            print(f"{taken.damaged:,} files are missing or altered in the store, and not in the backup.")
    return 0


def _lock(args: argparse.Namespace) -> Lock:
    from bridge.backup.lock import lock_for, lock_with, read_words

    if args.to and args.passphrase_file:
        raise InputError("Expected keys or a passphrase, came both. Leave --to or --passphrase-file out.")
    if args.to:
        return lock_for(args.to)
    if args.passphrase_file:
        return lock_with(read_words(args.passphrase_file))
    if not sys.stdin.isatty():
        raise InputError("Expected whom to encrypt the backup for. Name --to age1… or --passphrase-file FILE.")
    words = getpass.getpass("Passphrase of the backup: ")
    if not words or getpass.getpass("Once more: ") != words:
        raise InputError("The two passphrases differ, or are empty. Nothing was written.")
    return lock_with(words)


def _as_json(taken: Taken) -> dict[str, object]:
    return {
        "file": str(taken.path),
        "bytes": taken.bytes,
        "schema": taken.about.schema,
        "made_at": taken.about.made_at,
        "events": taken.contents.size,
        "root": taken.contents.root,
        "files": taken.contents.files,
        "damaged_files": taken.damaged,
        "rows": dict(taken.contents.rows),
    }
