"""A room as the homeserver has it, against what we know of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId, archivist_of
from bridge.membership.rooms import SETTINGS, Shape, altered, levels_of

MEMBERSHIPS = ("join", "invite", "knock", "leave", "ban")
_INSIDE = frozenset({"join", "invite", "knock"})


@dataclass(frozen=True, slots=True)
class Difference:
    """What the homeserver has otherwise, as the events that say so."""

    members: tuple[Event, ...] = ()
    power: tuple[Event, ...] = ()
    settings: tuple[Event, ...] = ()

    @property
    def events(self) -> tuple[Event, ...]:
        """All of them."""
        return self.members + self.power + self.settings


def compare(
    room_id: RoomId,
    state: Sequence[Event],
    members: Mapping[UserId, str],
    power: Mapping[UserId, int],
    shapes: Mapping[RoomId, Shape],
    *,
    bot: UserId,
    now: int,
) -> Difference:
    """Return what the state of a room says that we do not know; nothing when all is known.

    `members` and `power` are what we know, `shapes` the managed rooms. Somebody whom we believe inside and of whom the
    state knows nothing has left, as of `now` (milliseconds since 1970).
    """
    said = {UserId(event.state_key): event for event in state if event.state_key and _is_membership(event)}
    said.pop(archivist_of(bot), None)
    differing = [event for user, event in said.items() if members.get(user, "leave") != event.content["membership"]]
    unsaid = [user for user, membership in members.items() if membership in _INSIDE and user not in said]
    ranks = [event for event in state if event.type == "m.room.power_levels" and event.state_key == ""]
    return Difference(
        (*differing, *(_departure(room_id, user, now) for user in unsaid)),
        tuple(event for event in ranks if _without(bot, levels_of(event.content)) != _without(bot, power)),
        tuple(event for event in state if event.sender != bot and _is_altered(event, room_id, shapes)),
    )


def _is_membership(event: Event) -> bool:
    return event.type == "m.room.member" and event.content.get("membership") in MEMBERSHIPS


def _without(bot: UserId, levels: Mapping[UserId, int]) -> dict[UserId, int]:
    """Return the levels of everybody else: the bot's own is not kept."""
    return {user: level for user, level in levels.items() if user != bot}


def _is_altered(event: Event, room_id: RoomId, shapes: Mapping[RoomId, Shape]) -> bool:
    if event.type not in SETTINGS or event.state_key is None:
        return False
    return altered(event.type, event.state_key, event.content, room_id, shapes) is not None


def _departure(room_id: RoomId, user: UserId, now: int) -> Event:
    return Event(0, EventId(""), room_id, "m.room.member", user, user, {"membership": "leave"}, now, None)
