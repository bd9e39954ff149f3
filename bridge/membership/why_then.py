"""Why somebody was in a room at a past moment, or was not. Pure.

Three witnesses are heard and not mixed: the archive's events say who was there, as the homeserver had it; the
directory as recorded by then, the policy in force then and the audit log say what Muster knew and did. Where a witness
is silent the explanation says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from bridge.archive.values import Comparison
from bridge.directory.expression import fold
from bridge.directory.history import HistoryEntry
from bridge.directory.person import attributes_of, is_employed, works_here
from bridge.errors import UnknownNameError
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.audit import Entry
from bridge.membership.explanation import (
    WORDS,
    Explanation,
    PolicyVersion,
    RoomReason,
    happening_of,
    iso,
    since_of,
)
from bridge.membership.grounds import Witness, by_hand, grounds_of, handed_over, sentence, waited
from bridge.membership.presence import Power, Presence
from bridge.membership.question import answers, as_source
from bridge.membership.room_past import RoomPast, find_room, newest_by_key, statement
from bridge.membership.ruling import Ruling, Rulings
from bridge.membership.values import Action

_PRESENT = frozenset({"join", "invite", "knock"})


@dataclass(frozen=True, slots=True)
class Then:
    """What is known of a person at a moment."""

    moment: datetime
    day: date
    """What day it was for the person."""
    rulings: Rulings | None
    """What the policy in force decided; None before the first, or when it cannot be read any more."""
    version: PolicyVersion | None
    """Of the policy in force, whether it can be read or not."""
    history: Sequence[HistoryEntry]
    """The states recorded by then, in the order of recording; at least one."""
    user_id: UserId | None
    account: Entry | None
    """The last entry by then that let the account in or shut it out."""
    presences: Mapping[RoomId, Presence]
    powers: Mapping[RoomId, Power]
    rooms: Mapping[RoomId, RoomPast]
    comparisons: Mapping[RoomId, Comparison]
    arrivals: Mapping[str, Entry]
    """Room key or ID → the last entry by then."""
    ranks: Mapping[str, Entry] = field(default_factory=dict)
    """The same about power."""
    hand_overs: Mapping[str, Entry] = field(default_factory=dict)
    """The same of rooms that the person took over, or passed on."""
    guest_of: frozenset[RoomId] = frozenset()
    """The rooms that the person would get back with the account."""


def explain_then(then: Then, room: str | None = None) -> Explanation:
    """Explain one room by its ID, key, alias or name, or else every one the person was in or was entitled to.

    Raises `UnknownNameError`, naming the nearest, when there was no such room.
    """
    state = then.history[-1]
    person = state.person
    wanted = then.rulings.concerning(person.id) if then.rulings is not None else []
    places = _places(then, wanted) if room is None else [_place(then, room)]
    return Explanation(
        person=person.display_name,
        user_name=person.user_name,
        user_id=then.user_id or "",
        works_here=works_here(person, then.day),
        barred=is_employed(person, then.day) and not works_here(person, then.day),
        enabled=None
        if then.account is None
        else then.account.action not in (Action.DISABLE_ACCOUNT, Action.PREPARE_ACCOUNT),
        directory_version=state.version,
        rooms=tuple(_reason(key, place, then) for key, place in places),
        policy=then.version,
        state=as_source(state),
        at=iso(then.moment),
        remark=_remark_on_policy(then),
    )


def _places(then: Then, wanted: Sequence[str]) -> list[tuple[str, RoomPast | None]]:
    """Return the rooms that the person was in, and the ones that the policy wanted, each with its key or room ID."""
    known = newest_by_key(then.rooms.values())
    places = {key: known.get(fold(key)) for key in wanted}
    taken = {place.room_id for place in places.values() if place is not None}
    for room_id, presence in then.presences.items():
        if presence.membership in _PRESENT and room_id not in taken:
            place = then.rooms.get(room_id)
            places[_name_of(place, then) if place else room_id] = place or RoomPast(room_id, presence.since, None)
    return sorted(places.items())


def _name_of(place: RoomPast, then: Then) -> str:
    """Return the room's key, or its ID when it has none or another room has taken the key over."""
    if place.key is None:
        return place.room_id
    return place.key if newest_by_key(then.rooms.values())[fold(place.key)] == place else place.room_id


