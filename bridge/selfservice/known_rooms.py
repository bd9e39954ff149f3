"""The rooms that one person may know of, and which of them are meant by a name (pure).

Everything that is said to a person about rooms goes through here, so that what one may not know of cannot be told from
what there is not: rooms that are exclusive, desks, the administrators' room, and rooms that no space lists which one is
in, and rooms that a barrier closes. Whoever is in such a room, or is invited to it, knows of it, and whoever ought to
be in it unless a barrier says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from bridge.directory.expression import fold
from bridge.directory.template import one_line
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership.ruling import Ruling, Rulings
from bridge.membership.values import CurrentRoom
from bridge.policy.schema import Policy, RoomKind

_AROUND = ' "“”„,:;–-'


class Standing(StrEnum):
    """What somebody is to a room."""

    IN = "in"
    INVITED = "invited"
    ENTITLED = "entitled"
    """Ought to be in it, and is not yet."""
    LISTED = "listed"
    """Not in it; a space lists it which the person is in."""


_THERE = frozenset({Standing.IN, Standing.INVITED})


@dataclass(frozen=True, slots=True)
class KnownRoom:
    """A room that the person may know of."""

    key: RoomKey
    room_id: RoomId
    name: str
    alias: str
    kind: RoomKind
    standing: Standing
    wanted: bool = False
    """Whether the policy wants the person in it."""
    ruling: Ruling | None = None
    """What the policy makes of the person and the room; None where nothing is known of the person."""
    granted: bool = False
    """Whether Muster put the person in."""
    waits: bool = False
    """Whether that the person leaves waits for a second person."""
    level: int = 0
    """The person's power in it."""


@dataclass(frozen=True, slots=True)
class Who:
    """The one person whom all of this is about."""

    user_id: UserId
    person: PersonId
    leaving: frozenset[RoomKey] = frozenset()
    """The rooms from which the removal waits for a second person."""


def known_rooms(
    rulings: Rulings, aliases: Mapping[RoomKey, str], who: Who, closed: Collection[RoomKey] = ()
) -> tuple[KnownRoom, ...]:
    """Return the rooms that somebody may know of, by name; `closed` are those that barriers close to this person."""
    rooms = rulings.current.rooms
    inside = frozenset(key for key, room in rooms.items() if who.user_id in room.members)
    found = []
    for key, room in rooms.items():
        ruling = rulings.of(who.person, key)
        wanted = ruling.wanted and not ruling.shadow
        standing = _standing(rulings.policy, room, inside, who, ruling)
        if standing is not None and (standing in _THERE or key not in closed):
            known = KnownRoom(
                key=key,
                room_id=room.room_id,
                name=one_line(room.name) or key,
                alias=aliases.get(key, ""),
                kind=room.kind,
                standing=standing,
                wanted=wanted,
                ruling=ruling,
                granted=who.user_id in room.granted,
                waits=key in who.leaving,
                level=room.power.get(who.user_id, 0) if standing is Standing.IN else 0,
            )
            found.append(known)
    return tuple(sorted(found, key=lambda room: (fold(room.name), room.key)))


def find(text: str, rooms: Iterable[KnownRoom]) -> tuple[KnownRoom, ...]:
    """Return the rooms that are called so: by key, ID, alias or link, else all of that name."""
    called = fold(_target(text))
    named: list[KnownRoom] = []
    for room in rooms:
        local = room.alias.removeprefix("#").partition(":")[0]
        if called in {fold(room.key), fold(room.room_id), fold(room.alias), fold(local), f"#{fold(local)}"}:
            return (room,)
        if called == fold(room.name):
            named.append(room)
    return tuple(named)


def split_request(text: str, rooms: Sequence[KnownRoom]) -> tuple[tuple[KnownRoom, ...], str]:
    """Return the rooms that the longest beginning of a text names, none or one or several, and the reason behind it."""
    words = text.split()
    for length in range(len(words), 0, -1):
        found = find(" ".join(words[:length]).strip(_AROUND), rooms)
        if found:
            reason = " ".join(words[length:]).lstrip(_AROUND)
            return found, reason.removeprefix("because ")
    return (), ""


def _standing(
    policy: Policy, room: CurrentRoom, inside: frozenset[RoomKey], who: Who, ruling: Ruling
) -> Standing | None:
    if room.key in inside:
        return Standing.IN
    if who.user_id in room.invited:
        return Standing.INVITED
    if ruling.wanted and not ruling.shadow:
        return Standing.ENTITLED
    if ruling.barrier is not None:
        return None
    rule = policy.rooms.get(room.key.partition("/")[0])
    if rule is None or rule.exclusive or rule.shadow or inside.isdisjoint(room.parents):
        return None
    return Standing.LISTED


def _target(text: str) -> str:
    """Return what a link to a room points to, or else the text."""
    text = " ".join(text.split())
    _, found, target = text.partition("matrix.to/#/")
    return unquote(target).partition("?")[0] if found else text
