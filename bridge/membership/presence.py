"""Who was in which room at a moment, and with which power, by the events of the time. Pure.

Events come in the order in which they counted: by the moment of sending, and among equals by arrival. Events that
came late, by a backfill, are in their place by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bridge.archive.values import StateEvent
from bridge.ids import EventId, RoomId, UserId

_MEMBERSHIPS = ("join", "invite", "knock", "leave", "ban")  # a tuple, since anybody may send what has no hash
_CREATORS_RANK_FIRST = 12
"""From this room version on the creators stand above every level (Matrix specification, room version 12)."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What somebody was to a room at a moment."""

    room_id: RoomId
    user_id: UserId
    membership: str
    """`join`, `invite`, `knock`, `leave` or `ban`."""
    since: datetime
    """When it became so; a new name or picture changes nothing."""
    event_id: EventId
    """The event that made it so."""
    sender: UserId
    invited_by: UserId | None
    """Of a member: who had invited them, if anybody had."""
    latest: EventId
    """The last event, which may only have changed a name."""


@dataclass(frozen=True, slots=True)
class Power:
    """Who could do what in a room; None is the power of a creator, which nothing limits."""

    levels: Mapping[UserId, int]
    default: int = 0
    creators: frozenset[UserId] = frozenset()

    def of(self, user_id: UserId) -> int | None:
        """Return somebody's level."""
        return None if user_id in self.creators else self.levels.get(user_id, self.default)


def presences(events: Iterable[StateEvent]) -> dict[tuple[RoomId, UserId], Presence]:
    """Return what each user was to each room once these events had happened; what is no membership is passed over."""
    found: dict[tuple[RoomId, UserId], Presence] = {}
    latest: dict[tuple[RoomId, UserId], EventId] = {}
    for each in events:
        event = each.event
        membership = event.content.get("membership")
        if not event.state_key or membership not in _MEMBERSHIPS:
            continue
        key = event.room_id, UserId(event.state_key)
        before = found.get(key)
        latest[key] = event.event_id
        if before is None or before.membership != membership:
            found[key] = _presence(each, key, membership, before)
    return {key: one if one.latest == latest[key] else replace(one, latest=latest[key]) for key, one in found.items()}


def _presence(each: StateEvent, key: tuple[RoomId, UserId], membership: str, before: Presence | None) -> Presence:
    inviter = before.sender if before is not None and before.membership == "invite" else None
    return Presence(
        room_id=key[0],
        user_id=key[1],
        membership=membership,
        since=each.at,
        event_id=each.event.event_id,
        sender=each.event.sender,
        invited_by=inviter if membership == "join" else None,
        latest=each.event.event_id,
    )


def powers(events: Iterable[StateEvent]) -> dict[RoomId, Power]:
    """Return the power in each room by the last of its `m.room.power_levels`, and by its creation."""
    created: dict[RoomId, StateEvent] = {}
    ranked: dict[RoomId, StateEvent] = {}
    for each in events:
        if each.event.type == "m.room.create":
            created[each.event.room_id] = each
        elif each.event.type == "m.room.power_levels":
            ranked[each.event.room_id] = each
    return {room_id: _power(created.get(room_id), ranked.get(room_id)) for room_id in created | ranked}


def _power(created: StateEvent | None, ranked: StateEvent | None) -> Power:
    creators = _creators(created)
    if ranked is None:  # until levels are set, whoever made the room has 100 (specification, m.room.power_levels)
        founders = {created.event.sender: 100} if created is not None and not creators else {}
        return Power(founders, creators=creators)
    content = ranked.event.content
    users = content.get("users")
    levels = {UserId(user): _level(level) for user, level in users.items()} if isinstance(users, dict) else {}
    return Power(levels, _level(content.get("users_default")), creators)


def _creators(created: StateEvent | None) -> frozenset[UserId]:
    if created is None or not _ranks_creators(created.event.content.get("room_version")):
        return frozenset()
    more = created.event.content.get("additional_creators")
    named = [UserId(user) for user in more if isinstance(user, str)] if isinstance(more, list) else []
    return frozenset([created.event.sender, *named])


def _ranks_creators(version: Any) -> bool:
    return isinstance(version, str) and version.isdecimal() and int(version) >= _CREATORS_RANK_FIRST


def _level(value: Any) -> int:
    """Return a level; versions before 10 also took text, and what is no number counts as 0."""
    if isinstance(value, str):
        value = int(value) if value.strip().lstrip("+-").isdecimal() and len(value) < 20 else 0
    return value if type(value) is int else 0
