"""Asking for a room: who is asked, in which order, what a reaction means, and what everybody is told (pure).

The owners of a room are those with the most power in it, moderators at least. They are asked one after the other, then
the administrators; whoever was asked may still answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bridge.directory.template import one_line
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.selfservice.known_rooms import KnownRoom
from bridge.selfservice.replies import Text, in_lines, room_link, say, user_link

PATIENCE = timedelta(days=2)
"""How long one is waited for before the next is asked."""
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


def ask(name: str, job: str, request: Request, room_name: str, until: date) -> Text:
    """Return what an owner is asked."""
    who = user_link(request.user_id, name) + say(f" – {one_line(job)}" if job else "")
    why = f"Why: {request.reason}" if request.reason else "No reason was given."
    return in_lines(
        [
            who + say(f" asks to be let into {one_line(room_name)}."),
            say(why),
            say(f"React with ✅ to let them in until {until.isoformat()}, or with ❌ to say no."),
            say(f"If nobody answers within {PATIENCE.days} days, somebody else is asked too."),
        ]
    )


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


def kept_out(room: KnownRoom) -> Text:
    """Return what is said to whom no owner can let in."""
    reason = room.ruling.barrier.reason if room.ruling is not None and room.ruling.barrier is not None else ""
    return say("Nobody can let you into ") + room_link(room) + say(f": a barrier keeps you out ({one_line(reason)}).")


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


def answered_before() -> Text:
    """Return what is said to who answers a request that waits no more."""
    return say("This request has been answered already, or whoever asked does not need it any more.")


def not_yours() -> Text:
    """Return what is said to who may not answer."""
    return say("Only an owner of the room or an administrator can answer this, and nobody for themselves.")
