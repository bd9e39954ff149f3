"""Who runs a command that is recorded in the archive's log."""

from __future__ import annotations

import argparse
import getpass
import os
from typing import TYPE_CHECKING

from bridge.archive.entry import Actor
from bridge.directory.store import load_person

if TYPE_CHECKING:
    from bridge.app import Services


def add_actor(parser: argparse.ArgumentParser) -> None:
    """Add `--as PERSON`."""
    parser.add_argument(
        "--as",
        dest="actor",
        metavar="PERSON",
        help="who you are: userName, externalId, id or display name; recorded in `muster archive log`, beside the "
        "operating system's user name",
    )


async def actor_of(args: argparse.Namespace, services: Services) -> Actor:
    """Return who runs the command; raises `UnknownNameError` when `--as` names nobody.

    Behind sudo the user of the operating system is who called it.
    """
    os_user = os.environ.get("SUDO_USER") or _os_user()
    if not args.actor:
        return Actor(os_user, os_user)
    return Actor((await load_person(services.pool, args.actor)).user_name, os_user)


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a user without a name
        return str(os.getuid())
