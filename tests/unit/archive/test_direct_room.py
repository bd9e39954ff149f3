"""Which rooms are direct, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.direct_room import NEVER, RoomFacts, observe
from bridge.homeserver.event import Event
from bridge.ids import UserId
from tests.unit.archive.test_batch import an_event

BOT = UserId("@muster:x")


def member(user: str, at: int, membership: object = "join", **content: Any) -> Event:
    """Return a membership."""
    content = {"membership": membership} | content
    return Event.of(an_event(type="m.room.member", state_key=user, content=content, origin_server_ts=at))


def named(name: object, at: int, kind: str = "m.room.name", field: str = "name") -> Event:
    """Return the event that names a room."""
    return Event.of(an_event(type=kind, state_key="", content={field: name}, origin_server_ts=at))


def open_from(events: Sequence[Event]) -> int:
    """Return from when on the room of these events is not direct."""
    facts = RoomFacts()
    for event in events:
        facts = observe(facts, event, BOT)
    return facts.open_from


A, B, C = member("@a:x", 1), member("@b:x", 2), member("@c:x", 30)
INVITED = member("@b:x", 2, "invite", is_direct=True)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], NEVER),  # nothing is known: closed
        ([A, B], NEVER),
        ([A, INVITED], NEVER),
        ([A, B, C], 30),
        ([A, named("Lunch", 5), B], 5),
        ([A, INVITED, named("Lunch", 5)], NEVER),  # said to be direct: a name does not open it
        ([A, INVITED, named("Lunch", 5), C], 30),
        ([A, named("#lunch:x", 5, "m.room.canonical_alias", "alias")], 5),
        ([A, named("", 5), B], NEVER),
        ([A, B, member(BOT, 3)], NEVER),  # the bot is nobody
        ([A, B, member("@c:x", 3, "leave"), member("@d:x", 4, "ban")], NEVER),
        ([A, B, member("@b:x", 9, "leave"), member("@b:x", 11)], NEVER),  # the same two
        ([A, B, member("@b:x", 9, "leave"), C], 30),  # a third, though never three at once
        ([member("@a:x", 1, None), named(["x"], 2), Event.of({"type": "m.room.member"})], NEVER),
    ],
)
def test_room_is_direct_until(events: list[Event], expected: int) -> None:
    """Two people talk in a direct room until a third comes, or until it gets a name if nobody called it direct."""
    assert open_from(events) == expected


def test_order_of_arrival_does_not_matter() -> None:
    """Events that are fetched afterwards count by their own times, and twice as once."""
    events = [A, INVITED, named("Lunch", 5), C, member("@d:x", 20)]
    assert {open_from([*order, *order]) for order in permutations(events)} == {20}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=8))
def test_only_a_third_person_opens(joins: list[tuple[str, int]]) -> None:
    """The room opens when the third of those who ever came did."""
    first: dict[str, int] = {}
    for user, at in joins:
        first[user] = min(at, first.get(user, NEVER))
    third = sorted(first.values())[2] if len(first) > 2 else NEVER
    assert open_from([member(f"@{user}:x", at) for user, at in joins]) == third


def test_newest_name_is_the_name() -> None:
    """Rooms are found by the name they have now."""
    facts = RoomFacts()
    for event in (named("New", 9), named("Old", 5)):
        facts = observe(facts, event, BOT)
    assert (facts.name, facts.named_at) == ("New", 5)
