"""Carrying out one change on the homeserver, and remembering that it is so now (memberships: by the entry's record).

Every act may be repeated: what is so already counts as done. `Actor.act` raises `HomeserverError` with the
homeserver's own words when a change is refused and `HomeserverUnavailableError` when nobody answers. Order,
concurrency and the audit log are left to `apply`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from bridge.clock import Clock
from bridge.errors import HomeserverError, HomeserverUnavailableError, RefusedError
from bridge.homeserver.event import Event
from bridge.ids import EventId, PersonId, RoomId, RoomKey, UserId
from bridge.membership import (
    adopting,
    elsewhere,
    lifecycle_store,
    member_store,
    profile_store,
    rooms,
    store,
    unmanaged,
)
from bridge.membership.current import memberships_of
from bridge.membership.guests import is_outside
from bridge.membership.lifecycle_store import Takeover
from bridge.membership.outsiders import invite_outsider
from bridge.membership.profile import divide
from bridge.membership.store import Place
from bridge.membership.values import FIELDS, Action, Change, CurrentAccount, DesiredRoom
from bridge.policy.schema import RoomKind
from bridge.policy.settings import Settings

if TYPE_CHECKING:
    from bridge.database import Pool

_GONE = frozenset({"leave", "ban"})


class Homeserver(Protocol):
    """What is done to rooms, as the bot or as the person."""

    bot: UserId
    server_name: str

    async def create_room(self, content: Mapping[str, object]) -> RoomId: ...
    async def resolve_alias(self, alias: str) -> RoomId | None: ...
    async def delete_alias(self, alias: str) -> None: ...
    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...
    async def join(self, room_id: RoomId, *, as_user: UserId) -> None: ...
    async def leave(self, room_id: RoomId, *, as_user: UserId, reason: str = "") -> None: ...
    async def kick(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...
    async def unban(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None: ...
    async def send_state(
        self,
        room_id: RoomId,
        event_type: str,
        state_key: str,
        content: Mapping[str, object],
        *,
        as_user: UserId | None = None,
    ) -> EventId: ...
    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None: ...
    async def state(self, room_id: RoomId) -> list[Event]: ...
    async def put_profile_field(self, user_id: UserId, name: str, text: str) -> None: ...
    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId: ...


class Accounts(Protocol):
    """What is done to accounts."""

    async def create(self, user_id: UserId, display_name: str) -> None: ...
    async def rename(self, user_id: UserId, display_name: str) -> None: ...
    async def lock(self, user_id: UserId) -> None: ...
    async def unlock(self, user_id: UserId) -> None: ...
    async def end_sessions(self, user_id: UserId) -> int: ...
    async def deactivate(self, user_id: UserId) -> None: ...
    async def joined_rooms(self, user_id: UserId) -> list[RoomId]: ...


@dataclass(frozen=True, slots=True)
class Done:
    """What is worth recording of a success."""

    room_id: RoomId | None = None
    sessions_ended: int | None = None
    membership: str | None = None
    """What the change has made of somebody's membership of the room; to be remembered with the entry."""


