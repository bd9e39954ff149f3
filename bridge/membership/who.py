"""Who was in a room at a moment, since when, with which power, and by which rule or whose invitation; and who ought to
have been there and was not, or was kept out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bridge.archive.values import Comparison
from bridge.directory.local_day import DayOf
from bridge.directory.person import Person, values_of
from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.audit import Entry
from bridge.membership.explanation import WORDS, PolicyVersion, iso
from bridge.membership.grounds import by_hand, exception_of, handed_over, in_words, named, place_in
from bridge.membership.presence import Power, Presence
from bridge.membership.room_past import RoomPast, statement
from bridge.membership.ruling import Ground, Ruling, Rulings
from bridge.membership.values import Action

_SHOWN = ("department", "title")
KEPT_OUT = "kept out"
"""By a barrier or an exception, of whoever the rule asks for."""
TO_COME = "to be put in"
PLANNED = "only planned"
"""By a rule in shadow."""
PRESENT = frozenset({"join", "invite"})
"""Who can read, or can read as soon as they like."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """Somebody in a room, or somebody who might be expected there."""

    user_id: str
    person: str
    """Empty for somebody whom the directory did not know."""
    user_name: str
    department: str
    title: str
    membership: str
    """`in` or `invited`; `kept out`, `to be put in` or `only planned` for who is absent."""
    since: str
    """ISO 8601, UTC; empty for who is absent."""
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
    ground: str = ""
    """By what: as in `Grounds`, or `invitation`, `hand-over`, `return`, `not taken out yet` or `own account`."""
    until: str = ""
    """The last day of an exception, ISO 8601."""
    owner: str = ""
    """Who answers for the exception."""
    source: str = ""
    """Where the ground is written: a place in the policy, who made an exception, or the entry of the audit log."""
    power_by: str = ""
    """What of the policy gives the power, or that it is not the policy's."""
    waits: str = ""
    """What about this waits for a second person."""


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
    absent: tuple[Occupant, ...] = ()
    """Who is kept out by a barrier or an exception, and who is yet to be put in."""
    shadow: bool = False
    """Whether the rule is only told of, and not carried out."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one room at a moment."""

    moment: datetime
    rulings: Rulings | None
    """What the policy in force decided; None without one that can be read."""
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
    hand_overs: Mapping[UserId, Entry] = field(default_factory=dict)
    """Heir → the entry by which the room was handed over."""


@dataclass(frozen=True, slots=True)
class _Grounds:
    """By what somebody is in a room."""

    ground: str
    reason: str
    rule: str = "-"
    source: str = ""


def occupancy(room: RoomPast, facts: Facts, *, newest: bool = True) -> Occupancy:
    """Return who was in the room: people by name, then those whom the directory did not know.

    `newest` is False for a room whose key another one has taken over: no rule speaks of it.
    """
    key = room.key if newest and facts.rulings is not None else None
    asked = facts.rulings.question(key) if facts.rulings is not None and key is not None else None
    there = [presence for presence in facts.presences.values() if presence.membership in PRESENT]
    occupants = [_occupant(presence, key if asked else None, facts) for presence in there]
    complete, sentence = statement(facts.comparison, facts.moment)
    ruled = facts.rulings.desired.rooms.get(key) if facts.rulings is not None and key is not None else None
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
        absent=tuple(_absent(key, facts)) if asked and key is not None else (),
        shadow=ruled is not None and ruled.shadow,
    )


def _absent(key: RoomKey, facts: Facts) -> Iterator[Occupant]:
    """Yield who might be expected in the room and is not there."""
    rulings = facts.rulings
    assert rulings is not None
    inside = {facts.people[user].id for user in facts.presences if user in facts.people}
    for person_id in rulings.expected(key):
        if person_id in inside:
            continue
        ruling = rulings.of(person_id, key)
        state = PLANNED if ruling.shadow else TO_COME if ruling.wanted else KEPT_OUT
        if ruling.ground in (Ground.NOT_WORKING, Ground.BARRED) or ruling.question is None:
            continue
        row = rulings.census.row(person_id)
        assert row is not None
        person = rulings.census.person(row)
        account = rulings.current.accounts.get(person_id)
        grounds = _grounds_of_ruling(ruling, rulings)
        entry = facts.arrivals.get(account.user_id) if account else None
        yield Occupant(
            user_id=account.user_id if account else "",
            person=person.display_name,
            user_name=person.user_name,
            **_shown(person, facts),
            membership=state,
            since="",
            level=0,
            rule=ruling.question.rule,
            reason=grounds.reason,
            approved_by="",
            event_id="",
            sender="",
            entry=entry.id if entry else None,
            ground=grounds.ground,
            source=grounds.source,
            until=ruling.exception.until.isoformat() if ruling.exception else "",
            owner=ruling.exception.owner if ruling.exception else "",
        )


