"""Following the rooms: who is in them and with which power, and how they are set up, from the events.

`Membership` is a consumer of the archive's event feed. It keeps the current state and notes what somebody else has
changed about which the policy has a say; putting that right is left to `reconcile`, which the note wakes. Handling the
same events again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.clock import Clock, from_milliseconds
from bridge.homeserver.event import Event
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership import barrier_watch, drift_store, member_store, place_store, profile_store, rooms
from bridge.membership.comparison import MEMBERSHIPS
from bridge.membership.fighting import MEMBER, POWER, Intervention

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


def memberships_of(events: Iterable[Event], now: datetime) -> list[member_store.Membership]:
    """Return the last membership that the events tell for each room and user.

    An event dated in the future counts as of now, else nothing after it would be believed.
    """
    last: dict[tuple[RoomId, UserId], Event] = {}
    for event in events:
        if event.type == "m.room.member" and event.state_key and event.content.get("membership") in MEMBERSHIPS:
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


def profiles_of(events: Iterable[Event], bot: UserId) -> list[profile_store.Shown]:
    """Return what the events show of people's profiles, the newest of each: the homeserver says a membership anew, in
    the person's own name, when the display name or the picture changes."""
    last = {
        UserId(event.state_key): event
        for event in sorted(events, key=_timestamp)
        if event.type == "m.room.member"
        and event.state_key == event.sender != bot
        and event.content.get("membership") == "join"
    }
    return [
        profile_store.Shown(
            user_id, event.event_id, _text(event.content.get("displayname")), _text(event.content.get("avatar_url"))
        )
        for user_id, event in sorted(last.items())
    ]


def shapes_of(places: Mapping[RoomKey, place_store.Place]) -> dict[RoomId, rooms.Shape]:
    """Return how Muster made each room, by its room ID."""
    ids = {key: place.room_id for key, place in places.items() if place.room_id is not None}
    return {
        room_id: rooms.Shape(
            key=key,
            room_id=room_id,
            kind=place.kind,
            name=place.name,
            topic=place.topic,
            parents=tuple(ids[parent] for parent in place.parents if parent in ids),
            open_to=ids.get(place.open_to) if place.open_to is not None else None,
            settings=place.settings,
            orders={
                ids[parent]: order for parent, order in zip(place.parents, place.order, strict=False) if parent in ids
            },
        )
        for key, place in places.items()
        if (room_id := place.room_id) is not None
    }


class Membership:
    """The consumer; `bot` is ours."""

    name = "membership"

    def __init__(self, pool: Pool, *, bot: UserId, clock: Clock) -> None:
        self._pool = pool
        self._bot = bot
        self._clock = clock

    async def handle(self, events: Sequence[Event]) -> None:
        """Take in a batch, in one database transaction."""
        members = memberships_of(events, self._clock())
        power = {event.room_id: event for event in sorted(events, key=_timestamp) if _ranks(event)}
        settings = [event for event in events if _sets(event) and event.sender != self._bot]
        if shown := profiles_of(events, self._bot):
            await profile_store.note_doubts(self._pool, shown)
        if not (members or power or settings):
            return
        async with self._pool.acquire() as connection, connection.transaction():
            before = await barrier_watch.read_before(connection, members)
            await self._take_in(connection, members, power, settings)
            if before:
                order = {event.event_id: place for place, event in enumerate(events)}
                newest_last = sorted(members, key=lambda each: order[each.event_id])
                await barrier_watch.watch(connection, newest_last, before, self._clock())

    async def _take_in(
        self,
        connection: Connection,
        members: Sequence[member_store.Membership],
        power: Mapping[RoomId, Event],
        settings: Sequence[Event],
    ) -> None:
        now = self._clock()
        changed = await member_store.apply_memberships(connection, members, bot=self._bot)
        touched = {member.user_id for member in changed}
        found = [_intervention(member, now) for member in changed]
        for event in power.values():
            levels = rooms.levels_of(event.content)
            users = await member_store.apply_power(connection, event.room_id, levels, _moment(event, now))
            touched.update(users)
            found += [_change(event, event.room_id, user, POWER, str(levels.get(user, 0)), now) for user in users]
        found += await self._altered(connection, settings, now)
        if touched:
            await member_store.note_drift(connection, touched)
        if others := [one for one in found if one.sender != self._bot]:
            await drift_store.note_interventions(connection, others)

    async def _altered(self, connection: Connection, events: Sequence[Event], now: datetime) -> list[Intervention]:
        """Return which settings of managed rooms are not as Muster made them."""
        if not events or not await place_store.read_place_keys(connection, {event.room_id for event in events}):
            return []
        shapes = shapes_of(await place_store.read_places(connection))
        last = {(event.room_id, event.type, event.state_key): event for event in sorted(events, key=_timestamp)}
        found = []
        for event in last.values():
            of = rooms.altered(event.type, event.state_key or "", event.content, event.room_id, shapes)
            if of is not None:
                found.append(_change(event, of[0], UserId(""), of[1], "", now))
        return found


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""


def _intervention(member: member_store.Membership, now: datetime) -> Intervention:
    return Intervention(
        0, member.room_id, member.user_id, MEMBER, member.membership, member.sender, member.event_id, now
    )


def _change(event: Event, room_id: RoomId, subject: UserId, field: str, value: str, now: datetime) -> Intervention:
    return Intervention(0, room_id, subject, field, value, event.sender, event.event_id, now)


def _moment(event: Event, now: datetime) -> datetime:
    return from_milliseconds(min(event.timestamp, int(now.timestamp() * 1000)))


def _timestamp(event: Event) -> int:
    return event.timestamp


def _ranks(event: Event) -> bool:
    return event.type == "m.room.power_levels" and event.state_key == ""


def _sets(event: Event) -> bool:
    return event.type in rooms.SETTINGS and event.state_key is not None
