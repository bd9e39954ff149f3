"""Rooms that people made: what is done about them, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.ids import PersonId, RoomId, UserId
from bridge.membership.brake import Losses, brake
from bridge.membership.plan import plan_of
from bridge.membership.steps import Schedule, steps_of
from bridge.membership.unmanaged import NOTICE, UnmanagedRoom, announcement, unmanaged_changes
from bridge.membership.values import Action
from bridge.policy.schema import Brake, UnmanagedRooms

from .notation import BOT, user_id

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMES = [user_id(name) for name in "abcdef"]
OWNERS = {user: PersonId(user) for user in NAMES[:5]}
rooms = st.builds(
    UnmanagedRoom,
    st.sampled_from(["!a", "!b", "!c"]).map(RoomId),
    st.sampled_from(["", "Club"]),
    st.frozensets(st.sampled_from(NAMES), min_size=3),
    st.booleans(),
    st.none() | st.integers(0, 20).map(lambda days: NOW - timedelta(days=days)),
    st.booleans(),
)
some = st.lists(rooms, max_size=3, unique_by=lambda room: room.room_id)


@given(some)
def test_nothing_is_done_when_rooms_are_only_reported(found: list[UnmanagedRoom]) -> None:
    """No plan touches an unmanaged room, whatever became of it under another policy."""
    assert list(unmanaged_changes(UnmanagedRooms.REPORT, found, NOW, BOT, OWNERS)) == []


@given(some)
def test_adopting_takes_nothing_from_anybody(found: list[UnmanagedRoom]) -> None:
    """The bot comes in where it is not, and that is all."""
    changes = list(unmanaged_changes(UnmanagedRooms.ADOPT, found, NOW, BOT, OWNERS))
    assert {(change.action, change.user_id, change.value) for change in changes} <= {(Action.ADOPT_ROOM, BOT, "")}
    assert {change.room for change in changes} == {room.room_id for room in found if not room.adopted}


@given(some)
def test_nobody_is_taken_out_before_a_week_is_over(found: list[UnmanagedRoom]) -> None:
    """Whoever is taken out was told long enough before; then everybody is, and nobody can come in before that."""
    changes = list(unmanaged_changes(UnmanagedRooms.CLOSE, found, NOW, BOT, OWNERS))
    by_id = {room.room_id: room for room in found}
    out: dict[str, set[str]] = {}
    for change in changes:
        if change.action is Action.REMOVE:
            out.setdefault(change.room, set()).add(change.user_id)
    for room_id, users in out.items():
        room = by_id[RoomId(room_id)]
        assert users == room.users
        assert room.announced_at is not None
        assert room.closed or NOW - room.announced_at >= NOTICE
        closes = [change for change in changes if change.action is Action.CLOSE_ROOM and change.room == room_id]
        assert len(closes) == (0 if room.closed else 1)


def test_closing_waits_for_a_second_person_when_it_concerns_many() -> None:
    """People in rooms are counted like anybody who loses something, and what closes the room waits with them."""
    room = UnmanagedRoom(RoomId("!a"), "Club", frozenset(NAMES), True, NOW - NOTICE)
    made = plan_of(unmanaged_changes(UnmanagedRooms.CLOSE, [room], NOW, BOT, OWNERS), {})
    verdict = brake(made, Brake(floor=4), 10, {}, Losses(), frozenset(), ())
    assert verdict.held == made
    assert verdict.reasons == ("5 people of 10 would lose something; the limit is 4.",)
    assert not brake(made, Brake(floor=5), 10, {}, Losses(), frozenset(), ()).held.changes


def test_nobody_leaves_a_room_that_could_not_be_closed() -> None:
    """When the homeserver refuses, people stay where they are."""
    room = UnmanagedRoom(RoomId("!a"), "", frozenset(NAMES), True, NOW - NOTICE)
    schedule = Schedule(steps_of(plan_of(unmanaged_changes(UnmanagedRooms.CLOSE, [room], NOW, BOT, {}), {}), {}))
    first = schedule.take()
    assert first is not None
    assert [change.action for change in first.go] == [Action.CLOSE_ROOM]
    assert schedule.take() is None
    schedule.finish(first.index, succeeded=False)
    left: list[UserId] = []
    while (ready := schedule.take()) is not None:
        assert ready.go == ()
        left += [UserId(change.user_id) for change in ready.passed_over]
        schedule.finish(ready.index, succeeded=False)
    assert sorted(left) == NAMES


def test_people_are_told_until_when() -> None:
    """The day, and what becomes of what was said."""
    assert "closed on 2026-03-09" in announcement("2026-03-09")
    assert "archive" in announcement("2026-03-09")
