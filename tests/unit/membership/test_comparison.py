"""A room as the homeserver has it, against what we know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, RoomKey, UserId, archivist_of
from bridge.membership.comparison import MEMBERSHIPS, compare
from bridge.membership.rooms import Shape, altered, join_rule, power_levels, visibility
from bridge.policy.schema import RoomKind
from tests.unit.membership.notation import BOT, user_id

ROOM, SPACE = RoomId("!room"), RoomId("!space")
SHAPES = {
    ROOM: Shape(RoomKey("chat"), ROOM, RoomKind.CHAT, "Chat", "Soup", (SPACE,), SPACE),
    SPACE: Shape(RoomKey("all"), SPACE, RoomKind.SPACE, "All", "", (), None),
}
ANN, BOB = user_id("ann"), user_id("bob")
USERS = st.sampled_from([ANN, BOB, user_id("cid")])


def state(kind: str, content: dict[str, Any], key: str = "", sender: UserId = ANN) -> Event:
    return Event(0, EventId(f"${kind}{key}"), ROOM, kind, sender, key, content, 1, None)


def found(events: list[Event], members: dict[UserId, str], power: dict[UserId, int] | None = None) -> list[str | None]:
    """Return the types and keys of what differs."""
    difference = compare(ROOM, events, members, power or {}, SHAPES, bot=BOT, now=9)
    return [f"{event.type} {event.state_key}".strip() for event in difference.events]


@given(st.dictionaries(USERS, st.sampled_from(sorted(MEMBERSHIPS))), st.dictionaries(USERS, st.sampled_from(["join"])))
def test_what_is_taken_in_makes_the_two_equal(actual: dict[UserId, str], known: dict[UserId, str]) -> None:
    """Whatever we believed, after the events of the difference we know what the homeserver has, and nothing is left."""
    events = [state("m.room.member", {"membership": membership}, user) for user, membership in actual.items()]
    difference = compare(ROOM, events, known, {}, SHAPES, bot=BOT, now=9)
    learnt = known | {UserId(event.state_key or ""): event.content["membership"] for event in difference.members}
    assert {user: each for user, each in learnt.items() if each != "leave"} == {
        user: each for user, each in actual.items() if each != "leave"
    }
    assert compare(ROOM, events, learnt, {}, SHAPES, bot=BOT, now=9).events == ()


def test_archives_account_is_nobodys_member() -> None:
    """It comes and goes without anybody's leave, and nobody is to take it out."""
    archive = state("m.room.member", {"membership": "join"}, archivist_of(BOT))
    assert found([archive], {}) == []
    assert found([archive, state("m.room.member", {"membership": "join"}, BOB)], {}) == [f"m.room.member {BOB}"]


def test_power_differs_when_anybodys_level_does_but_the_bots() -> None:
    """The bot's own level, which rooms of older versions list, is not kept and is not compared."""
    levels = state("m.room.power_levels", {**power_levels(RoomKind.CHAT, {}), "users": {ANN: 50, BOT: 100}}, sender=BOT)
    assert found([levels], {}, {ANN: 50}) == []
    assert found([levels], {}, {ANN: 50, BOB: 50}) == ["m.room.power_levels"]


def test_settings_differ_when_others_have_made_them_otherwise() -> None:
    """What the bot has set is ours, of whatever version of Muster."""
    name = {"name": "Ann's"}
    assert found([state("m.room.name", name)], {}) == ["m.room.name"]
    assert found([state("m.room.name", name, sender=BOT)], {}) == []
    assert found([state("m.room.name", {"name": "Chat"}), state("m.room.avatar", {"url": "mxc://a/b"})], {}) == []


def test_each_piece_of_state_is_named_by_what_it_follows_from() -> None:
    """As Muster makes it, it is not altered; otherwise it is, also when it is emptied."""
    as_made: dict[str, dict[str, Any]] = {
        "m.room.name": {"name": "Chat"},
        "m.room.topic": {"topic": "Soup", "m.topic": {}},
        "m.room.join_rules": dict(join_rule(SPACE).content),
        "m.room.history_visibility": dict(visibility(RoomKind.CHAT).content),
        "m.room.power_levels": power_levels(RoomKind.CHAT, {ANN: 50}),
    }
    fields = ["name", "topic", "open_to", "history", "kind"]
    for (kind, content), field in zip(as_made.items(), fields, strict=True):
        assert altered(kind, "", content, ROOM, SHAPES) is None
        assert altered(kind, "", {}, ROOM, SHAPES) == (ROOM, field)
        assert altered(kind, "", {}, RoomId("!other"), SHAPES) is None
    assert altered("m.space.child", ROOM, {}, SPACE, SHAPES) == (ROOM, "parents")
    assert altered("m.space.child", ROOM, {"via": ["a"]}, SPACE, SHAPES) is None
    assert altered("m.space.child", ROOM, {"via": ["a"], "order": "1"}, SPACE, SHAPES) == (ROOM, "order")
    placed = {**SHAPES, ROOM: replace(SHAPES[ROOM], orders={SPACE: "1"})}
    assert altered("m.space.child", ROOM, {"via": ["a"], "order": "1"}, SPACE, placed) is None
    assert altered("m.space.child", ROOM, {"via": ["a"]}, SPACE, placed) == (ROOM, "order")
    assert altered("m.space.child", "!other", {}, SPACE, SHAPES) is None
    assert altered("m.space.parent", SPACE, {}, ROOM, SHAPES) == (ROOM, "parents")
