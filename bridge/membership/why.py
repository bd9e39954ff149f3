"""Why somebody is in a room now, or not: which rule asks what, what the directory answers, and what was done when.

Pure. It explains what a survey of that one person has found, together with the person's history, the archived
membership events and the audit log's last entry for each room. The past is `why_then`'s, words are `why_text`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from bridge.directory.history import HistoryEntry
from bridge.directory.person import Person, attributes_of, is_employed, works_here
from bridge.errors import UnknownNameError
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.audit import Entry
from bridge.membership.explanation import Explanation, PolicyVersion, RoomReason, happening_of, since_of
from bridge.membership.presence import Presence
from bridge.membership.question import answers, as_source, question_of
from bridge.membership.values import Current, CurrentRoom, Desired, DesiredRoom
from bridge.policy.schema import Policy


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the person: by the survey, by directory and archive, and by the audit log (room key → last
    entry)."""

    policy: Policy
    desired: Desired
    current: Current
    arrivals: Mapping[str, Entry]
    day: date
    in_force_since: str | None = None
    """Since when this policy is in force, ISO 8601, UTC."""
    history: Sequence[HistoryEntry] = ()
    """Every state of the person, in the order of recording."""
    presences: Mapping[RoomId, Presence] = field(default_factory=dict)
    """What the archive's events make of the person, by room."""
    row: int = 0
    """Of the person, in the census that `desired` was made of."""


def explain(person: Person, known: Known, room: str | None = None) -> Explanation:
    """Explain one room by its key or name, or else every room that the person is in or that has a say about it.

    Raises `UnknownNameError`, naming the nearest, when there is no such room.
    """
    user_id = _user_id(person, known)
    account = known.current.accounts.get(person.id)
    keys = _rooms_of(user_id, known) if room is None else [_find(room, known)]
    return Explanation(
        person=person.display_name,
        user_name=person.user_name,
        user_id=user_id or "",
        works_here=works_here(person, known.day),
        barred=is_employed(person, known.day) and not works_here(person, known.day),
        enabled=account is not None and account.enabled,
        directory_version=person.version,
        rooms=tuple(_reason(key, person, user_id, known) for key in keys),
        policy=PolicyVersion(known.policy.digest, known.in_force_since),
        state=as_source(known.history[-1]) if known.history else None,
    )


def _user_id(person: Person, known: Known) -> UserId | None:
    if (account := known.current.accounts.get(person.id)) is not None:
        return account.user_id
    wanted = known.desired.accounts.get(person.id)
    return wanted.user_id if wanted else None


def _rooms_of(user_id: UserId | None, known: Known) -> list[RoomKey]:
    """Return the rooms of the policy for this person, and the ones the person is in besides."""
    inside = {key for key, room in known.current.rooms.items() if user_id in room.members | room.invited}
    asked = {key for key, room in known.desired.rooms.items() if "/" not in key or known.row in room.members}
    return sorted(asked | inside)


def _find(name: str, known: Known) -> RoomKey:
    keys = known.desired.rooms.keys() | known.current.rooms.keys()
    names: dict[str, list[RoomKey]] = {}
    for key in sorted(keys):
        room = known.current.rooms.get(key) or known.desired.rooms[key]
        names.setdefault(room.name.casefold(), []).append(key)
    by_key = {key.casefold(): key for key in keys}
    if (found := by_key.get(name.casefold())) is not None:
        return found
    called = names.get(name.casefold(), [])
    if len(called) == 1:
        return called[0]
    near = called or [by_key[key] for key in get_close_matches(name.casefold(), by_key, n=3, cutoff=0.5)]
    hint = f" Did you mean {' or '.join(near)}?" if near else " `muster why PERSON` lists the rooms."
    raise UnknownNameError(f"There is no room {name!r}.{hint}")


def _reason(key: RoomKey, person: Person, user_id: UserId | None, known: Known) -> RoomReason:
    room, wanted_room = known.current.rooms.get(key), known.desired.rooms.get(key)
    attributes = attributes_of(person, known.day)
    asked = question_of(key, known.policy)
    wanted = wanted_room is not None and known.row in wanted_room.members
    exempt = wanted_room.exempt.get(known.row, "") if wanted_room else ""
    there = _there(user_id, room)
    named = room or wanted_room
    return RoomReason(
        room=key,
        name=named.name if named else key,
        rule=asked.rule if asked else "",
        there=there,
        wanted=wanted,
        selector=asked.selector.text if asked else "",
        answers=tuple(answers(asked.selector, attributes, known.history, known.day)) if asked else (),
        level=room.power.get(user_id, 0) if room and user_id else 0,
        wanted_level=_wanted_level(wanted_room, known.row) if wanted else 0,
        remark=" ".join(
            filter(None, (_exempted(exempt), _remark(there, wanted, user_id, room, known, asked is not None)))
        ),
        since=since_of(known.arrivals.get(key)),
        room_id=room.room_id if room else None,
        event=happening_of(known.presences.get(room.room_id)) if room else None,
    )


def _exempted(why: str) -> str:
    """Return an exception as a sentence."""
    return f"{why[0].upper()}{why[1:]}." if why else ""


def _there(user_id: UserId | None, room: CurrentRoom | None) -> str:
    if room is None or user_id is None:
        return "not in"
    return "in" if user_id in room.members else "invited" if user_id in room.invited else "not in"


def _wanted_level(room: DesiredRoom | None, row: int) -> int:
    """Return the level of the person in that row."""
    return max((level for level, people in room.power.items() if row in people), default=0) if room else 0


def _remark(
    there: str, wanted: bool, user_id: UserId | None, room: CurrentRoom | None, known: Known, ruled: bool
) -> str:
    if room is None:
        return "The room has not been made yet." if wanted else ""
    if not ruled:
        return "No rule of the policy makes this room any more, so Muster leaves it alone."
    if there == "not in":
        return "Muster has yet to put this person in." if wanted else ""
    if wanted:
        return "" if there == "in" else "Muster has yet to put this person in."
    if user_id in room.granted:
        return "Muster put this person in and has yet to take them out, or a second person must approve it."
    return "Somebody invited this person by hand."
