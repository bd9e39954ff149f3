"""Which rooms there were at a moment and what they were called, and which of them somebody means. Pure.

Rooms that were renamed, deleted, made again or never managed are found as well: what the archive has of a room's state
says what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches

from bridge.archive.values import Comparison, StateEvent
from bridge.directory.expression import fold
from bridge.errors import UnknownNameError
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.rooms import MARKER

STATE_TYPES = ("m.room.create", "m.room.name", "m.room.canonical_alias", MARKER)
"""What `pasts` reads."""
_LISTED = 5
_UNKNOWN = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RoomPast:
    """A room as it was."""

    room_id: RoomId
    since: datetime
    """When the archive first knows of it."""
    key: RoomKey | None
    """None for a room that Muster did not make."""
    name: str = ""
    alias: str = ""
    names: frozenset[str] = field(default=frozenset(), repr=False)
    """Every name and alias that it had until then, folded."""


def pasts(
    events: Iterable[StateEvent],
    *,
    bot: UserId,
    managed: Mapping[RoomId, RoomKey] | None = None,
    populated: Iterable[RoomId] = (),
) -> dict[RoomId, RoomPast]:
    """Return the rooms of which there are events, as they were after these.

    Only the bot says which key a room has; `managed` are the keys of today, for rooms whose marker was not archived.
    `populated` are the rooms of which members are archived, whether or not more is.
    """
    facts: dict[RoomId, _Facts] = {}
    for each in events:
        facts.setdefault(each.event.room_id, _Facts(each.at)).take(each, bot)
    today = managed or {}
    for room_id in populated:
        facts.setdefault(room_id, _Facts(_UNKNOWN))
    return {
        room_id: RoomPast(
            room_id, known.since, known.key or today.get(room_id), known.name, known.alias, frozenset(known.names)
        )
        for room_id, known in facts.items()
    }


def find_room(name: str, rooms: Mapping[RoomId, RoomPast]) -> RoomPast:
    """Return the room of that room ID, key, alias, name or former name, in this order.

    Of several rooms with one key, because one was deleted and made again, the newest. Raises `UnknownNameError` when
    there is none, naming the nearest, or when several are called so.
    """
    if (exact := rooms.get(RoomId(name))) is not None:
        return exact
    wanted = fold(name)
    by_key = [room for room in rooms.values() if room.key is not None and fold(room.key) == wanted]
    if by_key:
        return max(by_key, key=lambda room: (room.since, room.room_id))
    now = [room for room in rooms.values() if wanted in (fold(room.alias), fold(room.name))]
    called = now or [room for room in rooms.values() if wanted in room.names]
    if len(called) == 1:
        return called[0]
    if called:
        listed = ", ".join(sorted(room.key or room.room_id for room in called)[:_LISTED])
        raise UnknownNameError(f"{len(called)} rooms are called {name!r}. Say which: {listed}.")
    raise UnknownNameError(f"The archive knows no room {name!r} by then.{_nearest(wanted, rooms.values())}")


def newest_by_key(rooms: Iterable[RoomPast]) -> dict[str, RoomPast]:
    """Return the managed rooms by their folded keys; of several with one key the newest."""
    ordered = sorted(rooms, key=lambda room: (room.since, room.room_id))
    return {fold(room.key): room for room in ordered if room.key is not None}


def statement(comparison: Comparison | None, moment: datetime) -> tuple[bool, str]:
    """Return whether the archive has everything of a room until the moment, and a sentence that says so, or what not.

    Whether an event is missing is known only as far as the room was compared with the homeserver.
    """
    if comparison is None:
        return False, "The archive has nothing of this room."
    if moment < comparison.begins:
        return False, f"The archive's oldest event of this room is of {_short(comparison.begins)}."
    found = f", {comparison.backfilled} events were fetched afterwards" if comparison.backfilled else ""
    if not comparison.whole:
        return (
            False,
            f"The archive lacks the beginning of this room: its oldest event is of {_short(comparison.begins)}.",
        )
    if comparison.checked_at is None:
        return False, "This room was not compared with the homeserver yet, so that events may be missing."
    if comparison.checked_at < moment:
        return False, (
            f"Compared with the homeserver up to {_short(comparison.checked_at)}{found}; what came later is as Synapse"
            " delivered it."
        )
    return True, f"Compared with the homeserver at {_short(comparison.checked_at)}: nothing is missing{found}."


class _Facts:
    """What was said of one room so far."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.key: RoomKey | None = None
        self.name = self.alias = ""
        self.names: set[str] = set()

    def take(self, each: StateEvent, bot: UserId) -> None:
        content = each.event.content
        if each.event.type == MARKER and each.event.sender == bot:
            self.key = RoomKey(_text(content.get("key"))) or self.key
        elif each.event.type == "m.room.name":
            self.name = _text(content.get("name"))
            self.names.add(fold(self.name))
        elif each.event.type == "m.room.canonical_alias":
            self.alias = _text(content.get("alias"))
            more = content.get("alt_aliases")
            aliases = [self.alias, *(more if isinstance(more, list) else ())]
            self.names |= {fold(alias) for alias in aliases if isinstance(alias, str) and alias}


def _nearest(wanted: str, rooms: Iterable[RoomPast]) -> str:
    there = list(rooms)
    known = {fold(text): text for text in [*(room.name for room in there), *(room.key or "" for room in there)] if text}
    near = get_close_matches(wanted, known, n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(known[each] for each in near)}?" if near else ""


def _short(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
