"""Who was in a room at a moment, since when, with which power, and by which rule or whose invitation. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from bridge.archive.values import Comparison
from bridge.directory.local_day import DayOf
from bridge.directory.person import Attributes, Person, values_of, works_here
from bridge.directory.selector import matches
from bridge.ids import PersonId, UserId
from bridge.membership.audit import Entry
from bridge.membership.explanation import WORDS, PolicyVersion, iso
from bridge.membership.presence import Power, Presence
from bridge.membership.question import Question, question_of
from bridge.membership.room_past import RoomPast, statement
from bridge.membership.values import Action
from bridge.policy.schema import Policy

_SHOWN = frozenset({"department", "title"})
PRESENT = frozenset({"join", "invite"})
"""Who can read, or can read as soon as they like."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """Somebody in a room."""

    user_id: str
    person: str
    """Empty for somebody whom the directory did not know."""
    user_name: str
    department: str
    title: str
    membership: str
    """`in` or `invited`."""
    since: str
    """ISO 8601, UTC."""
    level: int | None
    """None is a creator's power, which nothing limits."""
    rule: str
    """By which rule of the policy, `-` for whoever is not there by a rule."""
    reason: str
    approved_by: str
    """Who approved the change that put them there, when it needed one."""
    event_id: str
    sender: str
    """Of that event."""
    entry: int | None
    """The audit log's, when Muster put them there."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A room at a moment."""

    room_id: str
    key: str
    """Empty for a room that Muster did not make."""
    name: str
    alias: str
    at: str
    rule: str
    """Empty when no rule of the policy made it then."""
    selector: str
    policy: PolicyVersion | None
    occupants: tuple[Occupant, ...]
    complete: bool
    completeness: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one room at a moment."""

    moment: datetime
    policy: Policy | None
    version: PolicyVersion | None
    bot: UserId
    presences: Mapping[UserId, Presence]
    power: Power
    people: Mapping[UserId, Person]
    """Whose account each was, as the directory had them."""
    day: DayOf
    arrivals: Mapping[UserId, Entry]
    names: Mapping[PersonId, str]
    """Of those who approved."""
    comparison: Comparison | None


def occupancy(room: RoomPast, facts: Facts, *, newest: bool = True) -> Occupancy:
    """Return who was in the room: people by name, then those whom the directory did not know.

    `newest` is False for a room whose key another one has taken over: no rule speaks of it.
    """
    asked = question_of(room.key, facts.policy) if room.key and facts.policy and newest else None
    there = [presence for presence in facts.presences.values() if presence.membership in PRESENT]
    paths = _SHOWN | (asked.selector.attributes if asked else frozenset())
    occupants = [_occupant(presence, asked, paths, facts) for presence in there]
    complete, sentence = statement(facts.comparison, facts.moment)
    return Occupancy(
        room_id=room.room_id,
        key=room.key or "",
        name=room.name or room.alias or room.key or room.room_id,
        alias=room.alias,
        at=iso(facts.moment),
        rule=asked.rule if asked else "",
        selector=asked.selector.text if asked else "",
        policy=facts.version,
        occupants=tuple(sorted(occupants, key=lambda one: (not one.person, one.person.casefold(), one.user_id))),
        complete=complete,
        completeness=sentence,
    )


def _occupant(presence: Presence, asked: Question | None, paths: frozenset[str], facts: Facts) -> Occupant:
    """Return somebody who is there; `paths` are the attributes that are asked for or shown."""
    person = facts.people.get(presence.user_id)
    day = facts.day(person) if person else date.max
    attributes = {path: values_of(person, path, day) for path in paths} if person else {}
    entry = facts.arrivals.get(presence.user_id)
    if entry is not None and (entry.action is not Action.JOIN or entry.room_id not in (None, presence.room_id)):
        entry = None
    rule, reason = _grounds(presence, person, attributes, asked, entry, facts)
    return Occupant(
        user_id=presence.user_id,
        person=person.display_name if person else "",
        user_name=person.user_name if person else "",
        department=_joined(attributes, "department"),
        title=_joined(attributes, "title"),
        membership=WORDS[presence.membership],
        since=iso(presence.since),
        level=facts.power.of(presence.user_id),
        rule=rule,
        reason=reason,
        approved_by=_approver(entry, facts),
        event_id=presence.event_id,
        sender=presence.sender,
        entry=entry.id if entry else None,
    )


def _grounds(
    presence: Presence,
    person: Person | None,
    attributes: Attributes,
    asked: Question | None,
    entry: Entry | None,
    facts: Facts,
) -> tuple[str, str]:
    """Return the rule by which somebody is there, and the reason in words."""
    if presence.user_id == facts.bot:
        return "-", "Muster's own account"
    if person and asked and works_here(person, facts.day(person)) and matches(asked.selector, attributes):
        return asked.rule, asked.selector.text
    if entry is not None and entry.outcome in ("done", "interrupted"):
        return "-", f"put in by {entry.rule} on {entry.at:%Y-%m-%d} and not taken out yet"
    if presence.invited_by or presence.membership == "invite":
        return "-", f"invited by {presence.invited_by or presence.sender}"
    return "-", "came in without an invitation"


def _approver(entry: Entry | None, facts: Facts) -> str:
    if entry is None or entry.approval is None or entry.approved_by is None:
        return ""
    return facts.names.get(entry.approved_by, entry.approved_by)


def _joined(attributes: Attributes, path: str) -> str:
    return ", ".join(str(value) for value in attributes.get(path, ()))
