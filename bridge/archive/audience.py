"""Who could see an event, then and since.

By the room's history visibility when the event was sent (Matrix specification, "Room History Visibility"):

    joined            whoever was joined then
    invited           and whoever was invited then, once they join
    shared            and whoever has joined since
    world_readable    everybody

A room without the state event is `shared`. Reading the events is left to `show`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.archive.scope import Stay, stays_of
from bridge.archive.values import StateEvent
from bridge.ids import UserId

_VISIBILITIES = ("world_readable", "shared", "invited", "joined")


@dataclass(frozen=True, slots=True)
class Latecomer:
    """Somebody who joined afterwards and can read what was said before."""

    user_id: UserId
    since: datetime


@dataclass(frozen=True, slots=True)
class Audience:
    """Who could see an event."""

    visibility: str
    """`joined`, `invited`, `shared` or `world_readable`."""
    then: tuple[UserId, ...]
    """Joined when it was sent, sorted."""
    later: tuple[Latecomer, ...]
    """In the order in which they joined."""


@dataclass(frozen=True, slots=True)
class RoomPast:
    """Who was in a room when, and who could read its past when; for any number of events of the room."""

    memberships: Sequence[StateEvent]
    visibilities: Sequence[StateEvent]
    stays: Sequence[Stay]
    """In the order in which they began."""


def past_of(memberships: Sequence[StateEvent], visibilities: Iterable[StateEvent]) -> RoomPast:
    """Return a room's past: all its memberships and `m.room.history_visibility`, in the order in which they counted."""
    return RoomPast(memberships, tuple(visibilities), sorted(stays_of(memberships), key=_begins))


def audience_of(at: datetime, past: RoomPast) -> Audience:
    """Return who could see what was sent in a room at a moment; whoever joined or left just then counts as there."""
    visibility = _visibility(at, past.visibilities)
    then = {stay.user_id for stay in past.stays if stay.begins <= at and (stay.ends is None or at <= stay.ends)}
    invited = _invited(at, past.memberships) if visibility == "invited" else None
    late: dict[UserId, Latecomer] = {}
    if visibility != "joined":
        for stay in past.stays:
            if stay.begins > at and stay.user_id not in then and (invited is None or stay.user_id in invited):
                late.setdefault(stay.user_id, Latecomer(stay.user_id, stay.begins))
    return Audience(visibility, tuple(sorted(then)), tuple(late.values()))


def _visibility(at: datetime, events: Iterable[StateEvent]) -> str:
    found = "shared"
    for each in events:
        value = each.event.content.get("history_visibility")
        if each.at <= at and value in _VISIBILITIES:
            found = str(value)
    return found


def _invited(at: datetime, memberships: Iterable[StateEvent]) -> set[UserId]:
    last = {UserId(each.event.state_key or ""): each for each in memberships if each.at <= at}
    return {user for user, each in last.items() if each.event.content.get("membership") == "invite"}


def _begins(stay: Stay) -> tuple[datetime, UserId]:
    return stay.begins, stay.user_id
