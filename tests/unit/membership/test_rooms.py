"""The form of managed rooms on Matrix."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership import rooms
from bridge.membership.values import DesiredRoom
from bridge.policy.schema import RoomKind

SERVER = "example.org"
SPACE = RoomId("!space")
ROOM = DesiredRoom(
    key=RoomKey("lounge"),
    rule="lounge",
    kind=RoomKind.CHAT,
    name="Lounge",
    topic="",
    parents=(RoomKey("company"),),
    open_to=RoomKey("company"),
    exclusive=False,
    members=PeopleSet.none,
    power={},
)
PLACES = {RoomKey("company"): SPACE}


def state_of(body: dict[str, object]) -> dict[str, dict[str, object]]:
    events = body["initial_state"]
    assert isinstance(events, list)
    return {event["type"]: event["content"] for event in events}


def test_a_room_is_private_and_tied_to_its_rule() -> None:
    """A room is private, in version 12, found by its alias and marked with key and rule; nobody is invited into it."""
    body = rooms.creation(ROOM, PLACES, SERVER)

    assert (body["preset"], body["visibility"], body["room_version"]) == ("private_chat", "private", "12")
    assert body["room_alias_name"] == "muster_lounge"
    assert state_of(body)["io.muster.room"] == {"key": "lounge", "rule": "lounge"}
    assert state_of(body)["m.room.guest_access"] == {"guest_access": "forbidden"}
    assert not {"invite", "topic", "creation_content"} & body.keys()


def test_a_room_open_to_a_space_lets_its_members_in() -> None:
    """Who is in the space may join; without such a space, or while it is not there, joining is by invitation."""
    allow = [{"type": "m.room_membership", "room_id": SPACE}]
    for room, places, rule in (
        (ROOM, PLACES, {"join_rule": "restricted", "allow": allow}),
        (ROOM, {}, {"join_rule": "invite"}),
        (replace(ROOM, open_to=None), PLACES, {"join_rule": "invite"}),
    ):
        assert state_of(rooms.creation(room, places, SERVER))["m.room.join_rules"] == rule


@pytest.mark.parametrize("kind", RoomKind)
def test_only_announcements_show_what_was_said_before(kind: RoomKind) -> None:
    """Newcomers read old announcements, and nothing else from before they came."""
    state = state_of(rooms.creation(replace(ROOM, kind=kind), PLACES, SERVER))

    expected = "shared" if kind is RoomKind.ANNOUNCEMENT else "joined"
    assert state["m.room.history_visibility"] == {"history_visibility": expected}


def test_a_space_is_a_space_in_which_nobody_writes() -> None:
    """A space has the room type of spaces, and messages in it take more power than anybody has."""
    body = rooms.creation(replace(ROOM, kind=RoomKind.SPACE), PLACES, SERVER)

    assert body["creation_content"] == {"type": "m.space"}
    assert body["power_level_content_override"]["events_default"] == 100


def test_everyone_reacts_to_announcements_and_posters_write() -> None:
    """In an announcement room writing takes the posters' level; reactions, votes and taking them back take none."""
    levels = rooms.power_levels(RoomKind.ANNOUNCEMENT, {})

    assert levels["events_default"] == 20
    free = ("m.reaction", "m.poll.response", "org.matrix.msc3381.poll.response", "m.room.redaction")
    assert [levels["events"][kind] for kind in free] == [0, 0, 0, 0]
    assert rooms.power_levels(RoomKind.CHAT, {})["events_default"] == 0
    assert "m.room.redaction" not in rooms.power_levels(RoomKind.CHAT, {})["events"]


@pytest.mark.parametrize("kind", RoomKind)
def test_the_map_of_events_is_whole(kind: RoomKind) -> None:
    """An override replaces Synapse's map of events, so every guarded type is listed in every kind of room."""
    events = rooms.power_levels(kind, {})["events"]

    guarded = {"m.room.power_levels", "m.room.history_visibility", "m.room.server_acl", "m.room.name", "m.room.topic"}
    assert all(events[name] == 100 for name in guarded)
    assert events["m.room.tombstone"] == events["m.room.encryption"] == 150


def test_power_levels_list_only_who_differs() -> None:
    """Level 0 is never listed: a thousand ordinary members would burst the event."""
    users = {UserId("@b:x"): 50, UserId("@a:x"): 0}

    assert rooms.power_levels(RoomKind.CHAT, users)["users"] == {"@b:x": 50}


@pytest.mark.parametrize(
    ("key", "alias"),
    [
        ("town-square", "#muster_town-square:example.org"),
        ("department/Sales", "#muster_department-sales-"),
        ("department/Müük & Ost", "#muster_department-muuk-ost-"),
        ("department/販売", "#muster_department-"),
    ],
)
def test_alias_is_readable_ascii(key: str, alias: str) -> None:
    """The alias is the key in ASCII, with a hash where that loses something."""
    assert rooms.alias_of(RoomKey(key), SERVER).startswith(alias)


@given(st.lists(st.text(min_size=1, max_size=400), min_size=2, max_size=2, unique=True))
def test_aliases_are_valid_and_distinct(keys: list[str]) -> None:
    """Whatever two keys are called, their aliases are plain ASCII of at most 255 bytes, and differ."""
    aliases = [rooms.alias_of(RoomKey(key), SERVER) for key in keys]

    assert aliases[0] != aliases[1]
    for alias in aliases:
        assert len(alias.encode("ascii")) <= 255
        assert set(alias.removesuffix(":example.org")) <= set("#_-abcdefghijklmnopqrstuvwxyz0123456789")


def test_what_a_found_room_lacks_is_what_creation_gives() -> None:
    """A bare room lacks everything; one that has it all lacks nothing; Synapse's additions to a topic are fine."""
    room = replace(ROOM, topic="Soup")
    lacking = rooms.missing_state(room, {}, PLACES, SERVER)
    assert lacking[0].type == "m.room.power_levels"
    assert {event.type for event in lacking} >= {"io.muster.room", "m.room.join_rules", "m.room.name", "m.room.topic"}
    present = {(event.type, event.state_key): dict(event.content) for event in lacking}
    present["m.room.topic", ""]["m.topic"] = {"m.text": [{"body": "Soup"}]}
    assert rooms.missing_state(room, present, PLACES, SERVER) == ()


def test_power_of_a_found_room_is_left_to_the_plan() -> None:
    """Power levels that are there may hold people already and are not reset."""
    present = {("m.room.power_levels", ""): {"users": {"@a:x": 50}}}

    assert "m.room.power_levels" not in {event.type for event in rooms.missing_state(ROOM, present, PLACES, SERVER)}
