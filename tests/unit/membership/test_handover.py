"""No room is ever left without an administrator, as long as anybody is in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId, localpart_of
from bridge.membership.barriers import Seat
from bridge.membership.desired import desired
from bridge.membership.handover import Room, hand_over, inviter, is_abandoned, levels_after, returns, room_of
from bridge.membership.plan import plan
from bridge.membership.presence import Power
from bridge.membership.values import Action, Current, CurrentAccount, Departures, HandOver

from . import notation
from .notation import user_id

ROOM = RoomId("!project")
ANN, BOB, CID, DOT = map(user_id, ("ann", "bob", "cid", "dot"))
PEOPLE = (ANN, BOB, CID, DOT)


def state(version: str, creator: UserId, users: dict[UserId, int], *members: UserId, **levels: Any) -> list[Event]:
    """Return the state of a room; members have come in the order in which they are named."""
    said: list[tuple[str, str, dict[str, Any], UserId]] = [
        ("m.room.create", "", {"room_version": version}, creator),
        ("m.room.power_levels", "", {"users": users, "events": {"m.room.power_levels": 100}, **levels}, creator),
        *(("m.room.member", user, {"membership": "join"}, user) for user in members),
    ]
    return [
        Event(0, EventId(f"${at}"), ROOM, kind, sender, key, content, 1000 + at, None)
        for at, (kind, key, content, sender) in enumerate(said)
    ]


def over(room: Room, *leaving: UserId, **heirs: Any) -> HandOver | None:
    return hand_over(
        room,
        leaving,
        named=heirs.get("named", {}),
        managers=heirs.get("managers", {}),
        staff=heirs.get("staff", frozenset(PEOPLE)),
        seats=heirs.get("seats", {}),
    )


@st.composite
def rooms(draw: st.DrawFn) -> Room:
    """Return a room of some version, with members and levels of any kind."""
    creators = draw(st.sampled_from([frozenset[UserId](), frozenset([ANN]), frozenset([ANN, BOB])]))
    levels = draw(st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from([-1, 0, 50, 100])))
    joined = draw(st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 3)))
    power = Power({user: level for user, level in levels.items() if user not in creators}, 0, creators)
    return Room(ROOM, "", joined, power, to_rank=draw(st.sampled_from([0, 50, 100])))


some = st.frozensets(st.sampled_from(PEOPLE))
above = st.dictionaries(st.sampled_from(PEOPLE), st.lists(st.sampled_from(PEOPLE), max_size=2))


@given(rooms(), some, above, above, some)
def test_no_room_is_left_without_an_administrator(
    room: Room,
    leaving: frozenset[UserId],
    named: dict[UserId, list[UserId]],
    managers: dict[UserId, list[UserId]],
    staff: frozenset[UserId],
) -> None:
    """Whoever leaves: a room that had an administrator has one afterwards, unless nobody is in it."""
    found = hand_over(room, leaving, named=named, managers=managers, staff=staff)
    stay = set(room.joined) - leaving
    if found is not None:
        assert found.giver in leaving & room.administrators
        assert found.heir not in leaving
        assert not room.administrators - leaving
        stay |= {found.heir}
        room = _handed_over(room, found.giver, found.heir)
    after = replace(room, joined={user: since for user, since in room.joined.items() if user in stay})
    assert not room.administrators or after.administrators or not stay
    assert is_abandoned(room, leaving, found) == (bool(room.joined) and not stay)


@given(rooms(), some)
def test_no_plan_removes_the_last_administrator(room: Room, leaving: frozenset[UserId]) -> None:
    """Wherever a plan is interrupted: while somebody is in a room that had an administrator, it has one."""
    found = over(room, *leaving)
    people = {localpart_of(user): {"active": user not in leaving} for user in PEOPLE}
    census = notation.census(people)
    known = {each.id: CurrentAccount(each.id, user_id(each.id), each.display_name, True) for each in census.people}
    current = Current(known, {}, elsewhere={ROOM: leaving.intersection(room.joined)})
    wanted = desired(notation.policy({}), census, known, server_name=notation.SERVER)
    departures = Departures(hand_overs=(found,) if found else ())
    changes = plan(wanted, current, census, bot=notation.BOT, departures=departures).changes
    had = room.administrators
    for change in changes:
        if change.action is Action.HAND_OVER:
            room = _handed_over(room, UserId(change.user_id), UserId(change.value))
        elif change.action is Action.REMOVE:
            inside = {user: since for user, since in room.joined.items() if user != change.user_id}
            room = replace(room, joined=inside)
        assert not had or room.administrators or not room.joined.keys() - leaving
    assert not leaving.intersection(room.joined)


def _handed_over(room: Room, giver: UserId, heir: UserId) -> Room:
    users = levels_after({}, room, giver, heir)["users"]
    assert isinstance(users, dict)
    power = replace(room.power, levels={**room.power.levels, **users})
    return replace(room, joined={**room.joined, heir: 9}, power=power)


@given(rooms(), some)
def test_handing_over_is_done_once(room: Room, leaving: frozenset[UserId]) -> None:
    """Once power has been passed on, nothing is left to be handed over, though the leaver is still inside."""
    found = over(room, *leaving)
    if found is not None:
        assert over(_handed_over(room, found.giver, found.heir), *leaving) is None


def test_the_successor_comes_before_the_manager_and_the_manager_before_the_others() -> None:
    """A named successor is taken even from outside; a manager only who is inside; then power, then time."""
    room = room_of(ROOM, state("11", ANN, {ANN: 100, CID: 50}, ANN, BOB, CID))
    assert over(room, ANN, named={ANN: [DOT]}, managers={ANN: [BOB]}) == HandOver(ROOM, ANN, DOT)
    assert over(room, ANN, managers={ANN: [DOT, BOB]}) == HandOver(ROOM, ANN, BOB)
    assert over(room, ANN, managers={ANN: [DOT]}) == HandOver(ROOM, ANN, CID)
    assert over(room, ANN, CID) == HandOver(ROOM, ANN, BOB)
    equal = room_of(ROOM, state("11", ANN, {ANN: 100}, ANN, CID, BOB))
    assert over(equal, ANN) == HandOver(ROOM, ANN, CID)
    assert over(equal, ANN, staff={BOB}) == HandOver(ROOM, ANN, BOB)


def test_an_administrator_who_stays_is_enough() -> None:
    """Nothing is handed over while somebody inside can change power; somebody outside cannot."""
    assert over(room_of(ROOM, state("11", ANN, {ANN: 100, BOB: 100}, ANN, BOB)), ANN) is None
    assert over(room_of(ROOM, state("11", ANN, {ANN: 100, CID: 100}, ANN, BOB)), ANN) == HandOver(ROOM, ANN, BOB)
    assert over(room_of(ROOM, state("11", ANN, {ANN: 100}, ANN, BOB)), BOB) is None


def test_a_room_dated_beyond_all_dates_is_handed_over() -> None:
    """Another server may date its events as it likes; nobody's leaving stands still for that."""
    late = [replace(event, timestamp=2**53) for event in state("11", ANN, {ANN: 100}, ANN, BOB)]
    assert over(room_of(ROOM, late), ANN) == HandOver(ROOM, ANN, BOB)