class Actor:
    """Acts for one run; it knows the rooms that the plan names and the ones that are there."""

    def __init__(
        self,
        pool: Pool,
        homeserver: Homeserver,
        accounts: Accounts,
        *,
        wanted: Mapping[RoomKey, DesiredRoom],
        places: Mapping[RoomKey, Place],
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._homeserver = homeserver
        self._accounts = accounts
        self._wanted = wanted
        self._places = dict(places)
        self._acts: Mapping[Action, Callable[[Change], Awaitable[Done]]] = {
            Action.DISABLE_ACCOUNT: self._disable_account,
            Action.HAND_OVER: self._hand_over,
            Action.CLOSE_ROOM: self._close_room,
            Action.REMOVE: self._remove,
            Action.DEACTIVATE_ACCOUNT: self._deactivate_account,
            Action.PREPARE_ACCOUNT: self._prepare_account,
            Action.CREATE_ACCOUNT: self._create_account,
            Action.ENABLE_ACCOUNT: self._enable_account,
            Action.RENAME_ACCOUNT: self._rename_account,
            Action.CHANGE_PROFILE: self._change_profile,
            Action.CREATE_ROOM: self._create_room,
            Action.CHANGE_ROOM: self._change_room,
            Action.ADOPT_ROOM: self._adopt_room,
            Action.JOIN: self._join,
        }

    async def act(self, changes: Sequence[Change]) -> Done:
        """Carry out one change, or the power changes of one room and direction together."""
        if changes[0].action in self._acts:
            return await self._acts[changes[0].action](changes[0])
        return await self._set_power(changes)

    def room_id(self, change: Change) -> RoomId | None:
        """Return the room that a change is about; None for accounts and for rooms that are not there yet."""
        if change.room.startswith("!"):
            return RoomId(change.room)
        place = self._places.get(RoomKey(change.room))
        return place.room_id if place else None

    def open_to(self) -> dict[RoomKey, RoomKey | None]:
        """Return for each room, made or to be made, whose space lets its members in."""
        return {key: room.open_to for key, room in self._wanted.items()} | {
            key: place.open_to for key, place in self._places.items() if place.room_id is not None
        }

    # Accounts

    async def _disable_account(self, change: Change) -> Done:
        user_id = UserId(change.user_id)
        await self._accounts.lock(user_id)  # first, so that no session is born while the others are ended
        ended = await self._accounts.end_sessions(user_id)
        await store.enable_account(self._pool, user_id, enabled=False)
        return Done(sessions_ended=ended)

    async def _deactivate_account(self, change: Change) -> Done:
        """Close an account that is nowhere any more; the homeserver would part its rooms unseen, administrators too."""
        user_id = UserId(change.user_id)
        if inside := await self._accounts.joined_rooms(user_id):
            raise RefusedError(f"{user_id} is still in {len(inside)} rooms; they have to be left first.")
        await self._accounts.deactivate(user_id)
        await lifecycle_store.deactivate_account(self._pool, user_id, self._clock())
        return Done()

    async def _prepare_account(self, change: Change) -> Done:
        await self._accounts.create(UserId(change.user_id), change.value)
        await self._accounts.lock(UserId(change.user_id))
        return await self._remember_account(change, enabled=False)

    async def _create_account(self, change: Change) -> Done:
        await self._accounts.create(UserId(change.user_id), change.value)
        return await self._remember_account(change, enabled=True)

    async def _remember_account(self, change: Change, *, enabled: bool) -> Done:
        account = CurrentAccount(PersonId(change.person), UserId(change.user_id), change.value, enabled)
        await store.put_account(self._pool, account)
        return Done()

    async def _enable_account(self, change: Change) -> Done:
        await self._accounts.unlock(UserId(change.user_id))
        await store.enable_account(self._pool, UserId(change.user_id), enabled=True)
        return Done()

    async def _rename_account(self, change: Change) -> Done:
        await self._accounts.rename(UserId(change.user_id), change.value)
        await store.rename_account(self._pool, UserId(change.user_id), change.value)
        return Done()

    async def _change_profile(self, change: Change) -> Done:
        user_id, (name, text) = UserId(change.user_id), divide(change.value)
        await self._homeserver.put_profile_field(user_id, name, text)
        await profile_store.put_field(self._pool, user_id, name, text)
        return Done()

    # Members

    async def _join(self, change: Change) -> Done:
        room_id, user_id = self._known_room(change), UserId(change.user_id)
        if change.room.startswith("!"):
            await elsewhere.bring_back(self._pool, self._homeserver, room_id, user_id, change.reason)
        elif is_outside(user_id, self._homeserver.server_name):
            return Done(
                room_id=room_id, membership=await invite_outsider(self._homeserver, room_id, user_id, change.reason)
            )
        elif self._places[RoomKey(change.room)].open_to is None or not await self._try_to_join(room_id, user_id):
            await self._invite_and_join(room_id, user_id, change.reason)
        return Done(room_id=room_id, membership="join")

    async def _try_to_join(self, room_id: RoomId, user_id: UserId) -> bool:
        """Join a room that lets in whoever is in its space; False when it does not let this person in."""
        try:
            await self._homeserver.join(room_id, as_user=user_id)
        except HomeserverError as error:
            if error.status != 403:
                raise
            return False
        return True

    async def _invite_and_join(self, room_id: RoomId, user_id: UserId, reason: str) -> None:
        """Invite and join. An invitation is refused to whoever is in the room; then the join changes nothing."""
        refused: HomeserverError | None = None
        try:
            await self._homeserver.invite(room_id, user_id, reason=reason)
        except HomeserverError as error:
            if error.status != 403:
                raise
            refused = error
            if await self._lift_ban(room_id, user_id, reason):
                await self._homeserver.invite(room_id, user_id, reason=reason)
        try:
            await self._homeserver.join(room_id, as_user=user_id)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            raise refused or error from error

    async def _lift_ban(self, room_id: RoomId, user_id: UserId, reason: str) -> bool:
        """Take back a ban of somebody whom the policy wants in the room; False when there is none."""
        member = await self._homeserver.state_event(room_id, "m.room.member", user_id)
        if member is None or member.get("membership") != "ban":
            return False
        await self._homeserver.unban(room_id, user_id, reason=reason)
        return True

    async def _hand_over(self, change: Change) -> Done:
        """Pass the power of a leaver on; the intent is written first, so that the heir is told whatever happens."""
        room_id, giver, heir = self._known_room(change), UserId(change.user_id), UserId(change.value)
        found = await elsewhere.read_room(self._homeserver, room_id)
        name = found[0].name if found is not None else ""
        await lifecycle_store.put_takeover(self._pool, Takeover(room_id, heir, giver, name), self._clock())
        try:
            await elsewhere.pass_on(self._homeserver, room_id, giver, heir)
        except HomeserverUnavailableError:
            raise
        except HomeserverError:
            await lifecycle_store.drop_takeover(self._pool, room_id, heir)
            raise
        return Done(room_id=room_id)

    async def _remove(self, change: Change) -> Done:
        room_id, user_id = self._known_room(change), UserId(change.user_id)
        server_name = self._homeserver.server_name
        if change.room.startswith("!") and is_outside(user_id, server_name):
            await elsewhere.expel(self._homeserver, room_id, user_id, server_name, change.reason)
        elif change.room.startswith("!"):
            await self._leave(room_id, user_id, change.reason)
        else:
            await self._kick(room_id, user_id, change.reason)
        return Done(room_id=room_id, membership="leave")

    async def _leave(self, room_id: RoomId, user_id: UserId, reason: str) -> None:
        """Leave as the person a room that the bot has no say in; a room that is gone is left."""
        try:
            await self._homeserver.leave(room_id, as_user=user_id, reason=reason)
        except HomeserverError as error:
            if error.status != 404:
                raise

    async def _kick(self, room_id: RoomId, user_id: UserId, reason: str) -> None:
        try:
            await self._homeserver.kick(room_id, user_id, reason=reason)
        except HomeserverError as error:
            if error.status != 403:
                raise
            member = await self._homeserver.state_event(room_id, "m.room.member", user_id)
            if member is not None and member.get("membership") not in _GONE:
                raise

    async def _set_power(self, changes: Sequence[Change]) -> Done:
        """Set the levels of several people in one room as one event, on top of the levels it has now."""
        room_id = self._known_room(changes[0])
        content = await self._homeserver.state_event(room_id, "m.room.power_levels") or {}
        users = rooms.levels_of(content) | {UserId(change.user_id): int(change.value) for change in changes}
        users.pop(self._homeserver.bot, None)
        place = self._places[RoomKey(changes[0].room)]
        wanted = rooms.power_levels(place.kind, users, place.settings.may)
        if content != wanted:
            await self._homeserver.send_state(room_id, "m.room.power_levels", "", wanted)
        await member_store.put_power(self._pool, room_id, wanted["users"])
        return Done()

    # Rooms that people made

    async def _adopt_room(self, change: Change) -> Done:
        room_id = self._known_room(change)
        await adopting.adopt_room(
            self._pool, self._homeserver, room_id, self._clock(), to_be_closed=change.value == unmanaged.CLOSING
        )
        return Done(room_id=room_id, membership="join")

    async def _close_room(self, change: Change) -> Done:
        room_id = self._known_room(change)
        await adopting.close_room(self._pool, self._homeserver, room_id, self._clock())
        return Done(room_id=room_id)

    # Rooms

    async def _create_room(self, change: Change) -> Done:
        """Create a room, or find the one that an interrupted run created, and finish its set-up.

        The row without a room ID stands until all is done, so whatever stops us in between, this is done again.
        """
        room = self._wanted[RoomKey(change.room)]
        alias = rooms.alias_of(room.key, self._homeserver.server_name)
        await store.write_intent(self._pool, room, alias)
        room_id = await self._find_room(room, alias) if room.key in self._places else None
        if room_id is None:
            room_id = await self._make_room(room, alias)
        await self._list_in_spaces(room, room_id)
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
        return Done(room_id=room_id)

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
        events = await self._homeserver.state(room_id)
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

    async def _change_room(self, change: Change) -> Done:
        """Bring name, topic, kind, settings and place in the spaces to what the policy says."""
        room, place = self._wanted[RoomKey(change.room)], self._places[RoomKey(change.room)]
        room_id = self._known_room(change)
        fields = change.value.split(", ")
        if "name" in fields:
            await self._homeserver.send_state(room_id, "m.room.name", "", {"name": room.name})
        if "topic" in fields:
            await self._homeserver.send_state(room_id, "m.room.topic", "", {"topic": room.topic})
        settings = room.settings.over(place.settings)
        for event in self._changed_settings(room, frozenset(fields), settings):
            await self._homeserver.send_state(room_id, event.type, event.state_key, event.content)
        if "kind" in fields or any(field.startswith("may ") for field in fields):
            await self._change_levels(room_id, room.kind, settings)
        if "parents" in fields or "order" in fields:
            await self._list_in_spaces(room, room_id)
        if "parents" in fields:
            await self._leave_spaces(room_id, sorted(set(place.parents) - set(room.parents)))
        made = {field: getattr(room if field in fields else place, field) for field in FIELDS}
        value = room.value if "value" in fields else place.value or ""
        await store.describe_room(self._pool, replace(room, **made, value=value), settings)
        self._places[room.key] = replace(place, **made, settings=settings, value=value or None)
        return Done(room_id=room_id)

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

    async def _change_levels(self, room_id: RoomId, kind: RoomKind, settings: Settings) -> None:
        """Say anew what takes which power; who has power keeps it."""
        content = await self._homeserver.state_event(room_id, "m.room.power_levels") or {}
        levels = rooms.power_levels(kind, rooms.levels_of(content), settings.may)
        await self._homeserver.send_state(room_id, "m.room.power_levels", "", levels)

    async def _list_in_spaces(self, room: DesiredRoom, room_id: RoomId) -> None:
        server_name, places = self._homeserver.server_name, self._room_ids()
        orders = dict(zip(room.parents, room.order, strict=False))  # a room that only lost people may have none yet
        for parent in room.parents:
            child = rooms.in_space(room_id, server_name, orders.get(parent, ""))
            await self._homeserver.send_state(places[parent], child.type, child.state_key, child.content)
            above = rooms.under_space(places[parent], server_name, canonical=parent == room.parents[0])
            await self._homeserver.send_state(room_id, above.type, above.state_key, above.content)

    async def _leave_spaces(self, room_id: RoomId, parents: Sequence[RoomKey]) -> None:
        places = self._room_ids()
        for parent in parents:
            if parent in places:
                child, above = rooms.not_in_space(room_id), rooms.not_under_space(places[parent])
                await self._homeserver.send_state(places[parent], child.type, child.state_key, child.content)
                await self._homeserver.send_state(room_id, above.type, above.state_key, above.content)

    def _room_ids(self) -> dict[RoomKey, RoomId]:
        return {key: place.room_id for key, place in self._places.items() if place.room_id is not None}

    def _known_room(self, change: Change) -> RoomId:
        room_id = self.room_id(change)
        if room_id is None:
            raise RefusedError(f"the room {change.room!r} is not there yet")
        return room_id
