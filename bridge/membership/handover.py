"""Who administers a room when its last administrator leaves: no room is ever left without one.

Pure. It is about the rooms that people made themselves: in a managed room the bot administrates. Power is passed on by
the leaver, before leaving, since nobody else in the room may; so a creator of room version 12 passes on an
administrator's 100 and not the creator's own power, which cannot be given. Doing it is left to `elsewhere`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.archive.values import StateEvent
from bridge.clock import from_milliseconds
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId, server_of
from bridge.membership.barriers import Arrival, Breach, Seats, breaches
from bridge.membership.presence import Power, powers
from bridge.membership.values import HandOver

_NO_SEATS: Seats = {}
ADMINISTRATOR = 100
"""The level that clients call an administrator's."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room that Muster does not manage, as its state says."""

    room_id: RoomId
    name: str
    joined: Mapping[UserId, int]
    """Since when, in milliseconds, by the member's last event."""
    power: Power
    to_rank: int = 50
    """The level that it takes to change levels."""
    to_invite: int = 0
    to_kick: int = 50

    def may(self, user_id: UserId, needed: int) -> bool:
        """Tell whether somebody has that level; creators have any."""
        level = self.power.of(user_id)
        return level is None or level >= needed

    @property
    def administrators(self) -> frozenset[UserId]:
        """Those inside who may change power."""
        return frozenset(user for user in self.joined if self.may(user, self.to_rank))


def room_of(room_id: RoomId, state: Iterable[Event]) -> Room:
    """Return the room that the events of its current state make."""
    events = list(state)
    content = {event.type: event.content for event in events if event.state_key == ""}
    members = {UserId(event.state_key): event for event in events if event.type == "m.room.member" and event.state_key}
    joined = {user: event.timestamp for user, event in members.items() if event.content.get("membership") == "join"}
    power = powers(StateEvent(event, from_milliseconds(event.timestamp)) for event in events).get(room_id, Power({}))
    levels = content.get("m.room.power_levels", {})
    own = levels.get("events")
    name = content.get("m.room.name", {}).get("name")
    return Room(
        room_id=room_id,
        name=name if isinstance(name, str) else "",
        joined=joined,
        power=power,
        to_rank=_level(
            own if isinstance(own, dict) else {}, "m.room.power_levels", _level(levels, "state_default", 50)
        ),
        to_invite=_level(levels, "invite", 0),
        to_kick=_level(levels, "kick", 50),
    )


def hand_over(
    room: Room,
    leaving: Collection[UserId],
    *,
    named: Mapping[UserId, Sequence[UserId]],
    managers: Mapping[UserId, Sequence[UserId]],
    staff: Collection[UserId],
    seats: Seats = _NO_SEATS,
) -> HandOver | None:
    """Return to whom a room is handed over by those who leave it; None when an administrator stays or there was none,
    and when nobody is left.

    In this order: who is `named` for the leaver, and brought in when not inside, unless a barrier is between them and
    somebody there (`seats`: who is on which side); a manager who is inside; whoever has the most power, and among
    equals has been inside the longest, our `staff` before strangers.
    """
    going = room.administrators.intersection(leaving)
    if not going or room.administrators - going:
        return None
    giver = max(going, key=lambda user: (rank_of(room, user), -room.joined[user], user))
    stay = room.joined.keys() - set(leaving)
    heirs = [user for user in named.get(giver, ()) if user not in leaving and _may_enter(room, user, stay, seats)]
    heirs += [user for user in managers.get(giver, ()) if user in stay]
    heirs += sorted(stay, key=lambda user: (user not in staff, -rank_of(room, user), room.joined[user], user))
    return HandOver(room.room_id, giver, heirs[0]) if heirs else None


def rank_of(room: Room, user_id: UserId) -> float:
    """Return somebody's level; creators are above all."""
    level = room.power.of(user_id)
    return float("inf") if level is None else level


def returns(room: Room, users: Collection[UserId], seats: Seats) -> tuple[frozenset[UserId], list[Breach]]:
    """Return who of these users may go back into a room, and whom a barrier keeps out of it because of those inside, or
    of those who go back before them."""
    coming = sorted(set(users) - room.joined.keys())
    kept_out = breaches([Arrival(room.room_id, user) for user in coming], {room.room_id: room.joined.keys()}, seats)
    return frozenset(coming) - {breach.user_id for breach in kept_out}, kept_out


def _may_enter(room: Room, user: UserId, stay: Collection[UserId], seats: Seats) -> bool:
    """Tell whether somebody is inside, or can come in without meeting the other side of a barrier."""
    return user in room.joined or not breaches([Arrival(room.room_id, user)], {room.room_id: stay}, seats)


def is_abandoned(room: Room, leaving: Collection[UserId], found: HandOver | None) -> bool:
    """Tell whether nobody is inside once these have left, and nobody is brought in."""
    return found is None and bool(room.joined) and not room.joined.keys() - set(leaving)


def levels_after(content: Mapping[str, object], room: Room, giver: UserId, heir: UserId) -> dict[str, object]:
    """Return the content of `m.room.power_levels` once the giver has passed on what can be passed on."""
    own = room.power.of(giver)
    given = max(ADMINISTRATOR, room.to_rank) if own is None else own
    users = content.get("users")
    return {**content, "users": {**(users if isinstance(users, dict) else {}), heir: given}}


def inviter(room: Room, barred: Collection[UserId] = ()) -> UserId | None:
    """Return who inside may invite somebody back: whoever has the most power and is not shut out; None: nobody."""
    able = [user for user in room.joined if user not in barred and room.may(user, room.to_invite)]
    return max(able, key=lambda user: (rank_of(room, user), -room.joined[user], user), default=None)


def sponsor_of_bot(room: Room, server_name: str) -> UserId | None:
    """Return who of this server can make the bot an administrator: whoever inside has the most power, and enough."""
    able = [user for user in room.administrators if server_of(user) == server_name and room.may(user, ADMINISTRATOR)]
    return max(able, key=lambda user: (rank_of(room, user), -room.joined[user], user), default=None)


def remover(room: Room, user_id: UserId, server_name: str) -> UserId | None:
    """Return who of this server can take somebody out: whoever inside has the most power; None when nobody may."""
    ours = [user for user in room.joined if server_of(user) == server_name and room.may(user, room.to_kick)]
    able = [user for user in ours if rank_of(room, user) > rank_of(room, user_id)]
    return max(able, key=lambda user: (rank_of(room, user), -room.joined[user], user), default=None)


def _level(content: Mapping[str, object], key: str, default: int) -> int:
    value = content.get(key)
    return value if type(value) is int else default
