"""Carrying out one change on the homeserver, and remembering that it is so now (memberships: by the entry's record).

Every act may be repeated: what is so already counts as done. `Actor.act` raises `HomeserverError` with the
homeserver's own words when a change is refused and `HomeserverUnavailableError` when nobody answers. How rooms are set
up is left to `room_acts`; order, concurrency and the audit log to `apply`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bridge.clock import Clock
from bridge.errors import HomeserverError, HomeserverUnavailableError, RefusedError
from bridge.homeserver.voice import Voice
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership import (
    adopting,
    elsewhere,
    face_store,
    lifecycle_store,
    member_store,
    profile_store,
    room_acts,
    rooms,
    store,
    unmanaged,
)
from bridge.membership.guests import is_outside
from bridge.membership.lifecycle_store import Takeover
from bridge.membership.outsiders import invite_outsider
from bridge.membership.place_store import Place
from bridge.membership.profile import divide
from bridge.membership.room_acts import RoomActs
from bridge.membership.values import Action, Change, CurrentAccount, DesiredRoom

if TYPE_CHECKING:
    from bridge.database import Pool

_GONE = frozenset({"leave", "ban"})


class Homeserver(room_acts.Homeserver, elsewhere.Rooms, Voice, Protocol):
    """What is done to rooms, as the bot or as the person."""

    async def leave(self, room_id: RoomId, *, as_user: UserId, reason: str = "") -> None: ...
    async def unban(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None: ...
    async def put_profile_field(self, user_id: UserId, name: str, text: str) -> None: ...


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
        self._rooms = RoomActs(pool, homeserver, wanted=wanted, places=self._places, clock=clock)
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
        await face_store.wake(self._pool)
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
        return Done(room_id=await self._rooms.create(change))

    async def _change_room(self, change: Change) -> Done:
        room_id = self._known_room(change)
        await self._rooms.change(change, room_id)
        return Done(room_id=room_id)

    def _known_room(self, change: Change) -> RoomId:
        room_id = self.room_id(change)
        if room_id is None:
            raise RefusedError(f"the room {change.room!r} is not there yet")
        return room_id
