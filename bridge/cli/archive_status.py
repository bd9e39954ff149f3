"""`muster archive status`: how large the archive is, and how complete, all in all and room by room."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.archive import store
from bridge.archive.completeness_store import read_statements
from bridge.archive.completeness_text import (
    named_statement_as_json,
    statement_as_text,
    statements_as_table,
    status_as_json,
    status_as_text,
)
from bridge.archive.status import status
from bridge.cli.command import print_json, width, with_services
from bridge.errors import UnknownNameError
from bridge.ids import RoomId

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.membership.room_past import RoomPast


def add_status(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "status",
        help="show size, root and completeness",
        description="Shows how large the archive is and how complete; for a room: first and last event, how many were "
        "seen live and how many fetched afterwards, what is missing and why.",
    )
    parser.add_argument("room", nargs="?", metavar="ROOM", help="only this room: ID, key, alias or name")
    parser.add_argument("--rooms", action="store_true", help="a line for each room, the incomplete ones first")
    parser.set_defaults(handler=with_services(show_status))


async def show_status(args: argparse.Namespace, services: Services) -> int:
    """Print the figures."""
    if args.room or args.rooms:
        await _show_rooms(args, services)
        return 0
    found = await status(services.pool)
    if args.json:
        print_json(status_as_json(found))
    else:
        print(status_as_text(found, width()))
    return 0


async def _show_rooms(args: argparse.Namespace, services: Services) -> None:
    from bridge.membership.room_past import find_room

    rooms = await _rooms(services)
    names = {room_id: room.key or room.name or room.alias for room_id, room in rooms.items()}
    wanted: list[RoomId] | None = None
    if args.room:
        wanted = [RoomId(args.room) if args.room.startswith("!") else find_room(args.room, rooms).room_id]
    with store.database_errors():
        found = await read_statements(services.pool, wanted)
    if wanted and not found:
        raise UnknownNameError(f"The archive knows no room {args.room}. `muster archive status --rooms` lists them.")
    if args.json:
        listed = [named_statement_as_json(one, names.get(one.room_id, "")) for one in found]
        print_json(listed[0] if wanted else listed)
    elif wanted:
        print(statement_as_text(found[0], names.get(found[0].room_id, ""), width()))
    else:
        print(statements_as_table(found, names, width()) if found else "The archive knows no room yet.")


async def _rooms(services: Services) -> dict[RoomId, RoomPast]:
    from bridge.cli.why import setting_of
    from bridge.membership.past import read_rooms

    async with store.snapshot(services.pool) as connection:
        return await read_rooms(connection, services.clock(), setting_of(services))
