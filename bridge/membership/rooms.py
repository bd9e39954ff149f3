"""What a managed room looks like on Matrix: the body of its creation, its power levels, its place in the spaces.

Pure. Sending these is left to `acts`. The bot creates every room, so in room version 12 it has infinite power and
must not be listed in `users`. An override of `events` replaces Synapse's map, so the map here is always the full one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.values import POSTER, DesiredRoom
from bridge.policy.schema import RoomKind
from bridge.policy.settings import LEVELS, PLAIN, Act, History, Rank, Settings

ROOM_VERSION = "12"
MARKER = "io.muster.room"
"""The type of the state event that ties a room to its key and rule."""

_LONGEST_ALIAS = 255  # bytes of the whole alias (Matrix specification, appendix "Room aliases")
_CREATOR_ONLY = 150  # above every level that a person can hold
_POLICY_ONLY = 100

_EVENTS = {
    "m.room.name": _POLICY_ONLY,
    "m.room.topic": _POLICY_ONLY,
    "m.room.canonical_alias": _POLICY_ONLY,
    "m.room.power_levels": _POLICY_ONLY,
    "m.room.join_rules": _POLICY_ONLY,
    "m.room.history_visibility": _POLICY_ONLY,
    "m.room.guest_access": _POLICY_ONLY,
    "m.room.server_acl": _POLICY_ONLY,
    "m.space.child": _POLICY_ONLY,
    "m.space.parent": _POLICY_ONLY,
    "m.room.avatar": 50,
    "m.room.encryption": _CREATOR_ONLY,  # what is encrypted cannot be archived; only the policy switches it on
    "m.room.tombstone": _CREATOR_ONLY,
    MARKER: _CREATOR_ONLY,
}
_CALLS = (
    "m.call",
    "m.call.member",
    "m.call.invite",
    "org.matrix.msc3401.call",
    "org.matrix.msc3401.call.member",
)
"""What begins a call, or joins one: in the specification, and as Element sends it (MSC3401)."""
_REPLIES = {
    "m.reaction": 0,
    "m.poll.response": 0,
    "org.matrix.msc3381.poll.response": 0,
    "m.room.redaction": 0,  # one's own, to take an acknowledgement back
}


@dataclass(frozen=True, slots=True)
class StateEvent:
    """One piece of a room's state."""

    type: str
    state_key: str
    content: Mapping[str, Any]


NO_GUESTS = StateEvent("m.room.guest_access", "", {"guest_access": "forbidden"})
"""Nobody comes in without an account."""


def alias_localpart(key: RoomKey, server_name: str) -> str:
    """Return what stands between `#` and `:` in the alias of a room: the key in ASCII, with a hash where that loses
    something, so that two keys never share an alias."""
    ascii_only = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
    room_left = _LONGEST_ALIAS - len(f"#{ALIAS_PREFIX}:{server_name}".encode())
    if slug == key and len(slug) <= room_left:
        return ALIAS_PREFIX + slug
    mark = hashlib.sha256(key.encode()).hexdigest()[:12]
    short = slug[: room_left - len(mark) - 1].strip("-")
    return ALIAS_PREFIX + (f"{short}-{mark}" if short else mark)


def alias_of(key: RoomKey, server_name: str) -> str:
    """Return the whole alias, `#muster_town-square:example.org`, at most 255 bytes."""
    return f"#{alias_localpart(key, server_name)}:{server_name}"


def power_levels(kind: RoomKind, users: Mapping[UserId, int], may: Mapping[Act, Rank] | None = None) -> dict[str, Any]:
    """Return the whole content of `m.room.power_levels`; `users` keeps only those who differ from 0.

    `may` are the acts that the policy leaves to some of the members; the others are Muster's to settle.
    """
    writing = {RoomKind.SPACE: _POLICY_ONLY, RoomKind.ANNOUNCEMENT: POSTER}.get(kind, 0)
    needed = {act: LEVELS[rank] for act, rank in (may or {}).items()}
    acts = {"m.room.pinned_events": needed[Act.PIN]} if Act.PIN in needed else {}
    if Act.CALL in needed:
        acts |= dict.fromkeys(_CALLS, needed[Act.CALL])
    return {
        "users": {user: level for user, level in sorted(users.items()) if level},
        "users_default": 0,
        "events": _EVENTS | (_REPLIES if kind is RoomKind.ANNOUNCEMENT else {}) | acts,
        "events_default": writing,
        "state_default": 50,
        "invite": needed.get(Act.INVITE, 50),
        "kick": 50,
        "ban": _POLICY_ONLY,  # a ban would shut out somebody whom only the policy may take out
        "redact": 50,
        "notifications": {"room": needed.get(Act.MENTION_ROOM, 50)},
        "historical": 100,
    }


