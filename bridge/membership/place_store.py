"""The managed rooms as their rows have them.

There may be ten thousand, and one change in HR needs to know which there are. They seldom change, so what was read is
kept; the database gives the list of rooms another token with every change, and only then they are read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.directory.expression import fold
from bridge.ids import RoomId, RoomKey
from bridge.membership.values import CurrentRoom
from bridge.policy.schema import RoomKind
from bridge.policy.settings import PLAIN, Settings, from_json

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Place:
    """A managed room as its row has it; `room_id` is None while only the intent is written."""

    key: RoomKey
    room_id: RoomId | None
    kind: RoomKind
    name: str
    topic: str
    parents: tuple[RoomKey, ...]
    open_to: RoomKey | None
    alias: str
    settings: Settings = PLAIN
    value: str | None = None
    """Of `for_each`, where it is not the one in the key."""
    order: tuple[str, ...] = ()
    """Its place among what each of the `parents` lists."""


@dataclass(frozen=True, slots=True)
class Places:
    """All of them at one moment. Nobody may change these mappings."""

    by_key: Mapping[RoomKey, Place] = field(default_factory=dict)
    """Those of which only the intent is written among them."""
    keys: Mapping[RoomId, RoomKey] = field(default_factory=dict)
    empty: Mapping[RoomKey, CurrentRoom] = field(default_factory=dict)
    """The rooms that are made, as if nobody were in them."""
    served: Mapping[RoomKey, str] = field(default_factory=dict)
    """As in `Current`."""


async def read_all_places(db: Connection | Pool) -> Places:
    """Return every managed room."""
    token = await db.fetchval("SELECT token FROM room_list")
    if token != _READ.token:
        # Token and rows in one statement are of one moment.
        rows = await db.fetch(
            """SELECT token, key, room_id, kind, name, topic, parents, orders, open_to, alias, settings, value
               FROM room_list LEFT JOIN managed_room ON true"""
        )
        _READ.token, _READ.places = rows[0]["token"], _places([_place(row) for row in rows if row["key"] is not None])
    return _READ.places


async def read_places(db: Connection | Pool) -> dict[RoomKey, Place]:
    """Return every managed room by its key, those of which only the intent is written among them."""
    return dict((await read_all_places(db)).by_key)


async def read_place_keys(db: Connection | Pool, room_ids: Collection[RoomId]) -> dict[RoomId, RoomKey]:
    """Return which of these are managed rooms, with their keys."""
    rows = await db.fetch("SELECT room_id, key FROM managed_room WHERE room_id = ANY($1)", list(room_ids))
    return {RoomId(row["room_id"]): RoomKey(row["key"]) for row in rows}


class _Read:
    """What was read last by this process."""

    token: UUID | None = None
    places = Places()


_READ = _Read()


def _places(places: Collection[Place]) -> Places:
    made = [(place, place.room_id) for place in places if place.room_id is not None]
    return Places(
        {place.key: place for place in places},
        {room_id: place.key for place, room_id in made},
        {place.key: _empty(place, room_id) for place, room_id in made},
        {place.key: place.value for place in places if place.value and not _is_own(place.key, place.value)},
    )


def _empty(place: Place, room_id: RoomId) -> CurrentRoom:
    return CurrentRoom(
        key=place.key,
        room_id=room_id,
        kind=place.kind,
        name=place.name,
        topic=place.topic,
        parents=place.parents,
        open_to=place.open_to,
        members=frozenset(),
        settings=place.settings,
        order=place.order,
    )


def _is_own(key: RoomKey, value: str) -> bool:
    """Tell whether the room was made for this value, however it is spelled."""
    return fold(key.partition("/")[2]) == fold(value)


def _place(row: asyncpg.Record) -> Place:
    return Place(
        key=RoomKey(row["key"]),
        room_id=row["room_id"],
        kind=RoomKind(row["kind"]),
        name=row["name"],
        topic=row["topic"],
        parents=tuple(row["parents"]),
        open_to=row["open_to"],
        alias=row["alias"],
        settings=from_json(row["settings"]),
        value=row["value"],
        order=tuple(row["orders"]),
    )