def _occupant(presence: Presence, key: RoomKey | None, facts: Facts) -> Occupant:
    """Return somebody who is there; `key` is that of a room that a rule makes."""
    person, rulings = facts.people.get(presence.user_id), facts.rulings
    last = facts.arrivals.get(presence.user_id)
    if last is not None and last.room_id not in (None, presence.room_id):
        last = None
    ruling = rulings.of(person.id, key) if person is not None and rulings is not None and key is not None else None
    entry = last if last is not None and last.action is Action.JOIN else None
    grounds = _grounds(presence, ruling, entry, facts)
    level = facts.power.of(presence.user_id)
    exception = ruling.exception if ruling is not None and ruling.ground is Ground.EXCEPTION else None
    return Occupant(
        user_id=presence.user_id,
        person=person.display_name if person else "",
        user_name=person.user_name if person else "",
        **_shown(person, facts),
        membership=WORDS[presence.membership],
        since=iso(presence.since),
        level=level,
        rule=grounds.rule,
        reason=grounds.reason,
        approved_by=_approver(entry, facts),
        event_id=presence.event_id,
        sender=presence.sender,
        entry=entry.id if entry else None,
        ground=grounds.ground,
        until=exception.until.isoformat() if exception else "",
        owner=exception.owner if exception else "",
        source=grounds.source,
        power_by=_power_by(level, ruling, presence, facts),
        waits="" if ruling is not None and ruling.wanted else _waits(last),
    )


def _grounds(presence: Presence, ruling: Ruling | None, entry: Entry | None, facts: Facts) -> _Grounds:
    """Return by what somebody is there, and the reason in words."""
    if presence.user_id == facts.bot:
        return _Grounds("own account", "Muster's own account")
    if ruling is not None and ruling.wanted and facts.rulings is not None:
        return _grounds_of_ruling(ruling, facts.rulings)
    over = facts.hand_overs.get(presence.user_id)
    if over is not None and (said := handed_over(over, presence.user_id)):
        return _Grounds("hand-over", said, source=f"entry {over.id}")
    if ruling is not None and facts.rulings is not None and ruling.ground in (Ground.BARRIER, Ground.EXCEPTION):
        kept_out = _grounds_of_ruling(ruling, facts.rulings)
        return _Grounds(ruling.ground.value, f"{kept_out.reason}, and not taken out yet", source=kept_out.source)
    if entry is not None and (said := by_hand(entry)):
        return _Grounds("return", said, source=f"entry {entry.id}")
    if entry is not None and entry.outcome in ("done", "interrupted"):
        said = f"put in by {entry.rule} on {entry.at:%Y-%m-%d} and not taken out yet"
        return _Grounds("not taken out yet", said, source=f"entry {entry.id}")
    if presence.invited_by or presence.membership == "invite":
        return _Grounds("invitation", f"invited by {presence.invited_by or presence.sender}")
    return _Grounds("invitation", "came in without an invitation")


def _grounds_of_ruling(ruling: Ruling, rulings: Rulings) -> _Grounds:
    rule = ruling.question.rule if ruling.question is not None else "-"
    digest = rulings.policy.digest
    if ruling.ground is Ground.EXCEPTION and ruling.exception is not None:
        source = exception_of(ruling.exception, digest).source
    elif ruling.barrier is not None:
        source = place_in(digest, ruling.barrier.place)
    else:
        source = f"policy {digest[:12]}"
    return _Grounds(ruling.ground.value, in_words(ruling, rulings), rule, source)


def _power_by(level: int | None, ruling: Ruling | None, presence: Presence, facts: Facts) -> str:
    """Return what gives somebody the power that they have in the room."""
    if not level or presence.user_id == facts.bot:
        return ""
    power, rulings = (ruling.power, facts.rulings) if ruling is not None else (None, None)
    if power is None or rulings is None or ruling is None or ruling.question is None or power.level != level:
        over = facts.hand_overs.get(presence.user_id)
        return handed_over(over, presence.user_id) or "not by the policy"
    if power.selector is not None:
        return f"{ruling.question.rule}.{power.rank.value}: {power.selector.text}"
    below = ", ".join(named(power.reports, rulings, version=False))
    steps = "manager of" if power.above == 1 else f"{power.above} levels above"
    return f"{ruling.question.rule}.{power.rank.value}: {steps} {below}"


def _waits(last: Entry | None) -> str:
    if last is None or last.outcome != "held":
        return ""
    return f"to be taken out ({last.reason}): waits for a second person since {last.at:%Y-%m-%d}, entry {last.id}"


def _shown(person: Person | None, facts: Facts) -> dict[str, str]:
    if person is None:
        return dict.fromkeys(_SHOWN, "")
    day = facts.day(person)
    return {path: ", ".join(str(value) for value in values_of(person, path, day)) for path in _SHOWN}


def _approver(entry: Entry | None, facts: Facts) -> str:
    if entry is None or entry.approval is None or entry.approved_by is None:
        return ""
    return facts.names.get(entry.approved_by, entry.approved_by)