def levels_of(content: Mapping[str, Any]) -> dict[UserId, int]:
    """Return who differs from level 0 by the content of `m.room.power_levels`."""
    users = content.get("users")
    if not isinstance(users, dict):
        return {}
    return {UserId(user): level for user, level in users.items() if type(level) is int and level}


def join_rule(open_to: RoomId | None, *, knock: bool = False) -> StateEvent:
    """Return who may join: members of the space `open_to`, or those who are invited, or who asked and were let in."""
    if open_to is None:
        return StateEvent("m.room.join_rules", "", {"join_rule": "knock" if knock else "invite"})
    allow = [{"type": "m.room_membership", "room_id": open_to}]
    return StateEvent("m.room.join_rules", "", {"join_rule": "restricted", "allow": allow})


def visibility(kind: RoomKind, said: History | None = None) -> StateEvent:
    """Return who may read what, where nothing is said: members since they joined; announcements also later ones."""
    usual = History.SHARED if kind is RoomKind.ANNOUNCEMENT else History.JOINED
    return StateEvent("m.room.history_visibility", "", {"history_visibility": (said or usual).value})


def avatar(address: str) -> StateEvent:
    """Return the room's picture."""
    return StateEvent("m.room.avatar", "", {"url": address})


def encryption() -> StateEvent:
    """Return what makes a room an encrypted one, for good."""
    return StateEvent("m.room.encryption", "", {"algorithm": "m.megolm.v1.aes-sha2"})


def setting_events(settings: Settings) -> tuple[StateEvent, ...]:
    """Return the state that only some rooms are born with."""
    events = [avatar(settings.avatar)] if settings.avatar else []
    return (*events, encryption()) if settings.encrypted else tuple(events)


def in_space(child: RoomId, server_name: str, order: str = "") -> StateEvent:
    """Return the event that, sent to a space, lists the room in it, by `order` among the others."""
    content: dict[str, Any] = {"via": [server_name]}
    return StateEvent("m.space.child", child, content | ({"order": order} if order else {}))


def not_in_space(child: RoomId) -> StateEvent:
    """Return the event that, sent to a space, no longer lists the room."""
    return StateEvent("m.space.child", child, {})


def strangers_in_space(listed: Mapping[str, Mapping[str, Any]], own: Collection[RoomId]) -> list[RoomId]:
    """Return what a space lists beside its `own` rooms; `listed` is the content of its `m.space.child` by state key."""
    return sorted(RoomId(child) for child, content in listed.items() if content.get("via") and child not in own)


def under_space(parent: RoomId, server_name: str, *, canonical: bool) -> StateEvent:
    """Return the event that, sent to a room, names a space that lists it."""
    return StateEvent("m.space.parent", parent, {"via": [server_name], "canonical": canonical})


def not_under_space(parent: RoomId) -> StateEvent:
    """Return the event that, sent to a room, no longer names the space."""
    return StateEvent("m.space.parent", parent, {})


def initial_state(room: DesiredRoom, places: Mapping[RoomKey, RoomId], server_name: str) -> tuple[StateEvent, ...]:
    """Return the state a room is born with, beside name, topic and power levels.

    `places` has the room IDs of the room's spaces. Joining is by invitation as long as the space is not there.
    """
    open_to = places.get(room.open_to) if room.open_to is not None else None
    spaces = [places[key] for key in room.parents if key in places]
    return (
        StateEvent(MARKER, "", {"key": room.key, "rule": room.rule}),
        join_rule(open_to, knock=room.settings.knock),
        visibility(room.kind, room.settings.history),
        NO_GUESTS,
        *setting_events(room.settings),
        *(under_space(space, server_name, canonical=at == 0) for at, space in enumerate(spaces)),
    )


def creation(room: DesiredRoom, places: Mapping[RoomKey, RoomId], server_name: str) -> dict[str, Any]:
    """Return the body of `POST /createRoom` for a room, made by the bot.

    Nobody is invited and nobody has power yet: people join, and are ranked, by changes of their own.
    """
    born_with = initial_state(room, places, server_name)
    body: dict[str, Any] = {
        "room_version": ROOM_VERSION,
        "preset": "private_chat",  # trusted_private_chat would make everybody invited a creator
        "visibility": "private",
        "room_alias_name": alias_localpart(room.key, server_name),
        "name": room.name,
        "power_level_content_override": power_levels(room.kind, {}, room.settings.may),
        "initial_state": [
            {"type": event.type, "state_key": event.state_key, "content": dict(event.content)} for event in born_with
        ],
    }
    if room.topic:
        body["topic"] = room.topic
    if room.kind is RoomKind.SPACE:
        body["creation_content"] = {"type": "m.space"}
    return body


