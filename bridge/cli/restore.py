"""`muster restore`: put a backup back into an empty database, and the files beside it."""

from __future__ import annotations

import argparse
import getpass
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import rendering, signing
from bridge.archive.checkpoint import origin_of
from bridge.archive.verify import Signer, signer_of, verify
from bridge.cli.apply import shown_progress
from bridge.cli.command import from_here, print_json
from bridge.config import load_config, read_config
from bridge.errors import InputError

if TYPE_CHECKING:
    from bridge.archive.inspection import Verdict
    from bridge.backup.lock import Key
    from bridge.backup.manifest import About, Contents
    from bridge.backup.recovery import Placement
    from bridge.cli.command import Subparsers
    from bridge.config import Config
    from bridge.database import Pool


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "restore",
        help="put a backup back into an empty database",
        description="Puts what `muster backup` wrote into an empty database, and writes configuration, policy, "
        "registration and the archive's key where they are missing. Then it verifies the archive and compares its "
        "root with the backup's. Stop the service first.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the backup")
    parser.add_argument("--identity", type=Path, metavar="KEY", help="the file with the age key that opens it")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="the passphrase is this file's first line")
    parser.set_defaults(handler=restore)


async def restore(args: argparse.Namespace) -> int:
    """Put a backup back, prove the copy, and print both roots."""
    from bridge.app import open_empty_storage, open_storage
    from bridge.archive.blob import open_blobs
    from bridge.backup.parcel import ParcelReader
    from bridge.backup.recovery import open_backup, place_files, recover, write_files
    from bridge.backup.snapshot import place_of

    with ParcelReader(args.file, _key(args)) as reader:
        backup = await open_backup(reader)
        config = _config(args.config, backup.files)
        placement = place_files(backup.files, {name: place_of(config, name) for name in backup.files})
        async with open_empty_storage(config, backup.about.schema) as connection:
            with shown_progress("restoring", "tables") as progress:
                contents = await recover(
                    connection, backup, partial(open_blobs, config.archive.media, config.data), progress
                )
            write_files(placement)
    async with open_storage(config) as storage:
        with shown_progress("verifying", "events") as progress:
            verdict = await verify(storage.pool, progress, signer=await _signer(storage.pool, config, backup.files))
    _report(args, backup.about, contents, verdict, placement)
    return 0 if verdict.ok and verdict.root.hex() == contents.root else 1


def _report(args: argparse.Namespace, about: About, contents: Contents, verdict: Verdict, placement: Placement) -> None:
    root = verdict.root.hex()
    if args.json:
        print_json(
            {
                "made_at": about.made_at,
                "files": contents.files,
                "backup": {"events": contents.size, "root": contents.root},
                "restored": rendering.verdict_as_json(verdict),
                "written": [str(path) for path in placement.missing],
                "kept": [str(path) for path in placement.other],
            }
        )
        return
    print(f"Restored the backup of {about.server_name} from {about.made_at}.")
    for path in placement.missing:
        print(f"wrote   {from_here(path)}")
    for path in placement.other:
        print(f"kept    {from_here(path)}, which differs from the backup's")
    if contents.files:
        print(f"files   {contents.files:,}, back in the archive's store")
    print(f"backup  {contents.root} of {contents.size:,} events")
    print(f"here    {root} of {verdict.size:,} events")
    if verdict.ok:
        print("Every event and the root agree.")
    else:  # every byte is as it was put in
        print("The archive was damaged before it was backed up:")
        print(rendering.verdict_as_text(verdict))


def _key(args: argparse.Namespace) -> Key:
    from bridge.backup.lock import Key, read_key, read_words, wants_passphrase

    if args.identity:
        return read_key(args.identity)
    if args.passphrase_file:
        return Key(words=read_words(args.passphrase_file))
    if not wants_passphrase(args.file):
        raise InputError("The backup was made for a key, not for a passphrase. Name it with `--identity KEY`.")
    if not sys.stdin.isatty():
        raise InputError("The backup was made with a passphrase. Name a file that holds it: --passphrase-file FILE.")
    return Key(words=getpass.getpass("Passphrase of the backup: "))


def _config(path: Path, files: dict[str, bytes]) -> Config:
    """Return the configuration that is there, else the backup's."""
    if path.exists():
        return load_config(path)
    return read_config(files["config.yaml"].decode(), path)


async def _signer(pool: Pool, config: Config, files: dict[str, bytes]) -> Signer | None:
    """Return whose checkpoints the backup's are; nobody's before there was any."""
    if signing.PRIVATE_KEY not in files:
        return None
    key = signing.open_key(config.data).public_key()
    return await signer_of(pool, origin_of(config.homeserver.server_name), key)
