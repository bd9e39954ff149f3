"""Nobody is told of a room that is none of theirs, and whoever may know of it finds it by any of its names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.people_set import PeopleSet
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership.rooms import alias_of
from bridge.membership.ruling import Rulings, rulings
from bridge.membership.values import Current, CurrentRoom, Desired, DesiredRoom
from bridge.policy.schema import RoomKind
from bridge.selfservice.known_rooms import KnownRoom, Standing, Who, find, known_rooms
from tests.unit.membership import notation

ME, OTHER, MINE = UserId("@me:example.org"), UserId("@other:example.org"), PersonId("me")
POLICY = notation.policy(
    {
        "spaces": {"company": {"members": "active eq true", "rooms": ["lounge", "board", "project"]}},
        "rooms": {
            "lounge": {},
            "board": {"exclusive": True},
            "loose": {},
            "project": {"for_each": "division"},
        },
        "desks": {"desk": {"posters": "active eq true", "rooms": ["lounge"]}},
    }
)
KINDS = {"company": RoomKind.SPACE, "desk": RoomKind.DESK, "administrators": RoomKind.ADMINISTRATORS}
LISTED = {"lounge", "board", "project/X"}
EXCLUSIVE = {"board", "desk", "administrators"}
KEYS = ["company", "lounge", "board", "loose", "project/X", "desk", "administrators", "gone"]


def _room(key: str, **more: Any) -> CurrentRoom:
    return CurrentRoom(
        RoomKey(key),
        RoomId(f"!{key}"),
        KINDS.get(key, RoomKind.CHAT),
        more.pop("name", f"Room {key}"),
        "",
        (RoomKey("company"),) if key in LISTED else (),
        None,
        frozenset(more.pop("members", {OTHER})),
        **more,
    )


def _wanted(key: str, *rows: int) -> DesiredRoom:
    return DesiredRoom(RoomKey(key), key, RoomKind.CHAT, key, "", (), None, False, PeopleSet.of(rows), {})


def _known(rooms: list[CurrentRoom], wanted: list[str] | None = None) -> dict[str, Standing]:
    return {room.key: room.standing for room in known_rooms(_decided(rooms, wanted or (), 1), {}, Who(ME, MINE))}


def _decided(rooms: list[CurrentRoom], wanted: Collection[str], *rows: int) -> Rulings:
    """Return a decision about three people, of whom the second asks."""
    desired = Desired({}, {RoomKey(key): _wanted(key, *rows) for key in wanted})
    current = Current({}, {room.key: room for room in rooms})
    people = notation.census({"one": {}, "me": {}, "other": {}})
    return rulings(POLICY, people, desired, current, bot=notation.BOT)


def test_one_knows_of_what_a_space_lists_that_one_is_in() -> None:
    """Exclusive rooms, desks, the administrators' room, rooms no space lists, and rooms of no rule stay unknown."""
    rooms = [_room(key, members={OTHER, ME} if key == "company" else {OTHER}) for key in KEYS]
    assert _known(rooms) == {"company": Standing.IN, "lounge": Standing.LISTED, "project/X": Standing.LISTED}


def test_a_space_that_one_is_not_in_tells_nothing() -> None:
    """What it lists is unknown like the space itself."""
    assert _known([_room(key) for key in KEYS]) == {}


@pytest.mark.parametrize("key", KEYS)
def test_whoever_is_in_a_room_or_invited_or_entitled_knows_of_it(key: str) -> None:
    """Whatever room it is."""
    assert _known([_room(key, members={ME})]) == {key: Standing.IN}
    assert _known([_room(key, invited=frozenset({ME}))]) == {key: Standing.INVITED}
    assert _known([_room(key)], wanted=[key]) == {key: Standing.ENTITLED}


def test_that_somebody_else_ought_to_be_in_a_room_tells_nothing() -> None:
    """A survey may look at more people than the one who asks."""
    decided = _decided([_room("board")], ["board"], 0, 2)
    assert known_rooms(decided, {}, Who(ME, MINE)) == ()
    assert known_rooms(decided, {}, Who(ME, PersonId("nobody"))) == ()


@given(st.sets(st.sampled_from(KEYS)), st.sets(st.sampled_from(KEYS)), st.sets(st.sampled_from(KEYS)))
def test_no_exclusive_room_is_known_to_others(there: set[str], inside: set[str], wanted: set[str]) -> None:
    """However the rooms lie."""
    rooms = [_room(key, members={ME} if key in inside else {OTHER}) for key in sorted(there)]
    known = _known(rooms, sorted(wanted))
    assert known.keys() <= there
    assert not {key for key in known.keys() & EXCLUSIVE if key not in inside | wanted}


@pytest.mark.parametrize(
    "text",
    [
        "Town Square",
        "town  SQUARE",
        "town-square",
        "#muster_town-square:example.org",
        "muster_town-square",
        "!42",
        "https://matrix.to/#/%23muster_town-square%3Aexample.org?via=example.org",
    ],
)
def test_a_room_is_found_by_any_of_its_names(text: str) -> None:
    """By name in any case, key, alias, ID or link."""
    key = RoomKey("town-square")
    square = KnownRoom(key, RoomId("!42"), "Town Square", alias_of(key, "example.org"), RoomKind.CHAT, Standing.IN)
    other = KnownRoom(RoomKey("lounge"), RoomId("!43"), "Lounge", "", RoomKind.CHAT, Standing.IN)
    assert find(text, [other, square]) == (square,)


def test_a_name_of_several_rooms_finds_them_all() -> None:
    """The key says which is meant."""
    rooms = [KnownRoom(RoomKey(key), RoomId(f"!{key}"), "News", "", RoomKind.CHAT, Standing.IN) for key in ("a", "b")]
    assert find("news", rooms) == tuple(rooms)
    assert find("b", rooms) == (rooms[1],)
    assert find("c", rooms) == ()
