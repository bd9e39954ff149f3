"""Why somebody is in a room now, or not: which rule asks what, what the directory answers, and what was done when.

Pure. It explains what a survey of that one person has found, together with the person's history, the archived
membership events and the audit log's last entry for each room. The past is `why_then`'s, words are `why_text`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from bridge.directory.history import HistoryEntry
from bridge.directory.person import Person, attributes_of, is_employed, works_here
from bridge.errors import UnknownNameError
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.audit import Entry, Held
from bridge.membership.explanation import (
    WORDS,
    Explanation,
    PolicyVersion,
    RoomReason,
    happening_of,
    since_of,
)
from bridge.membership.grounds import Witness, by_hand, grounds_of, handed_over, sentence, waits_of
from bridge.membership.presence import Power, Presence
from bridge.membership.question import answers, as_source
from bridge.membership.room_past import RoomPast, find_room
from bridge.membership.ruling import Ruling, Rulings
from bridge.membership.values import CurrentRoom


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the person: by the survey, by directory and archive, and by the audit log (room key or ID → last
    entry)."""

    rulings: Rulings
    arrivals: Mapping[str, Entry]
    day: date
    in_force_since: str | None = None
    """Since when this policy is in force, ISO 8601, UTC."""
    history: Sequence[HistoryEntry] = ()
    """Every state of the person, in the order of recording."""
    presences: Mapping[RoomId, Presence] = field(default_factory=dict)
    """What the archive's events make of the person, by room."""
    powers: Mapping[RoomId, Power] = field(default_factory=dict)
    """Of rooms that Muster does not manage."""
    elsewhere: Mapping[RoomId, RoomPast] = field(default_factory=dict)
    """The rooms that Muster does not manage and the person is in."""
    held: Sequence[Held] = ()
    """What waits for a second person."""
    ranks: Mapping[str, Entry] = field(default_factory=dict)
    """The last entries about power."""
    hand_overs: Mapping[str, Entry] = field(default_factory=dict)
    """Of the rooms that the person took over, or passed on."""
    staying: frozenset[UserId] = frozenset()
    """Leavers who keep their rooms until the stage that takes these."""


def explain(person: Person, known: Known, room: str | None = None) -> Explanation:
    """Explain one room by its key or name, or else every room that the person is in or that has a say about it.

    Raises `UnknownNameError`, naming the nearest, when there is no such room.
    """
    user_id, rulings = _user_id(person, known), known.rulings
    account = rulings.current.accounts.get(person.id)
    keys = _rooms_of(person, user_id, known) if room is None else [_find(room, known)]
    return Explanation(
        person=person.display_name,
        user_name=person.user_name,
        user_id=user_id or "",
        works_here=works_here(person, known.day),
        barred=is_employed(person, known.day) and not works_here(person, known.day),
        enabled=account is not None and account.enabled,
        directory_version=person.version,
        rooms=tuple(_reason(key, person, user_id, known) for key in keys),
        policy=PolicyVersion(rulings.policy.digest, known.in_force_since),
        state=as_source(known.history[-1]) if known.history else None,
    )


def _user_id(person: Person, known: Known) -> UserId | None:
    if (account := known.rulings.current.accounts.get(person.id)) is not None:
        return account.user_id
    wanted = known.rulings.desired.accounts.get(person.id)
    return wanted.user_id if wanted else None


def _rooms_of(person: Person, user_id: UserId | None, known: Known) -> list[str]:
    """Return the rooms of the policy for this person, and the ones the person is in besides."""
    rulings = known.rulings
    inside = {key for key, room in rulings.current.rooms.items() if user_id in room.members | room.invited}
    asked = {key for key in rulings.desired.rooms if "/" not in key}.union(rulings.concerning(person.id))
    return sorted([*(asked | inside), *known.elsewhere])


def _find(name: str, known: Known) -> str:
    rulings = known.rulings
    keys = rulings.desired.rooms.keys() | rulings.current.rooms.keys()
    names: dict[str, list[str]] = {}
    for key in sorted(keys):
        room = rulings.current.rooms.get(key) or rulings.desired.rooms[key]
        names.setdefault(room.name.casefold(), []).append(key)
    by_key = {key.casefold(): key for key in keys}
    if (found := by_key.get(name.casefold())) is not None:
        return found
    called = names.get(name.casefold(), [])
    if len(called) == 1:
        return called[0]
    if not called:
        with suppress(UnknownNameError):
            return find_room(name, known.elsewhere).room_id
    near = called or [by_key[key] for key in get_close_matches(name.casefold(), by_key, n=3, cutoff=0.5)]
    hint = f" Did you mean {' or '.join(near)}?" if near else " `muster why PERSON` lists the rooms."
    raise UnknownNameError(f"There is no room {name!r}.{hint}")


