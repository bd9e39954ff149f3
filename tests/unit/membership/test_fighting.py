"""When a loop with another actor is a fight, and what rests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.ids import EventId, RoomId, RoomKey, UserId
from bridge.membership.desired import desired
from bridge.membership.fighting import (
    ENOUGH,
    MEMBER,
    PROFILE,
    WINDOW,
    About,
    Intervention,
    Rest,
    fights,
    notice,
    window_of,
    without_resting,
)
from bridge.membership.plan import ACCOUNTS, plan_of
from bridge.membership.values import ACTIONS, Action, Change, KeptOut
from tests.unit.membership.notation import census, policy, user_id

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROOM = RoomId("!r")
ANN = user_id("ann")
ABOUT = About(ROOM, ANN, MEMBER)
ROOMS = {RoomKey("chat"): ROOM}


def done(number: int, ago: timedelta | None, **fields: object) -> Intervention:
    """Return an intervention that was put right so long ago, or waits."""
    settled = None if ago is None else NOW - ago
    one = Intervention(number, ROOM, ANN, MEMBER, "invite", user_id("bot"), EventId(f"${number}"), NOW, settled)
    return replace(one, **fields)  # type: ignore[arg-type]


def change(action: Action, room: str = "chat", **fields: str) -> Change:
    return Change(ACTIONS.index(action), room, **{"user_id": ANN, "rule": "rooms.chat", **fields})


def test_as_many_corrections_as_are_enough_and_one_change_more_are_a_fight() -> None:
    """The other side has undone every one of them."""
    found = [done(number, timedelta(minutes=number)) for number in range(1, ENOUGH + 1)]
    assert fights(found, NOW) == []
    (fight,) = fights([*found, done(9, None)], NOW)
    assert (fight.about, fight.times, fight.sender) == (ABOUT, ENOUGH, user_id("bot"))
    assert fights([*found[1:], done(9, None)], NOW) == []


def test_what_others_do_with_something_else_does_not_count() -> None:
    """Another person, another room and another field each have their own count."""
    found = [done(number, timedelta(minutes=1)) for number in range(ENOUGH)]
    for other in ({"subject": user_id("bob")}, {"room_id": RoomId("!s")}, {"field": "power"}):
        assert fights([*found, done(9, None, **other)], NOW) == []


@given(st.lists(st.integers(0, 3600), max_size=12), st.booleans())
def test_only_the_last_minutes_count(ages: list[int], waiting: bool) -> None:
    """Whatever lies further back than the window makes no fight, however much of it there is."""
    found = [done(number, timedelta(seconds=age)) for number, age in enumerate(ages)]
    recent = sum(timedelta(seconds=age) < WINDOW for age in ages)
    fought = fights([*found, *([done(99, None)] if waiting else [])], NOW)
    assert bool(fought) is (waiting and recent >= ENOUGH)


def test_a_rest_takes_only_its_own_thing_out_of_a_plan() -> None:
    """Other people, other rooms, power, and other settings of the room go on."""
    rests = [Rest(1, ABOUT, False, ANN, NOW), Rest(2, About(ROOM, UserId(""), "name"), False, ANN, NOW)]
    kept = [
        change(Action.REMOVE, user_id=user_id("bob")),
        change(Action.REMOVE, room="other"),
        change(Action.LOWER_POWER, value="0"),
        change(Action.RENAME_ACCOUNT, room="", value="Ann"),
    ]
    rooms = desired(policy({"rooms": {"chat": {}}}), census({})).rooms
    plan = plan_of([*kept, change(Action.REMOVE), change(Action.CHANGE_ROOM, user_id="", value="name, topic")], rooms)
    left = without_resting(plan, rests, ROOMS)
    assert set(left.changes) == {*kept, change(Action.CHANGE_ROOM, user_id="", value="topic")}
    assert left.digest != plan.digest
    assert without_resting(plan, [], ROOMS) is plan
    rested = {change(Action.REMOVE), change(Action.CHANGE_ROOM, user_id="", value="name")}
    assert set(left.resting) == rested


def test_a_rest_takes_nothing_else_from_a_plan() -> None:
    """Whom barriers keep out, who waits for whom, and what rules in shadow would do stays in it."""
    kept = (KeptOut(RoomKey("chat"), "rooms.chat", "research", (ANN,)),)
    whole = replace(
        plan_of([change(Action.REMOVE)], {}),
        kept_out=kept,
        divided={RoomKey("chat"): frozenset([ANN])},
        shadowed=(change(Action.JOIN),),
    )
    left = without_resting(whole, [Rest(1, ABOUT, False, ANN, NOW)], ROOMS)
    assert (left.kept_out, left.divided, left.shadowed) == (whole.kept_out, whole.divided, whole.shadowed)


def test_a_rest_does_not_keep_a_leaver() -> None:
    """Who has left is taken out all the same, unless the fight is about a leaver."""
    leaving = plan_of([change(Action.REMOVE, rule=ACCOUNTS)], {})
    assert without_resting(leaving, [Rest(1, ABOUT, False, ANN, NOW)], ROOMS).changes == leaving.changes
    assert without_resting(leaving, [Rest(1, ABOUT, True, ANN, NOW)], ROOMS).changes == ()


def test_the_notice_says_how_to_go_on() -> None:
    """The administrators read who, what, where, and the command."""
    (fight,) = fights([*(done(number, timedelta(0)) for number in range(ENOUGH)), done(9, None)], NOW)
    body = notice(fight, "Chat", 7).body
    for words in (ANN, user_id("bot"), "Chat", "muster drift go 7"):
        assert words in body


def test_a_field_of_a_profile_rests_alone() -> None:
    """The name and the other fields of the same person, and the same field of others, are still put right."""
    rest = Rest(1, About(PROFILE, ANN, "avatar_url"), True, ANN, NOW)
    changes = [
        change(Action.RENAME_ACCOUNT, "", value="Ann", rule=ACCOUNTS),
        change(Action.CHANGE_PROFILE, "", value="avatar_url mxc://a/b", rule=ACCOUNTS),
        change(Action.CHANGE_PROFILE, "", value="m.tz Europe/Tallinn", rule=ACCOUNTS),
        change(Action.CHANGE_PROFILE, "", user_id=user_id("bob"), value="avatar_url mxc://a/b", rule=ACCOUNTS),
        change(Action.DISABLE_ACCOUNT, "", rule=ACCOUNTS),
    ]
    left = without_resting(plan_of(changes, {}), [rest], ROOMS)
    assert set(left.changes) == set(changes) - {changes[1]}
    named = without_resting(plan_of(changes, {}), [replace(rest, about=About(PROFILE, ANN, "displayname"))], ROOMS)
    assert set(named.changes) == set(changes) - {changes[0]}


def test_what_is_seen_seldom_counts_for_longer() -> None:
    """A field of which no event tells is seen about once an hour, so ten minutes would never show a fight."""
    assert window_of(About(PROFILE, ANN, "m.tz")) > window_of(About(PROFILE, ANN, "avatar_url")) == WINDOW
    assert window_of(About(ROOM, ANN, MEMBER)) == WINDOW
