"""`muster rooms`: the rooms that people made themselves, which no rule of the policy is about."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.cli.command import print_json, width, with_services
from bridge.ids import RoomId
from bridge.membership import place_store, store, unmanaged_store
from bridge.membership.unmanaged import NOTICE

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


@dataclass(frozen=True, slots=True)
class OwnRoom:
    """A room that people made."""

    room_id: RoomId
    name: str
    creator: str
    since: datetime | None
    """When it was made, as far as the archive knows."""
    members: int
    """Of this server."""
    version: str
    is_encrypted: bool
    is_space: bool
    fate: str
    """What Muster has done about it: `adopted`, `to be closed on 2026-03-09`, `closed`; empty for nothing."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "rooms",
        help="list the rooms that people made themselves",
        description="Asks the homeserver for the rooms that Muster does not manage, direct chats among them, and shows "
        "who made each and when, how many of this server are in it, and whether it is encrypted; the largest first.",
    )
    parser.set_defaults(handler=with_services(rooms))


async def rooms(args: argparse.Namespace, services: Services) -> int:
    """Print the rooms."""
    ours = {place.room_id for place in (await place_store.read_places(services.pool)).values()}
    bot = services.homeserver.bot
    details = [
        each
        for each in await services.homeserver.room_details()
        if each["room_id"] not in ours and each.get("creator") != bot  # who talks with people in rooms of its own
    ]
    made = await store.read_created(services.pool, [RoomId(each["room_id"]) for each in details])
    fates = {room_id: _fate(*fate) for room_id, fate in (await unmanaged_store.read_fates(services.pool)).items()}
    found = [
        _room(each, made.get(RoomId(each["room_id"])), fates.get(RoomId(each["room_id"]), ""))
        for each in details
        if each.get("joined_members")
    ]
    found.sort(key=lambda room: (-room.members, room.room_id))
    if args.json:
        print_json([asdict(room) for room in found])
    elif not found:
        print("Nobody has made a room.")
    else:
        for room in found:
            for line in _lines(room, width()):
                print(line)
    return 0


def _fate(announced_at: datetime | None, closed: bool) -> str:
    if closed or announced_at is None:
        return "closed" if closed else "adopted"
    return f"to be closed on {(announced_at + NOTICE).date()}"


def _room(details: dict[str, Any], since: datetime | None, fate: str) -> OwnRoom:
    return OwnRoom(
        room_id=RoomId(details["room_id"]),
        name=details.get("name") or details.get("canonical_alias") or "",
        creator=details.get("creator") or "",
        since=since,
        members=details.get("joined_local_members") or 0,
        version=details.get("version") or "",
        is_encrypted=bool(details.get("encryption")),
        is_space=details.get("room_type") == "m.space",
        fate=fate,
    )


def _lines(room: OwnRoom, columns: int) -> Iterator[str]:
    since = f", made {room.since:%Y-%m-%d}" if room.since is not None else ""
    traits = "".join(
        [
            ", encrypted" if room.is_encrypted else "",
            ", space" if room.is_space else "",
            f", {room.fate}" if room.fate else "",
        ]
    )
    counted = f"{room.members} member{'s' if room.members != 1 else ''}"
    text = f"{room.name or '(no name)'}: {counted}, by {room.creator}{since}, version {room.version}{traits}"
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    yield from textwrap.wrap(shown, columns, subsequent_indent="  ", break_on_hyphens=False)
    yield f"  {room.room_id}"
