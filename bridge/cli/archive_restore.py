"""`muster archive restore`: say a lost message, or those of a purged room, again."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from bridge.archive.blob import Blobs, open_blobs
from bridge.archive.restoration import Found, Request, Tally, find, give_back, make_room
from bridge.archive.returned_files import ReturnedFiles
from bridge.cli.actor import add_actor
from bridge.cli.apply import shown_progress
from bridge.cli.archive_case import access_of, add_case_option
from bridge.cli.command import print_json, with_services
from bridge.errors import InputError
from bridge.ids import RoomId, UserId
from bridge.membership.called import called
from bridge.membership.lifecycle_store import standing_of

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_restore(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "restore",
        help="say a lost message, or a purged room, again",
        description="Gives back what the homeserver has lost: the bot says each message again, with who wrote it and "
        "when. When the room is gone it makes a new one, and invites who was in the old one last. Again sends nothing "
        "twice.",
    )
    parser.add_argument("what", metavar="EVENT|ROOM", help="a message or a room by its ID, quoted for the shell")
    parser.add_argument("--to", type=RoomId, metavar="ROOM", help="into this room; all messages, not only lost ones")
    parser.add_argument("--deleted", action="store_true", help="messages that people deleted too; needs --reason")
    parser.add_argument("--reason", metavar="TEXT", help="why; recorded in `muster archive log`")
    add_case_option(parser)
    add_actor(parser)
    parser.set_defaults(handler=with_services(restore))


async def restore(args: argparse.Namespace, services: Services) -> int:
    """Give back what was lost, and say what became of it."""
    if args.deleted and not args.reason:
        raise InputError("Deleted messages are restored for a reason only. Name it with --reason TEXT.")
    access = await access_of(args, services)
    found = await find(services.pool, services.homeserver, Request(args.what, args.to), access)
    details = {
        "event" if args.what.startswith("$") else "room": args.what,
        "to": found.target,
        "deleted": args.deleted,
        "reason": args.reason,
    }
    await access.record("restore", details)
    target, invited = found.target, 0
    if target is None:
        allowed = partial(_still_here, services)
        target, invited = await make_room(services.pool, services.homeserver, found.room_id, allowed)
    with shown_progress("restoring", "messages") as progress:
        tally = await give_back(
            services.pool,
            services.homeserver,
            found,
            target,
            deleted=args.deleted,
            named=partial(_names, services),
            filed=ReturnedFiles(services.pool, services.homeserver, _blobs(services)).upload,
            clock=services.clock,
            progress=progress,
        )
    _report(args, found, target, invited, tally)
    return 0


def _report(args: argparse.Namespace, found: Found, target: RoomId, invited: int, tally: Tally) -> None:
    encrypted = 0 if args.what.startswith("$") else found.encrypted
    if args.json:
        print_json({"room": target, "invited": invited, **asdict(tally), "encrypted": encrypted})
        return
    new = f", a new room; {invited} people are invited" if found.target is None else ""
    print(f"{_messages(tally.restored)} restored to {target}{new}.")
    for count, what in (
        (tally.before, "restored there before"),
        (tally.there, "not lost: still on the homeserver"),
        (tally.deleted, "left out, because people deleted them: --deleted brings them back"),
        (encrypted, "left out, because they are encrypted"),
    ):
        if count:
            print(f"{_messages(count)} {what}.")


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"


def _blobs(services: Services) -> Blobs:
    return open_blobs(services.config.archive.media, services.config.data)


async def _still_here(services: Services, users: Collection[UserId]) -> set[UserId]:
    """Return who of them has not left the company; accounts that are none of Muster's stay."""
    standing = await standing_of(services.pool, users)
    return {user for user in users if standing.get(user, True)}


async def _names(services: Services, users: Collection[UserId], at: datetime) -> Mapping[UserId, str]:
    return await called(services.pool, users, at, services.config.directory.timezone)
