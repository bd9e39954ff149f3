"""What the homeserver says of where somebody is, in the state that a plan is made of."""

from __future__ import annotations

import pytest

from bridge.ids import RoomId, RoomKey
from bridge.membership.survey import with_rooms
from bridge.membership.values import Current, CurrentRoom
from bridge.policy.schema import RoomKind

from .notation import user_id

ANN = user_id("ann")
LAB = CurrentRoom(RoomKey("lab"), RoomId("!lab"), RoomKind.CHAT, "Lab", "", (), None, frozenset())


@pytest.mark.parametrize("inhabited", [None, frozenset[RoomKey]()])
def test_a_room_that_the_homeserver_names_is_looked_at(inhabited: frozenset[RoomKey] | None) -> None:
    """Also where we knew of nobody in it: an event that says so may have been lost."""
    current = Current({}, {LAB.key: LAB}, inhabited=inhabited)
    found = with_rooms(current, ANN, [RoomId("!lab"), RoomId("!elsewhere")])
    assert [room.members for room in found.inhabited_rooms()] == [{ANN}]
    assert found.elsewhere == {RoomId("!elsewhere"): {ANN}}
