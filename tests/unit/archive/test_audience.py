"""Who could see an event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.audience import Audience, audience_of, past_of
from bridge.archive.values import StateEvent
from bridge.homeserver.event import Event
from tests.unit.archive.test_batch import an_event

MEMBERSHIPS = st.sampled_from(["join", "leave", "invite", "ban", "knock", None])


def at(second: int) -> datetime:
    """Return a moment of the story."""
    return datetime.fromtimestamp(1_700_000_000 + second, UTC)


def state(second: int, kind: str, key: str, content: dict[str, Any]) -> StateEvent:
    """Return a state event."""
    return StateEvent(Event.of(an_event(f"${second}", type=kind, state_key=key, content=content)), at(second))


def member(second: int, user: str, membership: str | None) -> StateEvent:
    """Return a membership event."""
    return state(second, "m.room.member", user, {"membership": membership})


def history(second: int, value: object) -> StateEvent:
    """Return an event that sets the room's history visibility."""
    return state(second, "m.room.history_visibility", "", {"history_visibility": value})


STORY = [
    member(1, "@stays:x", "join"),
    member(2, "@left:x", "join"),
    member(3, "@left:x", "leave"),
    member(4, "@asked:x", "invite"),
    member(5, "@leaves:x", "join"),
    # here it is said, at 6
    member(7, "@leaves:x", "leave"),
    member(8, "@asked:x", "join"),
    member(9, "@new:x", "join"),
    member(10, "@leaves:x", "join"),
]


def seen(visibility: object) -> tuple[Audience, list[str]]:
    """Return the audience of what was said at 6, and who was added since."""
    found = audience_of(at(6), past_of(STORY, [history(0, visibility), history(7, "world_readable")]))
    assert found.then == ("@leaves:x", "@stays:x")
    return found, [late.user_id for late in found.later]


@pytest.mark.parametrize(
    ("visibility", "later"),
    [
        ("joined", []),
        ("invited", ["@asked:x"]),
        ("shared", ["@asked:x", "@new:x"]),
        ("world_readable", ["@asked:x", "@new:x"]),
    ],
)
def test_those_who_join_later_see_what_the_rooms_history_lets_them(visibility: str, later: list[str]) -> None:
    """What counts is the setting when it was said, not a later one; whoever was there is not counted again."""
    found, late = seen(visibility)
    assert found.visibility == visibility
    assert late == later


def test_a_room_without_a_valid_setting_is_shared() -> None:
    """As the Matrix specification says."""
    assert audience_of(at(6), past_of(STORY, [])).visibility == "shared"
    assert seen("everybody!")[0].visibility == "shared"
    assert seen(["joined"])[0].visibility == "shared"


@given(st.lists(st.tuples(st.sampled_from("abc"), MEMBERSHIPS), max_size=12), st.integers(0, 12))
def test_who_was_there_is_whose_last_membership_was_join(moves: list[tuple[str, str | None]], second: int) -> None:
    """Between two events, presence is what the last membership before says."""
    events = [member(place * 2, user, membership) for place, (user, membership) in enumerate(moves)]
    last = {user: membership for place, (user, membership) in enumerate(moves) if place * 2 < second * 2 + 1}
    found = audience_of(at(second * 2 + 1), past_of(events, []))
    assert set(found.then) == {user for user, membership in last.items() if membership == "join"}
    assert not {late.user_id for late in found.later} & set(found.then)