def _place(then: Then, name: str) -> tuple[str, RoomPast | None]:
    try:
        found = find_room(name, then.rooms)
    except UnknownNameError:
        if then.rulings is not None and then.rulings.question(RoomKey(name)) is not None:
            return name, None
        raise
    return _name_of(found, then), found


def _reason(key: str, place: RoomPast | None, then: Then) -> RoomReason:
    state, rulings = then.history[-1], then.rulings
    witness = Witness(attributes_of(state.person, then.day), then.history, then.day)
    ruling = rulings.of(state.person.id, RoomKey(key)) if rulings is not None else None
    asked, wanted = (ruling.question, ruling.wanted) if ruling else (None, False)
    presence = then.presences.get(place.room_id) if place else None
    power = then.powers.get(place.room_id) if place else None
    there = WORDS[presence.membership] if presence else WORDS["leave"]
    entry, over = _last(then.arrivals, place), _last(then.hand_overs, place)
    complete, statement_ = statement(then.comparisons.get(place.room_id), then.moment) if place else (True, "")
    said = sentence(ruling, rulings, there=there == "in") if ruling and rulings and asked else ""
    return RoomReason(
        room=key,
        name=(place.name or place.alias or key) if place else key,
        rule=asked.rule if asked else "",
        there=there,
        wanted=wanted,
        selector=asked.selector.text if asked else "",
        answers=tuple(answers(asked.selector, witness.attributes, then.history, then.day)) if asked else (),
        level=power.of(then.user_id) if power and then.user_id and there == "in" else 0,
        wanted_level=ruling.level if ruling else 0,
        remark=" ".join(filter(None, (said, _remark(place, presence, ruling, entry, over, then)))),
        since=since_of(entry),
        room_id=place.room_id if place else None,
        event=happening_of(presence),
        complete=complete,
        completeness=statement_,
        grounds=grounds_of(ruling, rulings, witness) if ruling and rulings and asked else None,
        waits=None if wanted else waited(entry),
        ranked=since_of(_last(then.ranks, place)),
        handed_over=since_of(over),
    )


def _last(entries: Mapping[str, Entry], place: RoomPast | None) -> Entry | None:
    """Return the last entry about this very room, not about one that had its key before or after."""
    if place is None:
        return None
    entry = entries.get(place.key or place.room_id)
    return entry if entry is not None and entry.room_id in (None, place.room_id) else None


def _remark(
    place: RoomPast | None,
    presence: Presence | None,
    ruling: Ruling | None,
    entry: Entry | None,
    over: Entry | None,
    then: Then,
) -> str:
    """Return what was still to be done, or by what somebody was there whom the policy did not name."""
    pending = ruling is not None and ruling.wanted and not ruling.shadow
    if place is None:
        return "The room had not been made." if pending else ""
    is_in = presence is not None and presence.membership == "join"
    if pending and not is_in:
        return "Muster had yet to put this person in."
    if presence is None or presence.membership not in _PRESENT:
        return _OWED if place.room_id in then.guest_of else ""
    if ruling is not None and ruling.wanted:
        return ""
    if said := handed_over(over, then.user_id) or by_hand(entry):
        return said
    if entry is not None and entry.action is Action.JOIN and entry.outcome == "done":
        return "Muster had put this person in and had yet to take them out, or a second person had to approve it."
    if presence.invited_by or presence.membership == "invite":
        return f"{presence.invited_by or presence.sender} had invited this person."
    if then.rulings is not None and (ruling is None or ruling.question is None):
        return "No rule of the policy made this room."
    return ""


def _remark_on_policy(then: Then) -> str:
    if then.version is None:
        return "No policy was in force then, as far as is known."
    if then.rulings is None:
        return "The policy of then cannot be read by this version of Muster and its configuration."
    return ""


_OWED = "Had been here by hand before the account was disabled, and was to get the place back with the account."
