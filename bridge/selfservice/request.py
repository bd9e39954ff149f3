"""Asking for a room: who is asked, in which order, what a reaction means, and what everybody is told (pure).

The owners of a room are those with the most power in it, moderators at least. They are asked one after the other, then
the administrators; whoever was asked may still answer. Each is reminded once. What nobody answers ends.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from bridge.directory.template import one_line
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.policy.schema import Requests
from bridge.selfservice.known_rooms import KnownRoom
from bridge.selfservice.replies import Text, in_lines, room_link, say, user_link

MOST_OPEN = 10
"""So many requests of one person may wait at a time."""
LONGEST_REASON = 300
_YES = frozenset("✅☑✔👍")
_NO = frozenset("❌✖👎🚫")


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody's request, as it is kept."""

    id: int
    person: PersonId
    user_id: UserId
    room: RoomKey
    reason: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is asked next: an owner, or (None) the administrators, in their room."""

    owner: UserId | None
    room_id: RoomId | None = None


def next_turn(
    owners: Sequence[UserId], administrators: RoomId | None, asked: Collection[UserId | None], requester: UserId
) -> Turn | None:
    """Return who is asked next; None when everybody was, or there is nobody.

    `owners` have the first to be asked first; `administrators` is their room, if there is one.
    """
    for owner in owners:
        if owner not in asked and owner != requester:
            return Turn(owner)
    if administrators is not None and None not in asked:
        return Turn(None, administrators)
    return None


class Step(StrEnum):
    """What is due with a request that waits."""

    REMIND = "remind"
    """Whoever was asked last."""
    ASK = "ask"
    """Whoever is next."""
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked last, and when."""

    owner: UserId | None
    """None: the administrators."""
    asked_at: datetime
    reminded: bool


def step_due(request: Request, last: Asked | None, terms: Requests, now: datetime, *, has_next: bool) -> Step | None:
    """Return what is to be done with a request now; `has_next`: there is somebody who was not asked yet."""
    if now >= request.asked_at + terms.expire:
        return Step.EXPIRE
    if has_next and (last is None or now >= last.asked_at + terms.escalate):
        return Step.ASK
    if last is not None and not last.reminded and now >= last.asked_at + terms.remind:
        return Step.REMIND
    return None


def next_step_at(request: Request, last: Asked, terms: Requests, *, has_next: bool) -> datetime:
    """Return when something is due with a request again."""
    moments = [request.asked_at + terms.expire]
    moments += [last.asked_at + terms.escalate] if has_next else []
    moments += [] if last.reminded else [last.asked_at + terms.remind]
    return min(moments)


def verdict_of(reaction: str) -> bool | None:
    """Return what a reaction says: yes, no, or neither."""
    sign = reaction.strip()[:1]
    return True if sign in _YES else False if sign in _NO else None


def last_day(today: date, until: timedelta) -> date:
    """Return the last day of an exception that begins today, whole days; it lasts a day at least."""
    return today + max(timedelta(days=1), timedelta(days=until.days))


def short_reason(text: str) -> str:
    """Return the reason as it is kept and shown: one line, not endless."""
    return one_line(text)[:LONGEST_REASON]


def ask(
    name: str,
    job: str,
    request: Request,
    room_name: str,
    until: date,
    *,
    patience: timedelta | None,
    again: bool = False,
) -> Text:
    """Return what an owner is asked, or reminded of; after `patience` (None: never) somebody else is asked too."""
    who = user_link(request.user_id, name) + say(f" – {one_line(job)}" if job else "")
    why = f"Why: {request.reason}" if request.reason else "No reason was given."
    lines = [
        (say("A reminder: ") if again else say("")) + who + say(f" asks to be let into {one_line(room_name)}."),
        say(why),
        say(f"React with ✅ to let them in until {until.isoformat()}, or with ❌ to say no."),
    ]
    if patience is not None:
        lines.append(say(f"If nobody answers within {in_words(patience)}, somebody else is asked too."))
    return in_lines(lines)


def in_words(time: timedelta) -> str:
    """Return a length of time as people say it: `2 days`, `12 hours`, `30 minutes`."""
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if time >= length and not time % length:
            return f"{time // length} {unit}{'' if time == length else 's'}"
    minutes = max(1, round(time / timedelta(minutes=1)))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def asked(room: KnownRoom) -> Text:
    """Return what whoever asks is told."""
    return say("I have asked the owner of ") + room_link(room) + say(" and tell you the answer here.")


def asked_before(room: KnownRoom, at: datetime) -> Text:
    """Return what is said to who asks for the same again."""
    return (
        say("You have asked for ")
        + room_link(room)
        + say(f" on {at.date().isoformat()} already; I tell you here when there is an answer.")
    )


def not_needed(room: KnownRoom) -> Text:
    """Return what is said to who need not ask."""
    return say("You need not ask for ") + room_link(room) + say(": you are in it, are invited, or will be put into it.")


def not_a_room(room: KnownRoom) -> Text:
    """Return what is said to who asks for a space."""
    return room_link(room) + say(" is a space: ask for one of its rooms.")


def nobody_to_ask(room: KnownRoom) -> Text:
    """Return what is said where nobody could say yes."""
    return say("Nobody can answer for ") + room_link(room) + say(" here; please ask your administrators.")


def too_many_open() -> Text:
    """Return what is said to who has asked for very much."""
    return say(f"{MOST_OPEN} of your requests wait for an answer; please ask again when some have it.")


def told(room_name: str, until: date | None) -> Text:
    """Return what whoever asked is told in the end; `until` is None for a no."""
    if until is None:
        return say(f"Your request for {one_line(room_name)} was declined.")
    return say(f"You are let into {one_line(room_name)} until {until.isoformat()}.")


def confirmed(name: str, room_name: str, until: date | None) -> Text:
    """Return what whoever answered is told."""
    if until is None:
        return say(f"{one_line(name)} is told that the answer is no.")
    return say(f"{one_line(name)} is let into {one_line(room_name)} until {until.isoformat()}.")


def closed(room_name: str) -> Text:
    """Return what whoever asked is told when a barrier has come in between; nothing of the other side."""
    return say(f"You cannot be let into {one_line(room_name)}: the company's rules do not allow it.")


def refused(name: str, room_name: str) -> Text:
    """Return what whoever said yes is told in that case."""
    return say(f"{one_line(name)} cannot be let into {one_line(room_name)}: the company's barriers do not allow it.")


def expired(room_name: str) -> Text:
    """Return what whoever asked is told when nobody has answered."""
    return say(
        f"Nobody has answered your request for {one_line(room_name)}, so it is over. You may ask again, or ask your "
        "administrators."
    )


def answered_before() -> Text:
    """Return what is said to who answers a request that waits no more."""
    return say("This request has been answered already, or whoever asked does not need it any more.")


def not_yours() -> Text:
    """Return what is said to who may not answer."""
    return say("Only an owner of the room or an administrator can answer this, and nobody for themselves.")