def _reason(key: str, person: Person, user_id: UserId | None, known: Known) -> RoomReason:
    if (place := known.elsewhere.get(RoomId(key))) is not None:
        return _reason_elsewhere(place, user_id, known)
    rulings = known.rulings
    room, wanted_room = rulings.current.rooms.get(RoomKey(key)), rulings.desired.rooms.get(RoomKey(key))
    ruling = rulings.of(person.id, RoomKey(key))
    witness = Witness(attributes_of(person, known.day), known.history, known.day)
    asked, there, entry = ruling.question, _there(user_id, room), known.arrivals.get(key)
    named = room or wanted_room
    return RoomReason(
        room=key,
        name=named.name if named else key,
        rule=asked.rule if asked else "",
        there=there,
        wanted=ruling.wanted,
        selector=asked.selector.text if asked else "",
        answers=tuple(answers(asked.selector, witness.attributes, known.history, known.day)) if asked else (),
        level=room.power.get(user_id, 0) if room and user_id else 0,
        wanted_level=ruling.level,
        remark=" ".join(
            filter(None, (sentence(ruling, rulings, there=there == "in"), _remark(there, ruling, user_id, room, known)))
        ),
        since=since_of(entry),
        room_id=room.room_id if room else None,
        event=happening_of(known.presences.get(room.room_id)) if room else None,
        grounds=grounds_of(ruling, rulings, witness),
        waits=waits_of(entry, known.held, key, user_id),
        ranked=since_of(known.ranks.get(key)),
    )


def _reason_elsewhere(place: RoomPast, user_id: UserId | None, known: Known) -> RoomReason:
    """Explain a room that Muster does not manage: by the archive, and by what was handed over."""
    presence = known.presences[place.room_id]
    power = known.powers.get(place.room_id)
    entry, over = known.arrivals.get(place.room_id), known.hand_overs.get(place.room_id)
    inviter = presence.invited_by or (presence.sender if presence.membership == "invite" else None)
    return RoomReason(
        room=place.room_id,
        name=place.name or place.alias or place.room_id,
        rule="",
        there=WORDS[presence.membership],
        wanted=False,
        selector="",
        answers=(),
        level=power.of(user_id) if power and user_id and presence.membership == "join" else 0,
        wanted_level=0,
        remark=handed_over(over, user_id) or (f"{inviter} has invited this person." if inviter else ""),
        since=since_of(entry),
        room_id=place.room_id,
        event=happening_of(presence),
        waits=waits_of(entry, known.held, place.room_id, user_id),
        handed_over=since_of(over),
    )


def _there(user_id: UserId | None, room: CurrentRoom | None) -> str:
    if room is None or user_id is None:
        return "not in"
    return "in" if user_id in room.members else "invited" if user_id in room.invited else "not in"


def _remark(there: str, ruling: Ruling, user_id: UserId | None, room: CurrentRoom | None, known: Known) -> str:
    """Return what is still to be done, or by what somebody is there whom the policy does not name."""
    pending = ruling.wanted and there != "in" and not ruling.shadow
    if room is None:
        return "The room has not been made yet." if pending else ""
    if ruling.question is None:
        return "No rule of the policy makes this room any more, so Muster leaves it alone."
    if pending:
        return "Muster has yet to put this person in."
    if there == "not in" and user_id in room.guests:
        return "Was here by hand before the account was disabled, and gets the place back with the account."
    if there == "not in" or ruling.wanted:
        return ""
    if user_id in known.staying:
        return "Keeps the room until the stage of the policy's `leavers` that takes it."
    if ruling.barrier is not None:
        return "Muster has yet to take them out."
    if user_id in room.granted:
        return "Muster put this person in and has yet to take them out, or a second person must approve it."
    return by_hand(known.arrivals.get(room.key)) or "Somebody invited this person by hand."
