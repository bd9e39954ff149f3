"""`muster archive rotate-key`: another key for the archive."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import signing
from bridge.archive.checkpoint import origin_of
from bridge.archive.rotate import rotate
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.command import print_json, with_services

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_rotate_key(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "rotate-key",
        help="sign the archive with a new key from now on",
        description="Makes a new key, has the old one vouch for it, and signs a checkpoint with both. What the old key "
        "signed stays good; from here on it counts no more. Run it as the service's user; the service need not stop.",
    )
    parser.add_argument(
        "--lost",
        type=Path,
        metavar="PUBKEY",
        help="the old private key is lost: PUBKEY is its public half, as the auditors have it. Nobody vouches for the "
        "new key then, so give it to them in person",
    )
    add_actor(parser)
    parser.set_defaults(handler=with_services(rotate_key))


async def rotate_key(args: argparse.Namespace, services: Services) -> int:
    """Sign with both keys, and put the new one in its place."""
    config = services.config
    actor = await actor_of(args, services)
    old = signing.read_public_key_file(args.lost) if args.lost else signing.open_key(config.data)
    new = signing.open_next_key(config.data)
    origin = origin_of(config.homeserver.server_name)
    rotated = await rotate(services.pool, origin, old, new, actor, services.clock())
    signing.open_key_of(config.data, new.public_key())
    name, size = signing.key_id(new.public_key()), rotated.rotation.size
    if args.json:
        found = {"key_id": name, "size": size, "public_key": signing.public_pem(new.public_key())}
        print_json({**found, "statement": rotated.statement, "checkpoint": rotated.checkpoint})
    else:
        print(f"From event {size} on the key {name} signs the archive.\n\n{rotated.checkpoint}\n{rotated.statement}")
        print("Back up archive-key.pem, and destroy the old one in older backups.")
        if args.lost:
            print("Give archive-key.pub.pem to the auditors, in person, and restart the service.")
        else:
            print("Whoever has the old public key learns of the new one from every proof.")
    return 0
