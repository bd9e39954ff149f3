"""`muster archive encrypted`: the archive's own device, and what of encrypted rooms it could read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive.encrypted_text import encryption_as_json, encryption_as_text
from bridge.archive.residence import can_decrypt
from bridge.archive.undecrypted import read_encryption
from bridge.cli.command import print_json, with_services

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_encrypted(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "encrypted",
        help="show the archive's device, and what it could not read",
        description="Shows the archive's own device with its key, to be compared with what clients show, and for "
        "each encrypted room how many events were read, and how many were not and why.",
    )
    parser.set_defaults(handler=with_services(show_encrypted))


async def show_encrypted(args: argparse.Namespace, services: Services) -> int:
    """Print device and rooms."""
    found = await read_encryption(services.pool)
    if args.json:
        print_json(encryption_as_json(found))
    else:
        print(encryption_as_text(found, can_decrypt=can_decrypt()))
    return 0
