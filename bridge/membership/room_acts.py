"""Creating and changing one managed room on the homeserver, and remembering that it is so now.

Every act may be repeated, and raises as `acts` says; which rooms there ought to be is decided by `desired`, what they
are made of by `rooms`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from bridge.archive import residence
from bridge.clock import Clock
from bridge.errors import HomeserverError, RefusedError
from bridge.homeserver.event import Event
from bridge.homeserver.voice import StateVoice
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership import elsewhere, member_store, rooms, spaces, store
from bridge.membership.current import memberships_of
from bridge.membership.place_store import Place
from bridge.membership.values import FIELDS, Change, DesiredRoom
from bridge.policy.schema import RoomKind
from bridge.policy.settings import Settings

if TYPE_CHECKING:
    from bridge.database import Pool


class Homeserver(StateVoice, Protocol):
    """What is done to rooms as the bot."""

    bot: UserId
    server_name: str

    async def register(self, user_id: UserId) -> None: ...
    async def create_room(self, content: Mapping[str, object]) -> RoomId: ...
    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...
    async def join(self, room_id: RoomId, *, as_user: UserId) -> None: ...
    async def resolve_alias(self, alias: str) -> RoomId | None: ...
    async def delete_alias(self, alias: str) -> None: ...
    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None: ...


class RoomActs:
    """Acts for one run: `wanted` are the rooms that the plan names, `places` those that are there, kept up to date."""

    def __init__(
        self,
        pool: Pool,
        homeserver: Homeserver,
        *,
        wanted: Mapping[RoomKey, DesiredRoom],
        places: dict[RoomKey, Place],
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._wanted = wanted
        self._places = places
        self._clock = clock

    async def create(self, change: Change) -> RoomId:
        """Create a room, or find the one that an interrupted run created, and finish its set-up.

        The row without a room ID stands until all is done, so whatever stops us in between, this is done again.
        """
        room = self._wanted[RoomKey(change.room)]
        alias = rooms.alias_of(room.key, self._homeserver.server_name)
        await store.write_intent(self._pool, room, alias)
        room_id = await self._find_room(room, alias) if room.key in self._places else None
        if room_id is None:
            room_id = await self._make_room(room, alias)
        if room.settings.encrypted and residence.can_decrypt():
            await residence.bring_in(self._homeserver, room_id)
        await spaces.list_room(self._homeserver, room, room_id, self._room_ids())
        await store.complete_room(self._pool, room, room_id)
        self._places[room.key] = Place(
            room.key,
            room_id,
            room.kind,
            room.name,
            room.topic,
            room.parents,
            room.open_to,
            alias,
            room.settings,
            order=room.order,
        )
        return room_id

    async def _make_room(self, room: DesiredRoom, alias: str) -> RoomId:
        body = rooms.creation(room, self._room_ids(), self._homeserver.server_name)
        try:
            room_id = await self._homeserver.create_room(body)
        except HomeserverError as error:
            found = await self._find_room(room, alias) if error.errcode == "M_ROOM_IN_USE" else None
            if found is None:
                raise
            return found
        await member_store.put_power(self._pool, room_id, {})
        return room_id

    async def _find_room(self, room: DesiredRoom, alias: str) -> RoomId | None:
        """Return the room that the alias leads to, with its set-up finished; None when there is none of use."""
        room_id = await self._homeserver.resolve_alias(alias)
        if room_id is None:
            return None
        events = await elsewhere.read_state(self._homeserver, room_id) or []
        present = {(event.type, event.state_key or ""): event.content for event in events}
        bot = present.get(("m.room.member", self._homeserver.bot), {})
        if ("m.room.create", "") not in present or bot.get("membership") != "join":
            await self._homeserver.delete_alias(alias)  # the homeserver was stopped before the room came to life
            return None
        marked = present.get((rooms.MARKER, ""), {}).get("key", room.key)
        if marked != room.key:
            raise RefusedError(
                f"{alias} leads to a room that is marked {marked!r}, not {room.key!r}. Remove the alias."
            )
        for event in rooms.missing_state(room, present, self._room_ids(), self._homeserver.server_name):
            await self._homeserver.send_state(room_id, event.type, event.state_key, event.content)
        await self._take_in(room_id, events)
        return room_id

    async def _take_in(self, room_id: RoomId, events: Sequence[Event]) -> None:
        """Remember who is in a room that was found, and with which power."""
        members = [replace(member, room_id=room_id) for member in memberships_of(events, self._clock())]
        await member_store.apply_memberships(self._pool, members, bot=self._homeserver.bot)
        levels = [rooms.levels_of(event.content) for event in events if event.type == "m.room.power_levels"]
        await member_store.put_power(self._pool, room_id, levels[-1] if levels else {})

    async def change(self, change: Change, room_id: RoomId) -> None:
        """Bring name, topic, kind, settings and place in the spaces to what the policy says."""
        room, place = self._wanted[RoomKey(change.room)], self._places[RoomKey(change.room)]
        fields = change.value.split(", ")
        if "name" in fields:
            await self._homeserver.send_state(room_id, "m.room.name", "", {"name": room.name})
        if "topic" in fields:
            await self._homeserver.send_state(room_id, "m.room.topic", "", {"topic": room.topic})
        settings = room.settings.over(place.settings)
        if "encryption" in fields and residence.can_decrypt():
            await residence.bring_in(self._homeserver, room_id)
        for event in self._changed_settings(room, frozenset(fields), settings):
            await self._homeserver.send_state(room_id, event.type, event.state_key, event.content)
        if "kind" in fields or any(field.startswith("may ") for field in fields):
            await self._change_levels(room_id, room.kind, settings)
        if "parents" in fields or "order" in fields:
            await spaces.list_room(self._homeserver, room, room_id, self._room_ids())
        if "parents" in fields:
            left = sorted(set(place.parents) - set(room.parents))
            await spaces.drop_room(self._homeserver, room_id, left, self._room_ids())
        if "children" in fields:
            own = {child.room_id for child in self._places.values() if child.room_id and room.key in child.parents}
            await spaces.drop_strangers(self._homeserver, room_id, own)
        made = {field: getattr(room if field in fields else place, field) for field in FIELDS}
        value = room.value if "value" in fields else place.value or ""
        await store.describe_room(self._pool, replace(room, **made, value=value), settings)
        self._places[room.key] = replace(place, **made, settings=settings, value=value or None)

    def _changed_settings(
        self, room: DesiredRoom, fields: frozenset[str], after: Settings
    ) -> Iterator[rooms.StateEvent]:
        """Yield the state that makes those settings of a room that are named the ones of `after`, beside its levels."""
        if "avatar" in fields and after.avatar is not None:
            yield rooms.avatar(after.avatar)
        if fields & {"open_to", "join"}:
            space = self._room_ids()[room.open_to] if room.open_to is not None else None
            yield rooms.join_rule(space, knock=after.knock)
        if fields & {"kind", "history"}:
            yield rooms.visibility(room.kind, after.history)
        if "encryption" in fields:
            yield rooms.encryption()
        if "guest_access" in fields:
            yield rooms.NO_GUESTS

    async def _change_levels(self, room_id: RoomId, kind: RoomKind, settings: Settings) -> None:
        """Say anew what takes which power; who has power keeps it."""
        content = await self._homeserver.state_event(room_id, "m.room.power_levels") or {}
        levels = rooms.power_levels(kind, rooms.levels_of(content), settings.may)
        await self._homeserver.send_state(room_id, "m.room.power_levels", "", levels)

    def _room_ids(self) -> dict[RoomKey, RoomId]:
        return {key: place.room_id for key, place in self._places.items() if place.room_id is not None}