def test_a_creators_power_cannot_be_passed_on() -> None:
    """In version 12 the heir gets 100, in version 11 what the leaver has; what else the levels say stays."""
    newer = room_of(ROOM, state("12", ANN, {BOB: 20}, ANN, BOB))
    assert levels_after({"ban": 60, "users": {BOB: 20}}, newer, ANN, BOB) == {"ban": 60, "users": {BOB: 100}}
    older = room_of(ROOM, state("11", ANN, {ANN: 70}, ANN, BOB, events={"m.room.power_levels": 60}))
    assert levels_after({"users": {ANN: 70}}, older, ANN, BOB) == {"users": {ANN: 70, BOB: 70}}


def test_what_it_takes_is_read_from_the_levels() -> None:
    """The event's own level, else that of state events; odd values count as what the specification has."""
    ranked = room_of(ROOM, state("11", ANN, {ANN: 60}, ANN, events={"m.room.power_levels": 80}, invite=30))
    assert (ranked.to_rank, ranked.to_invite) == (80, 30)
    assert ranked.administrators == frozenset()
    odd = room_of(ROOM, state("11", ANN, {}, ANN, events=None, state_default=None, invite="0"))
    assert (odd.to_rank, odd.to_invite) == (50, 0)


def test_whoever_has_the_most_power_invites_back() -> None:
    """Nobody who is shut out, and nobody without the level that inviting takes."""
    room = room_of(ROOM, state("11", ANN, {ANN: 100, BOB: 50}, ANN, BOB, CID, invite=50))
    assert inviter(room) == ANN
    assert inviter(room, [ANN]) == BOB
    assert inviter(room, [ANN, BOB]) is None


seated = st.dictionaries(
    st.sampled_from(PEOPLE), st.frozensets(st.sampled_from([Seat("wall", 0), Seat("wall", 1)]), min_size=1)
)


@given(rooms(), some, above, seated)
def test_nobody_is_brought_in_beside_the_other_side(
    room: Room,
    leaving: frozenset[UserId],
    named: dict[UserId, list[UserId]],
    seats: dict[UserId, frozenset[Seat]],
) -> None:
    """An heir from outside shares the room with nobody of the other side; a room that had one still gets an heir."""
    found = over(room, *leaving, named=named, seats=seats)
    stay = room.joined.keys() - leaving
    if found is not None and found.heir not in room.joined:
        opposite = {seat.opposite for seat in seats.get(found.heir, frozenset())}
        assert all(opposite.isdisjoint(seats.get(user, frozenset())) for user in stay)
    assert (found is None) <= (not stay or bool(room.administrators - leaving) or not room.administrators)


@given(rooms(), some, seated)
def test_nobody_comes_back_beside_the_other_side(
    room: Room, users: frozenset[UserId], seats: dict[UserId, frozenset[Seat]]
) -> None:
    """Neither beside those inside nor beside others who come back; who is kept out is named, and nobody else is."""
    back, kept_out = returns(room, users, seats)
    assert back | {each.user_id for each in kept_out} == users - room.joined.keys()
    for user in back:
        opposite = {seat.opposite for seat in seats.get(user, frozenset())}
        beside = (room.joined.keys() | back) - {user}
        assert all(opposite.isdisjoint(seats.get(other, frozenset())) for other in beside)


def test_a_successor_across_a_barrier_is_passed_over() -> None:
    """The next one named is taken, else whoever is inside; who is inside already may inherit whatever the barriers."""
    room = room_of(ROOM, state("11", ANN, {ANN: 100}, ANN, BOB))
    seats = {BOB: frozenset([Seat("wall", 0)]), DOT: frozenset([Seat("wall", 1)])}
    assert over(room, ANN, named={ANN: [DOT, CID]}, seats=seats) == HandOver(ROOM, ANN, CID)
    assert over(room, ANN, named={ANN: [DOT]}, seats=seats) == HandOver(ROOM, ANN, BOB)
    assert over(room, ANN, BOB, named={ANN: [DOT]}, seats=seats) == HandOver(ROOM, ANN, DOT)
    together = room_of(ROOM, state("11", ANN, {ANN: 100}, ANN, BOB, DOT))
    assert over(together, ANN, named={ANN: [DOT]}, seats=seats) == HandOver(ROOM, ANN, DOT)
