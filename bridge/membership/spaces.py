"""What spaces list: putting a room there, and taking out what does not belong. Every act may be repeated."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from bridge.homeserver.event import Event
from bridge.homeserver.voice import StateVoice
from bridge.ids import RoomId, RoomKey
from bridge.membership import rooms
from bridge.membership.values import DesiredRoom


class Homeserver(StateVoice, Protocol):
    """What is done to rooms, as the bot."""

    server_name: str


async def list_room(
    homeserver: Homeserver, room: DesiredRoom, room_id: RoomId, places: Mapping[RoomKey, RoomId]
) -> None:
    """Have the room's spaces list it in its place, and the room name them; `places` has the spaces' room IDs."""
    orders = dict(zip(room.parents, room.order, strict=False))  # a room that only lost people may have none yet
    for parent in room.parents:
        child = rooms.in_space(room_id, homeserver.server_name, orders.get(parent, ""))
        await _send(homeserver, places[parent], child)
        above = rooms.under_space(places[parent], homeserver.server_name, canonical=parent == room.parents[0])
        await _send(homeserver, room_id, above)


async def drop_room(
    homeserver: Homeserver, room_id: RoomId, parents: Sequence[RoomKey], places: Mapping[RoomKey, RoomId]
) -> None:
    """Have these spaces, as far as they are there, list the room no longer."""
    for parent in parents:
        if parent in places:
            await _send(homeserver, places[parent], rooms.not_in_space(room_id))
            await _send(homeserver, room_id, rooms.not_under_space(places[parent]))


async def drop_strangers(homeserver: Homeserver, space: RoomId, own: Collection[RoomId]) -> None:
    """Have a space list nothing but its `own` rooms, the policy's."""
    listed = {event.state_key or "": event.content for event in await homeserver.state(space) if _lists(event)}
    for child in rooms.strangers_in_space(listed, own):
        await _send(homeserver, space, rooms.not_in_space(child))


def _lists(event: Event) -> bool:
    return event.type == "m.space.child"


async def _send(homeserver: Homeserver, room_id: RoomId, event: rooms.StateEvent) -> None:
    await homeserver.send_state(room_id, event.type, event.state_key, event.content)
