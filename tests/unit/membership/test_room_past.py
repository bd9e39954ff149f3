"""Which room somebody means, of those that there were."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from bridge.archive.values import Comparison, StateEvent
from bridge.errors import UnknownNameError
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, RoomKey, UserId
from bridge.membership.room_past import find_room, newest_by_key, pasts, statement
from bridge.membership.rooms import MARKER

BOT = UserId("@muster:x")
START = datetime(2026, 3, 2, tzinfo=UTC)


def happened(at: int, room: str, kind: str, content: Mapping[str, object], sender: UserId = BOT) -> StateEvent:
    event = Event(at, EventId(f"${at}"), RoomId(room), kind, sender, "", content, at, None)
    return StateEvent(event, START + timedelta(seconds=at))


EVENTS = [
    happened(1, "!first", "m.room.create", {}),
    happened(2, "!first", MARKER, {"key": "department/Sales"}),
    happened(3, "!first", "m.room.name", {"name": "Sales"}),
    happened(4, "!second", MARKER, {"key": "department/Sales"}),
    happened(5, "!second", "m.room.name", {"name": "Sales"}),
    happened(6, "!second", "m.room.name", {"name": "Revenue"}),
    happened(7, "!club", "m.room.name", {"name": "Chess"}, UserId("@ann:x")),
    happened(8, "!club", "m.room.canonical_alias", {"alias": "#chess:x", "alt_aliases": ["#go:x", 7]}),
    happened(9, "!fake", MARKER, {"key": "board"}, UserId("@ann:x")),
    happened(10, "!fake", "m.room.name", {"name": "Chess"}),
    happened(11, "!fake", "m.room.name", {"name": "Draughts"}),
]
ROOMS = pasts(EVENTS, bot=BOT, managed={RoomId("!bare"): RoomKey("it")}, populated=[RoomId("!bare")])


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("!first", "!first"),
        ("department/sales", "!second"),
        ("Revenue", "!second"),
        ("chess", "!club"),
        ("#GO:x", "!club"),
        ("#chess:x", "!club"),
        ("Draughts", "!fake"),
        ("it", "!bare"),
    ],
)
def test_a_room_is_found_by_whatever_it_is_or_was_called(name: str, room: str) -> None:
    """Room ID, key, alias, name, former name; a room that was made again counts for its key."""
    assert find_room(name, ROOMS).room_id == room


def test_a_key_is_what_the_bot_says() -> None:
    """Anybody may send an event like the marker."""
    assert ROOMS[RoomId("!fake")].key is None
    assert newest_by_key(ROOMS.values())["department/sales"].room_id == "!second"


def test_what_is_unknown_names_the_nearest_and_what_is_ambiguous_names_both() -> None:
    """So that the next try is right."""
    with pytest.raises(UnknownNameError, match="Did you mean department/Sales"):
        find_room("department/Sale", ROOMS)
    both = {RoomId(room): ROOMS[RoomId(room)] for room in ("!first", "!club")}
    twin = pasts([happened(1, "!a", "m.room.name", {"name": "X"}), happened(2, "!b", "m.room.name", {"name": "X"})],
                 bot=BOT)  # fmt: skip
    with pytest.raises(UnknownNameError, match=r"Say which: !a, !b\."):
        find_room("x", {**both, **twin})


@pytest.mark.parametrize(
    ("comparison", "complete", "words"),
    [
        (None, False, "has nothing of this room"),
        (Comparison(START + timedelta(days=2), True, None, 0), False, "oldest event of this room is of 2026-03-04"),
        (Comparison(START, False, START + timedelta(days=9), 0), False, "lacks the beginning"),
        (Comparison(START, True, None, 0), False, "not compared with the homeserver yet"),
        (Comparison(START, True, START, 3), False, "up to 2026-03-02 00:00:00 UTC, 3 events were fetched afterwards;"),
        (Comparison(START, True, START + timedelta(days=9), 0), True, "nothing is missing."),
    ],
)
def test_the_archive_says_how_complete_it_is(comparison: Comparison | None, complete: bool, words: str) -> None:
    """Only what was compared with the homeserver since is called complete."""
    found, sentence = statement(comparison, START + timedelta(days=1))
    assert found is complete
    assert words in sentence
