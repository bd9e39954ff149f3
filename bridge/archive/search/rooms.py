"""Rooms as search knows them: by number, and whether what is said there is closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bridge.archive import direct_room
from bridge.archive.batch import as_column, storable
from bridge.archive.direct_room import RoomFacts
from bridge.archive.search import store
from bridge.archive.search.segment import folded
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection

_MOST_REMEMBERED = 100_000
_LONGEST_NAME = 255


class Rooms:
    """Gives rooms their numbers, which they keep for ever; what it holds in memory the database says too."""

    def __init__(self, bot: UserId) -> None:
        self._bot = bot
        self._numbers: dict[RoomId, int] = {}

    def number(self, room: RoomId) -> int:
        """Return the number of a room that was learned."""
        return self._numbers[room]

    def forget(self) -> None:
        """Ask the database for every number: what was learned may not have been stored."""
        self._numbers.clear()

    async def learn(self, connection: Connection, events: Sequence[Event], found: Iterable[Event]) -> None:
        """Keep what the events say of their rooms, and have the numbers of those in which something was found."""
        if len(self._numbers) > _MOST_REMEMBERED:
            self._numbers.clear()
        states: dict[RoomId, list[Event]] = {}
        for event in events:
            if event.type in direct_room.TYPES and event.state_key is not None:
                states.setdefault(event.room_id, []).append(event)
        wanted = {*states, *({event.room_id for event in found} - self._numbers.keys())}
        if not wanted:
            return
        rows = await store.read_rooms(connection, [as_column(room_id) for room_id in wanted])
        known = {row["room_id"]: row for row in rows}
        for room_id in sorted(wanted):
            row = known.get(as_column(room_id))
            before = facts_of(row["facts"]) if row else RoomFacts()
            facts = before
            for event in states.get(room_id, ()):
                facts = direct_room.observe(facts, event, self._bot)
            if row is not None and facts == before:
                self._numbers[room_id] = row["id"]
                continue
            self._numbers[room_id] = await store.write_room(
                connection,
                as_column(room_id),
                _storable(folded(facts.name).strip()),
                facts.open_from,
                facts_as_json(facts),
            )


def facts_of(stored: Mapping[str, Any]) -> RoomFacts:
    """Return a room's facts as they were stored."""
    return RoomFacts(
        {UserId(user): since for user, since in stored["people"].items()},
        stored["said_direct"],
        stored["named_at"],
        stored["name"],
        stored["renamed_at"],
    )


def facts_as_json(facts: RoomFacts) -> dict[str, Any]:
    """Return a room's facts to be stored."""
    return {
        "people": {as_column(user): since for user, since in facts.people.items()},
        "said_direct": facts.said_direct,
        "named_at": facts.named_at,
        "name": _storable(facts.name),
        "renamed_at": facts.renamed_at,
    }


def _storable(name: str) -> str:
    """Return as much of a room's name as PostgreSQL can hold."""
    return storable(name.replace("\0", ""), _LONGEST_NAME)
