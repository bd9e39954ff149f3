"""What others change by hand, when that has become a fight, and what rests because of one.

Pure. Reading what was done is left to `drift_store`, noticing it to `current`, putting it right to `reconcile`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bridge.directory.notice import Notice
from bridge.ids import EventId, RoomId, RoomKey, UserId
from bridge.membership.face import FIELD
from bridge.membership.plan import ACCOUNTS, plan_of
from bridge.membership.profile import NAME, divide
from bridge.membership.values import Action, Change, Plan

MEMBER: Final = "member"
POWER: Final = "power"
"""The fields of an intervention that are about a person in a room; the others are a room's settings."""

ENOUGH: Final = 3
"""So many corrections of the same within `WINDOW`, each undone by somebody, are a fight."""
WINDOW: Final = timedelta(minutes=10)
SLOW_WINDOW: Final = timedelta(days=1)
"""The same for fields of a profile of which no event tells, which are seen about once an hour."""
PROFILE: Final = RoomId("")
"""Where the fields are that are an account's and no room's."""

_FIELDS: Final = {
    Action.REMOVE: MEMBER,
    Action.JOIN: MEMBER,
    Action.LOWER_POWER: POWER,
    Action.RAISE_POWER: POWER,
    Action.RENAME_ACCOUNT: NAME,
}


@dataclass(frozen=True, slots=True)
class Intervention:
    """Something that somebody else changed, about which the policy has a say."""

    id: int
    room_id: RoomId
    subject: UserId
    """Whose membership or power; empty for a setting of the room."""
    field: str
    value: str
    """What it was made: `invite`, `50`; empty for settings."""
    sender: UserId
    event_id: EventId
    noticed_at: datetime
    settled_at: datetime | None = None
    """When it was put right; None while it is to be looked at."""
    rule: str = ""
    """In whose name it was put right."""

    @property
    def about(self) -> About:
        """What it is a change of."""
        return About(self.room_id, self.subject, self.field)


@dataclass(frozen=True, slots=True, order=True)
class About:
    """One thing that two sides can have different wishes for."""

    room_id: RoomId
    subject: UserId
    field: str


@dataclass(frozen=True, slots=True)
class Fight:
    """Somebody has undone every correction of one thing."""

    about: About
    sender: UserId
    """Who did it last."""
    times: int
    """Corrections within `WINDOW`."""
    leaver: bool
    """It is about somebody who does not work here."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What Muster leaves as it is until somebody says go."""

    id: int
    about: About
    leaver: bool
    sender: UserId
    since: datetime


def fights(found: Iterable[Intervention], now: datetime) -> list[Fight]:
    """Return what has become a fight: changed again after `ENOUGH` corrections within `WINDOW` before now."""
    by_thing: defaultdict[About, list[Intervention]] = defaultdict(list)
    for one in sorted(found, key=lambda one: one.id):
        by_thing[one.about].append(one)
    fought = []
    for about, changes in sorted(by_thing.items()):
        since = now - window_of(about)
        corrected = [one for one in changes if one.settled_at is not None and one.settled_at > since]
        waiting = [one for one in changes if one.settled_at is None]
        if waiting and len(corrected) >= ENOUGH:
            leaver = corrected[-1].rule == ACCOUNTS
            fought.append(Fight(about, waiting[-1].sender, len(corrected), leaver))
    return fought


def window_of(about: About) -> timedelta:
    """Return within which time corrections of this count together."""
    return SLOW_WINDOW if about.room_id == PROFILE and about.field not in (NAME, FIELD) else WINDOW


def profile_intervention(user_id: UserId, field: str, seen: EventId, at: datetime) -> Intervention:
    """Return that a field of somebody's profile is not what the policy made it; who else could have changed it."""
    return Intervention(0, PROFILE, user_id, field, "", user_id, seen, at)


def field_of(change: Change) -> str | None:
    """Return which field of an intervention a change of a membership, of power or of a profile is about; None for all
    others."""
    return divide(change.value)[0] if change.action is Action.CHANGE_PROFILE else _FIELDS.get(change.action)


def answers(change: Change, one: Intervention, room: str) -> bool:
    """Tell whether a change is what the policy says to an intervention; `room` is the key or ID of its room."""
    if change.room != room:
        return False
    if not one.subject:
        return change.action is Action.CHANGE_ROOM and one.field in change.value.split(", ")
    return change.user_id == one.subject and field_of(change) == one.field


def without_resting(plan: Plan, rests: Collection[Rest], rooms: Mapping[RoomKey, RoomId]) -> Plan:
    """Return the plan without what rests, which it names besides.

    Who has left meanwhile is taken out all the same, unless that itself is what the fight is about.
    """
    if not rests:
        return plan
    resting = {rest.about: rest for rest in rests}
    awake, left = [], []
    for change in plan.changes:
        kept = _awake(change, resting, rooms)
        if kept is not None:
            awake.append(kept)
        if kept != change:
            left.append(change if kept is None else replace(change, value=_without(change.value, kept.value)))
    made = plan_of(awake, plan.rooms)
    return replace(
        made, kept_out=plan.kept_out, divided=plan.divided, shadowed=plan.shadowed, resting=(*plan.resting, *left)
    )


def _without(fields: str, kept: str) -> str:
    """Return those of a room's changed fields that are not kept."""
    return ", ".join(field for field in fields.split(", ") if field not in kept.split(", "))


def notice(fight: Fight, room: str, number: int) -> Notice:
    """Return what the administrators are told of a fight; `room` is what the room is called."""
    minutes = int(WINDOW.total_seconds() // 60)
    within = f"{minutes} minutes" if window_of(fight.about) == WINDOW else "a day"
    where = "" if fight.about.room_id == PROFILE else f" in {room}"
    return Notice(
        f"fight:{number}",
        f"{fight.sender} and Muster disagree about {_thing(fight.about)}{where}: Muster put it right "
        f"{fight.times} times within {within}, and it was changed again. Muster now leaves it as it is.\n"
        "Settle who decides: change the policy, or stop the other side.\n"
        f"To have Muster go on: muster drift go {number}",
    )


def _thing(about: About) -> str:
    if about.room_id == PROFILE:
        return f"{called(about.field)} in the profile of {about.subject}"
    if about.field == MEMBER:
        return f"whether {about.subject} is a member"
    if about.field == POWER:
        return f"the power of {about.subject}"
    return f"the room's {about.field.replace('_', ' ')}"


def called(field: str) -> str:
    """Return what people call a field of a profile."""
    return {NAME: "the display name", FIELD: "the picture"}.get(field, f"the field {field}")


def _awake(change: Change, resting: Mapping[About, Rest], rooms: Mapping[RoomKey, RoomId]) -> Change | None:
    """Return what is left of a change, None when all of it rests."""
    if not change.room:
        return None if About(PROFILE, UserId(change.user_id), field_of(change) or "") in resting else change
    room_id = RoomId(change.room) if change.room.startswith("!") else rooms.get(RoomKey(change.room))
    if room_id is None:
        return change
    if change.action is Action.CHANGE_ROOM:
        fields = change.value.split(", ")
        awake = [field for field in fields if About(room_id, UserId(""), field) not in resting]
        return replace(change, value=", ".join(awake)) if awake else None
    field = field_of(change)
    rest = resting.get(About(room_id, UserId(change.user_id), field)) if field else None
    return change if rest is None or rest.leaver != (change.rule == ACCOUNTS) else None