def missing_state(
    room: DesiredRoom,
    present: Mapping[tuple[str, str], Mapping[str, Any]],
    places: Mapping[RoomKey, RoomId],
    server_name: str,
) -> tuple[StateEvent, ...]:
    """Return what a room that was found by its alias lacks of what `creation` gives: the homeserver may have been
    stopped half-way. Power levels that are there are left alone, for they may hold people by now.
    """
    wanted = [
        *initial_state(room, places, server_name),
        StateEvent("m.room.name", "", {"name": room.name}),
        StateEvent("m.room.canonical_alias", "", {"alias": alias_of(room.key, server_name)}),
    ]
    if room.topic:
        wanted.append(StateEvent("m.room.topic", "", {"topic": room.topic}))
    if ("m.room.power_levels", "") not in present:
        wanted.insert(0, StateEvent("m.room.power_levels", "", power_levels(room.kind, {}, room.settings.may)))
    return tuple(event for event in wanted if not _holds(present.get((event.type, event.state_key)), event.content))


def _holds(content: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Tell whether the state says what is wanted; Synapse adds to a topic its rich form."""
    return content is not None and all(content.get(name) == value for name, value in wanted.items())


@dataclass(frozen=True, slots=True)
class Shape:
    """What a managed room's state follows from."""

    key: RoomKey
    room_id: RoomId
    kind: RoomKind
    name: str
    topic: str
    parents: tuple[RoomId, ...]
    open_to: RoomId | None
    settings: Settings = PLAIN
    orders: Mapping[RoomId, str] = field(default_factory=dict)
    """Space → the place among what it lists, for those that have been told of one."""


def altered(
    event_type: str, state_key: str, content: Mapping[str, Any], room_id: RoomId, shapes: Mapping[RoomId, Shape]
) -> tuple[RoomId, str] | None:
    """Return which managed room has which field or setting otherwise than Muster made it, by one piece of state.

    None when the state is as Muster made it, or is nothing that it makes. `shapes` has every managed room by its ID.
    """
    room = shapes.get(room_id)
    if room is None:
        return None
    if event_type == "m.space.child":
        child = shapes.get(RoomId(state_key))
        if child is not None and room_id in child.parents:
            return _listed_otherwise(child, room_id, content)
        return (room_id, "children") if room.kind is RoomKind.SPACE and content.get("via") else None
    if event_type == "m.space.parent":
        return (room_id, "parents") if state_key in room.parents and not content.get("via") else None
    if state_key or event_type not in _FIELD_OF:
        return None
    return None if _as_made(room, event_type, content) else (room_id, _FIELD_OF[event_type])


def _listed_otherwise(child: Shape, space: RoomId, content: Mapping[str, Any]) -> tuple[RoomId, str] | None:
    if not content.get("via"):
        return child.room_id, "parents"
    return None if content.get("order") == child.orders.get(space) else (child.room_id, "order")


_FIELD_OF = {
    "m.room.name": "name",
    "m.room.topic": "topic",
    "m.room.join_rules": "open_to",
    "m.room.history_visibility": "history",
    "m.room.avatar": "avatar",
    "m.room.guest_access": "guest_access",
    "m.room.power_levels": "kind",
}
SETTINGS = frozenset({*_FIELD_OF, "m.space.child", "m.space.parent"})
"""The types of state that `altered` knows."""


def _as_made(room: Shape, event_type: str, content: Mapping[str, Any]) -> bool:
    match event_type:
        case "m.room.name":
            return _holds({"name": "", **content}, {"name": room.name})
        case "m.room.topic":
            return _holds({"topic": "", **content}, {"topic": room.topic})
        case "m.room.join_rules":
            return _holds(content, join_rule(room.open_to, knock=room.settings.knock).content)
        case "m.room.history_visibility":
            return _holds(content, visibility(room.kind, room.settings.history).content)
        case "m.room.avatar":
            return room.settings.avatar is None or content.get("url") == room.settings.avatar
        case "m.room.guest_access":
            return _holds({**NO_GUESTS.content, **content}, NO_GUESTS.content)
        case _:  # who has which power is a matter of people
            return {**content, "users": {}} == power_levels(room.kind, {}, room.settings.may)
