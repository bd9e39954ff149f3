"""Following the rooms: who is in them and with which power, from the events.

`Membership` is a consumer of the archive's event feed. It keeps the current state and notes those users whose
membership or power in a managed room somebody else has changed; putting that right is left to `reconcile`, which
the note wakes. A name or topic that somebody else has given waits for the next look at everything. Handling the same
events again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.clock import Clock, from_milliseconds
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId
from bridge.membership import barrier_watch, member_store

if TYPE_CHECKING:
    from bridge.database import Pool

_MEMBERSHIPS = ("join", "invite", "knock", "leave", "ban")


def memberships_of(events: Iterable[Event], now: datetime) -> list[member_store.Membership]:
    """Return the last membership that the events tell for each room and user.

    An event dated in the future counts as of now, else nothing after it would be believed.
    """
    last: dict[tuple[RoomId, UserId], Event] = {}
    for event in events:
        if event.type == "m.room.member" and event.state_key and event.content.get("membership") in _MEMBERSHIPS:
            key = event.room_id, UserId(event.state_key)
            if key not in last or last[key].timestamp <= event.timestamp:
                last[key] = event
    return [
        member_store.Membership(
            room_id=room_id,
            user_id=user_id,
            membership=event.content["membership"],
            event_id=event.event_id,
            changed_at=_moment(event, now),
            sender=event.sender,
        )
        for (room_id, user_id), event in sorted(last.items())
    ]


def levels_of(content: Mapping[str, Any]) -> dict[UserId, int]:
    """Return who differs from level 0 by the content of `m.room.power_levels`."""
    users = content.get("users")
    if not isinstance(users, dict):
        return {}
    return {UserId(user): level for user, level in users.items() if type(level) is int and level}


class Membership:
    """The consumer; `bot` is ours."""

    name = "membership"

    def __init__(self, pool: Pool, *, bot: UserId, clock: Clock) -> None:
        self._pool = pool
        self._bot = bot
        self._clock = clock

    async def handle(self, events: Sequence[Event]) -> None:
        """Take in a batch, in one database transaction."""
        now = self._clock()
        members = memberships_of(events, now)
        power = {event.room_id: event for event in sorted(events, key=_timestamp) if _ranks(event)}
        described = [event for event in events if _describes(event) and event.sender != self._bot]
        if not (members or power or described):
            return
        async with self._pool.acquire() as connection, connection.transaction():
            before = await barrier_watch.read_before(connection, members)
            touched = await member_store.apply_memberships(connection, members, bot=self._bot)
            if before:
                order = {event.event_id: place for place, event in enumerate(events)}
                await barrier_watch.watch(
                    connection, sorted(members, key=lambda each: order[each.event_id]), before, now
                )
            for event in power.values():
                touched += await member_store.apply_power(
                    connection, event.room_id, levels_of(event.content), _moment(event, now)
                )
            for event in described:
                await member_store.rename_room(
                    connection, event.room_id, name=_text(event, "name"), topic=_text(event, "topic")
                )
            if touched:
                await member_store.note_drift(connection, touched)


def _moment(event: Event, now: datetime) -> datetime:
    return from_milliseconds(min(event.timestamp, int(now.timestamp() * 1000)))


def _timestamp(event: Event) -> int:
    return event.timestamp


def _ranks(event: Event) -> bool:
    return event.type == "m.room.power_levels" and event.state_key == ""


def _describes(event: Event) -> bool:
    return event.type in {"m.room.name", "m.room.topic"} and event.state_key == ""


def _text(event: Event, field: str) -> str | None:
    """Return the name or topic that the event gives, None when it is about the other one."""
    if event.type != f"m.room.{field}":
        return None
    value = event.content.get(field)
    return value if isinstance(value, str) else ""
