"""What a barrier closes to whom, for every company."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.barriers import Seat, Wall, Walls
from bridge.membership.values import CurrentRoom, KeptOut
from bridge.policy.schema import Barrier, RoomKind
from bridge.selfservice.closed_rooms import closed_rooms
from tests.unit.membership import notation

ME = UserId("@me:example.org")
USERS = [UserId(f"@{name}:example.org") for name in ("a", "b", "c")]
DEN = RoomKey("den")
BARRIER: Barrier = notation.policy(
    {"barriers": [{"between": 'department eq "A"', "and": 'department eq "B"', "except": ["hall"]}]}
).barriers[0]
ONE, OTHER = Seat(BARRIER.id, 0), Seat(BARRIER.id, 1)
WALL = Wall(BARRIER, PeopleSet.none, PeopleSet.none)


def _room(*members: UserId, key: RoomKey = DEN, kind: RoomKind = RoomKind.CHAT) -> CurrentRoom:
    return CurrentRoom(key, RoomId("!den"), kind, "Den", "", (), None, frozenset(members))


seats = st.dictionaries(st.sampled_from([ME, *USERS]), st.frozensets(st.sampled_from([ONE, OTHER]), min_size=1))
present = st.lists(st.sampled_from([ME, *USERS]), unique=True)


@given(seats, present, st.frozensets(st.sampled_from([ONE, OTHER])))
def test_a_room_is_closed_to_whoever_may_not_share_it(
    taken: dict[UserId, frozenset[Seat]], members: list[UserId], others: frozenset[Seat]
) -> None:
    """With anybody there, looked at or not; whoever is on no side may share it with everybody."""
    found = closed_rooms({DEN: _room(*members)}, ME, taken, Walls((WALL,), others={DEN: others}), ())
    there = others.union(*(taken.get(user, frozenset()) for user in members if user != ME))
    assert bool(found) is any(seat.opposite in there for seat in taken.get(ME, frozenset()))


def test_spaces_and_exempt_rooms_are_closed_to_nobody() -> None:
    """A barrier is not about them; a stranger's side counts, and so does what a plan keeps somebody out of."""
    hall = RoomKey("hall")
    rooms = {
        DEN: _room(USERS[0], kind=RoomKind.SPACE),
        hall: _room(USERS[0], key=hall),
    }
    mine, walls = {ME: frozenset([ONE])}, Walls((WALL,), strangers={USERS[0]: frozenset([OTHER])})
    assert closed_rooms(rooms, ME, mine, walls, ()) == frozenset()
    assert closed_rooms({DEN: _room(USERS[0])}, ME, mine, walls, ()) == {DEN}
    kept = (KeptOut(DEN, "rooms.den", "why", (ME,)), KeptOut(hall, "rooms.hall", "why", (USERS[0],)))
    assert closed_rooms({}, ME, {}, walls, kept) == {DEN}
