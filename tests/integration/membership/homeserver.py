"""A homeserver in memory: what Synapse answers to the requests of membership, as tried on a real one.

It also plays the person who acts by hand, hands out the events that a delivery would bring, and fails on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bridge.errors import HomeserverError
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId

_Answer = TypeVar("_Answer")

SERVER = "example.org"
BOT = UserId("@muster:example.org")


class KilledError(Exception):
    """Stands for the end of our process: nothing of Muster's catches it."""


@dataclass
class Room:
    """A room's state, and what was said in it."""

    state: dict[tuple[str, str], Event] = field(default_factory=dict)
    said: list[Event] = field(default_factory=list)

    def members(self, membership: str = "join") -> set[str]:
        return {
            key
            for (kind, key), event in self.state.items()
            if kind == "m.room.member" and event.content["membership"] == membership
        }

    def content(self, kind: str, key: str = "") -> Mapping[str, Any]:
        event = self.state.get((kind, key))
        return event.content if event else {}


class Rooms(dict[RoomId, Room]):
    """The rooms that there are; any other is refused as Synapse does it."""

    def __missing__(self, room_id: RoomId) -> Room:
        raise HomeserverError(f"Unknown room {room_id}", status=404, errcode="M_NOT_FOUND")


@dataclass
class Account:
    """An account and its sessions."""

    display_name: str
    locked: bool = False
    deactivated: bool = False
    sessions: int = 0
    profile: dict[str, Any] = field(default_factory=dict)


Fault = Callable[[int, str], Exception | None]
"""Given the number of a request and its name, what it fails with, if at all."""


