"""Who was where, by events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.values import StateEvent
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from bridge.membership.presence import powers, presences

ROOM = RoomId("!room")
ANN, BOB = UserId("@ann:x"), UserId("@bob:x")
START = datetime(2026, 3, 2, tzinfo=UTC)


def state(seq: int, kind: str, key: str, content: Mapping[str, Any], sender: UserId = ANN) -> StateEvent:
    at = START + timedelta(seconds=seq)
    event = Event(seq, EventId(f"${seq}"), ROOM, kind, sender, key, content, int(at.timestamp() * 1000), None)
    return StateEvent(event, at)


def member(seq: int, membership: object, sender: UserId = BOB, **more: object) -> StateEvent:
    return state(seq, "m.room.member", BOB, {"membership": membership, **more}, sender)


def test_a_member_is_there_since_the_join_and_by_the_last_invitation() -> None:
    """A new name is no new membership; who invited is remembered, who invited before an earlier leaving is not."""
    events = [
        member(1, "invite", UserId("@old:x")),
        member(2, "leave"),
        member(3, "invite", ANN),
        member(4, "join"),
        member(5, "join", displayname="Robert"),
    ]
    found = presences(events)[ROOM, BOB]

    assert (found.membership, found.event_id, found.sender, found.latest) == ("join", "$4", BOB, "$5")
    assert found.since == START + timedelta(seconds=4)
    assert found.invited_by == ANN


def test_somebody_put_out_was_put_out_by_the_sender() -> None:
    """A kick and a ban name who did it."""
    assert presences([member(1, "join"), member(2, "leave", ANN)])[ROOM, BOB].sender == ANN
    assert presences([member(1, "join"), member(2, "ban", ANN)])[ROOM, BOB].membership == "ban"


@pytest.mark.parametrize("broken", ["", "joined", None, 1, ["join"], {"a": 1}])
def test_what_is_no_membership_changes_nothing(broken: object) -> None:
    """Anybody may send an event of any shape."""
    found = presences([member(1, "join"), member(2, broken)])[ROOM, BOB]
    assert (found.membership, found.event_id) == ("join", "$1")


@given(st.lists(st.sampled_from(["join", "invite", "leave", "ban", "knock"]), min_size=1))
def test_the_last_event_decides(memberships: list[str]) -> None:
    """And the moment is that of the first in an unbroken row of equal ones."""
    found = presences(member(seq, one) for seq, one in enumerate(memberships))[ROOM, BOB]
    row = len(memberships)
    while row and memberships[row - 1] == memberships[-1]:
        row -= 1

    assert found.membership == memberships[-1]
    assert found.event_id == f"${row}"
    assert found.latest == f"${len(memberships) - 1}"


def test_power_is_the_last_content_in_force() -> None:
    """Levels, the default for everybody else, and nothing of an earlier content."""
    found = powers(
        [
            state(1, "m.room.create", "", {"room_version": "11"}),
            state(2, "m.room.power_levels", "", {"users": {BOB: 50}}),
            state(3, "m.room.power_levels", "", {"users": {ANN: 100, "@c:x": "7", "@d:x": None}, "users_default": 1}),
        ]
    )[ROOM]
    assert [found.of(user) for user in (ANN, BOB, UserId("@c:x"), UserId("@d:x"))] == [100, 1, 7, 0]


@pytest.mark.parametrize(
    ("version", "level"), [("11", 100), (None, 100), ("12", None), ("org.example", 100), ("²", 100)]
)
def test_creators_rank_above_all_in_new_rooms(version: str | None, level: int | None) -> None:
    """From room version 12 on, those named besides too; before, whoever made it has 100 until levels are set."""
    content = {"room_version": version, "additional_creators": [BOB, 7]}
    found = powers([state(1, "m.room.create", "", content)])[ROOM]
    assert found.of(ANN) == level
    assert found.of(BOB) == (None if level is None else 0)
