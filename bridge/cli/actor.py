"""Who runs a command that is recorded in the archive's log."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from bridge.archive.entry import Actor
from bridge.cli.command import system_user
from bridge.directory.store import load_person

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.directory.person import Person


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
    return actor_for(await load_person(services.pool, args.actor) if args.actor else None)


def actor_for(person: Person | None) -> Actor:
    """Return who runs the command, as this person; without one the user of the operating system."""
    os_user = os.environ.get("SUDO_USER") or system_user() or str(os.getuid())
    return Actor(person.user_name if person else os_user, os_user)
