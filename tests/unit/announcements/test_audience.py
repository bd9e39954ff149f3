"""For whom an announcement is."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.audience import audience
from bridge.ids import RoomId, UserId

BOT = UserId("@muster:company.example")
_rooms = st.sampled_from([RoomId(f"!room{number}") for number in range(4)])
_users = st.sampled_from([BOT, *(UserId(f"@person{number}:company.example") for number in range(6))])


@given(rooms=st.lists(_rooms), members=st.lists(st.tuples(_rooms, _users)))
def test_everybody_in_one_of_the_rooms_is_a_recipient_once(
    rooms: list[RoomId], members: list[tuple[RoomId, UserId]]
) -> None:
    """The recipients are exactly those who have joined a room of the announcement, without the bot, each once."""
    whom = audience(rooms, members, BOT)
    assert whom.people == tuple(sorted({user for room, user in members if room in rooms} - {BOT}))
    assert whom.rooms == tuple(sorted(set(rooms)))


@given(members=st.lists(st.tuples(_rooms, _users)), random=st.randoms())
def test_the_order_in_which_members_are_read_does_not_matter(
    members: list[tuple[RoomId, UserId]], random: Random
) -> None:
    """An audience is the same whatever the order of the rows."""
    shuffled = members[:]
    random.shuffle(shuffled)
    rooms = [room for room, _ in members]
    assert audience(rooms, members, BOT) == audience(rooms[::-1], shuffled, BOT)