class FakeHomeserver:
    """Rooms and accounts; `before` fails a request undone, `after` when it is done and only the answer is lost."""

    def __init__(self) -> None:
        self.bot = BOT
        self.server_name = SERVER
        self.rooms = Rooms()
        self.aliases: dict[str, RoomId] = {}
        self.users: dict[UserId, Account] = {}
        self.requests: list[tuple[str, ...]] = []
        self.before: Fault = lambda number, name: None
        self.after: Fault = lambda number, name: None
        self.media: dict[str, bytes] = {}
        """`mxc:` address → what was uploaded."""
        self._events: list[Event] = []
        self._transactions: dict[tuple[RoomId, str], EventId] = {}
        self._time = 1_700_000_000_000
        self._made = 0

    # Rooms

    async def register(self, user_id: UserId) -> None:
        self._begin("register", user_id)

    async def create_room(self, content: Mapping[str, Any]) -> RoomId:
        if "room_alias_name" not in content:
            return self._make_direct_room(*content["invite"])
        self._begin("create_room", str(content["room_alias_name"]))
        alias = f"#{content['room_alias_name']}:{SERVER}"
        if alias in self.aliases:
            raise HomeserverError("Room alias already taken", status=400, errcode="M_ROOM_IN_USE")
        levels = dict(content.get("power_level_content_override", {"users": {}}))
        assert BOT not in levels["users"]
        room_id = self.aliases[alias] = self.make_room(BOT)
        self._put(room_id, BOT, "m.room.power_levels", "", levels)
        for event in content.get("initial_state", ()):
            self._put(room_id, BOT, event["type"], event["state_key"], event["content"])
        for invited in content.get("invite", ()):
            self.act(room_id, BOT, "invite", invited)
        self._put(room_id, BOT, "m.room.canonical_alias", "", {"alias": alias})
        if "name" in content:
            self._put(room_id, BOT, "m.room.name", "", {"name": content["name"]})
        if "topic" in content:
            self._put(room_id, BOT, "m.room.topic", "", {"topic": content["topic"]})
        return self._end("create_room", room_id)

    def _make_direct_room(self, person: UserId) -> RoomId:
        self._begin("create_room", person)
        room_id = self.make_room(BOT)
        self.act(room_id, BOT, "invite", person)
        return self._end("create_room", room_id)

    async def resolve_alias(self, alias: str) -> RoomId | None:
        self._begin("resolve_alias", alias)
        return self.aliases.get(alias)

    async def delete_alias(self, alias: str) -> None:
        self._begin("delete_alias", alias)
        self.aliases.pop(alias, None)

    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None:
        self._begin("invite", room_id, user_id)
        if user_id in self.rooms[room_id].members() | self.rooms[room_id].members("ban"):
            raise HomeserverError(f"{user_id} is already in the room, or banned", status=403, errcode="M_FORBIDDEN")
        self.act(room_id, as_user or BOT, "invite", user_id)
        self._end("invite", None)

    async def join(self, room_id: RoomId, *, as_user: UserId) -> None:
        self._begin("join", room_id, as_user)
        room = self.rooms[room_id]
        if as_user in room.members():
            return
        allowed = room.content("m.room.join_rules").get("allow", [])
        in_space = any(as_user in self.rooms[rule["room_id"]].members() for rule in allowed)
        if as_user in room.members("ban") or not (in_space or as_user in room.members("invite")):
            raise HomeserverError("You are not invited to this room.", status=403, errcode="M_FORBIDDEN")
        self.act(room_id, as_user, "join", as_user)
        self._end("join", None)

    async def leave(self, room_id: RoomId, *, as_user: UserId, reason: str = "") -> None:
        self._begin("leave", room_id, as_user)
        if room_id not in self.rooms:
            raise HomeserverError("Not a known room", status=404, errcode="M_NOT_FOUND")
        self.act(room_id, as_user, "leave", as_user)
        self._end("leave", None)

    async def kick(self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None) -> None:
        self._begin("kick", room_id, user_id)
        room, sender = self.rooms[room_id], as_user or BOT
        if sender not in room.members() or user_id not in room.members() | room.members("invite"):
            raise HomeserverError("The target user is not in the room", status=403, errcode="M_FORBIDDEN")
        self.act(room_id, sender, "leave", user_id)
        self._end("kick", None)

    async def unban(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None:
        self._begin("unban", room_id, user_id)
        if user_id not in self.rooms[room_id].members("ban"):
            raise HomeserverError("Cannot unban user who was not banned", status=403, errcode="M_FORBIDDEN")
        self.act(room_id, BOT, "leave", user_id)
        self._end("unban", None)

    async def send_state(
        self,
        room_id: RoomId,
        event_type: str,
        state_key: str,
        content: Mapping[str, object],
        *,
        as_user: UserId | None = None,
    ) -> EventId:
        self._begin("send_state", room_id, event_type, state_key)
        return self._end("send_state", self._put(room_id, as_user or BOT, event_type, state_key, dict(content)))

    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None:
        self._begin("state_event", room_id, event_type)
        event = self.rooms[room_id].state.get((event_type, state_key))
        return event.content if event else None

    async def state(self, room_id: RoomId) -> list[Event]:
        self._begin("state", room_id)
        if room_id not in self.rooms:
            raise HomeserverError("Room not found", status=404, errcode="M_NOT_FOUND")
        return list(self.rooms[room_id].state.values())

    async def room_ids(self) -> list[RoomId]:
        self._begin("room_ids")
        return list(self.rooms)

    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId:
        self._begin("send", room_id, transaction_id)
        known = self._transactions.get((room_id, transaction_id))
        if known is None:
            event = self._event(room_id, as_user or BOT, event_type, None, content)
            self.rooms[room_id].said.append(event)
            known = self._transactions[room_id, transaction_id] = event.event_id
        return self._end("send", known)

    # Accounts

    async def create(self, user_id: UserId, display_name: str) -> None:
        self._begin("create", user_id)
        self.users.setdefault(user_id, Account(display_name)).display_name = display_name
        self._end("create", None)

    async def rename(self, user_id: UserId, display_name: str) -> None:
        self._begin("rename", user_id)
        self.users[user_id].display_name = display_name
        self.show(user_id)
        self._end("rename", None)

    async def profile(self, user_id: UserId) -> Mapping[str, Any] | None:
        self._begin("profile", user_id)
        account = self.users.get(user_id)
        return None if account is None else {"displayname": account.display_name, **account.profile}

    async def put_profile_field(self, user_id: UserId, name: str, text: str) -> None:
        self._begin("put_profile_field", user_id, name)
        self.users[user_id].profile.pop(name, None)
        if text:
            self.users[user_id].profile[name] = text
        if name == "avatar_url":
            self.show(user_id)
        self._end("put_profile_field", None)

    async def upload(self, content: bytes, kind: str) -> str:
        self._begin("upload", kind)
        address = f"mxc://{SERVER}/{len(self.media)}"
        self.media[address] = content
        return self._end("upload", address)

    async def lock(self, user_id: UserId) -> None:
        self._begin("lock", user_id)
        self.users[user_id].locked = True
        self._end("lock", None)

    async def unlock(self, user_id: UserId) -> None:
        self._begin("unlock", user_id)
        self.users[user_id].locked = self.users[user_id].deactivated = False
        self._end("unlock", None)

    async def end_sessions(self, user_id: UserId) -> int:
        self._begin("end_sessions", user_id)
        ended, self.users[user_id].sessions = self.users[user_id].sessions, 0
        return self._end("end_sessions", ended)

    async def deactivate(self, user_id: UserId) -> None:
        self._begin("deactivate", user_id)
        self.users[user_id].deactivated = True
        self._end("deactivate", None)

    async def joined_rooms(self, user_id: UserId) -> list[RoomId]:
        self._begin("joined_rooms", user_id)
        return [room_id for room_id, room in self.rooms.items() if user_id in room.members()]

    # What people do by hand, and what tests look at

    def delete_room(self, room_id: RoomId) -> None:
        """Delete a room as a server administrator does: all are taken out, and nothing is left of it."""
        for name in sorted(self.rooms[room_id].members()):
            self.act(room_id, UserId(name), "leave", UserId(name))
        del self.rooms[room_id]
        self.aliases = {alias: target for alias, target in self.aliases.items() if target != room_id}

    def make_room(self, creator: UserId) -> RoomId:
        """Make a bare room, as people do for a direct chat."""
        self._made += 1
        room_id = RoomId(f"!room{self._made - 1}")
        self.rooms[room_id] = Room()
        self._put(room_id, creator, "m.room.create", "", {"room_version": "12"})
        self.act(room_id, creator, "join", creator)
        return room_id

    def act(self, room_id: RoomId, sender: UserId, membership: str, user_id: UserId) -> None:
        """Change a membership, whoever may."""
        self._put(room_id, sender, "m.room.member", user_id, {"membership": membership})

    def show(self, user_id: UserId) -> None:
        """Say somebody's memberships anew with the display name and the picture of now, as Synapse does."""
        account = self.users[user_id]
        shown = {"displayname": account.display_name, "avatar_url": account.profile.get("avatar_url")}
        for room_id, room in self.rooms.items():
            if user_id in room.members():
                self._put(room_id, user_id, "m.room.member", user_id, {"membership": "join", **shown})

    def set_profile(self, user_id: UserId, *, name: str | None = None, picture: str | None = None) -> None:
        """Change the own display name or picture, as people do."""
        account = self.users[user_id]
        account.display_name = account.display_name if name is None else name
        if picture is not None:
            account.profile["avatar_url"] = picture
        self.show(user_id)

    def set_state(self, room_id: RoomId, sender: UserId, kind: str, content: Mapping[str, Any]) -> None:
        """Change a piece of a room's state, whoever may."""
        self._put(room_id, sender, kind, "", content)

    def set_power(self, room_id: RoomId, **levels: int) -> None:
        """Change power levels by localpart, as somebody with the bot's token could."""
        content = dict(self.rooms[room_id].content("m.room.power_levels"))
        named = {f"@{name}:{SERVER}": level for name, level in levels.items()}
        self._put(room_id, BOT, "m.room.power_levels", "", {**content, "users": {**content["users"], **named}})

    def room(self, key: str) -> RoomId:
        """Return the room of a key; there must be one."""
        (found,) = [room_id for room_id, room in self.rooms.items() if room.content("io.muster.room").get("key") == key]
        return found

    def people(self, key: str) -> set[str]:
        """Return the localparts of who is in the room of a key, without the bot."""
        return {user[1:].split(":")[0] for user in self.rooms[self.room(key)].members() - {BOT}}

    def power(self, key: str) -> dict[str, int]:
        """Return the listed levels of the room of a key, by localpart."""
        users = self.rooms[self.room(key)].content("m.room.power_levels")["users"]
        return {user[1:].split(":")[0]: level for user, level in users.items()}

    def deliver(self) -> list[Event]:
        """Return the events since the last delivery."""
        events, self._events = self._events, []
        return events

    def _put(self, room_id: RoomId, sender: UserId, kind: str, key: str, content: Mapping[str, Any]) -> EventId:
        before = self.rooms[room_id].state.get((kind, key))
        if before is not None and before.content == content:
            return before.event_id
        event = self._event(room_id, sender, kind, key, content)
        self.rooms[room_id].state[kind, key] = event
        return event.event_id

    def _event(self, room_id: RoomId, sender: UserId, kind: str, key: str | None, content: Mapping[str, Any]) -> Event:
        self._time += 1
        event = Event(0, EventId(f"${self._time}"), room_id, kind, sender, key, dict(content), self._time, None)
        self._events.append(event)
        return event

    def _begin(self, name: str, *what: str) -> None:
        self.requests.append((name, *what))
        if error := self.before(len(self.requests), name):
            raise error

    def _end(self, name: str, answer: _Answer) -> _Answer:
        if error := self.after(len(self.requests), name):
            raise error
        return answer
