"""Which rooms are direct: talk of two people, which search leaves closed.

A room is direct while no more than two people (Muster's bot is none) were ever in it or invited, and either an
invitation said so (`is_direct`; Matrix specification, "Direct Messaging") or nobody gave it a name or an alias. What
was said until a third came stays closed. Facts are gathered event by event, in any order: by their own times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bridge.homeserver.event import Event
from bridge.ids import UserId

NEVER = 2**63 - 1
"""Milliseconds that no moment reaches."""
TYPES = frozenset({"m.room.member", "m.room.name", "m.room.canonical_alias"})
_CROWD = 3


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """What decides; times in milliseconds."""

    people: Mapping[UserId, int] = field(default_factory=dict)
    """Of those who were ever in the room or invited, the first three, and since when."""
    said_direct: bool = False
    """An invitation called the room direct."""
    named_at: int = NEVER
    """When it first had a name or an alias."""
    name: str = ""
    renamed_at: int = -1

    @property
    def open_from(self) -> int:
        """From when on the room is not direct."""
        third = sorted(self.people.values())[_CROWD - 1] if len(self.people) >= _CROWD else NEVER
        return third if self.said_direct else min(third, self.named_at)


def observe(facts: RoomFacts, event: Event, bot: UserId) -> RoomFacts:
    """Return the facts with what a state event of `TYPES` adds; the same event again adds nothing."""
    if event.state_key is None:
        return facts
    if event.type == "m.room.member":
        return _observe_member(facts, event, bot)
    if event.state_key != "" or event.type not in TYPES:
        return facts
    name = event.content.get("name" if event.type == "m.room.name" else "alias")
    if not isinstance(name, str):
        name = ""
    if name:
        facts = replace(facts, named_at=min(facts.named_at, event.timestamp))
    if event.type == "m.room.name" and event.timestamp >= facts.renamed_at:
        facts = replace(facts, name=name, renamed_at=event.timestamp)
    return facts


def _observe_member(facts: RoomFacts, event: Event, bot: UserId) -> RoomFacts:
    user, membership = UserId(event.state_key or ""), event.content.get("membership")
    if membership not in ("join", "invite") or user == bot:
        return facts
    since = {**facts.people, user: min(event.timestamp, facts.people.get(user, NEVER))}
    earliest = sorted(since, key=lambda one: (since[one], one))[:_CROWD]
    return replace(
        facts,
        people={one: since[one] for one in earliest},
        said_direct=facts.said_direct or event.content.get("is_direct") is True,
    )
