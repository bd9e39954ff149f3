"""What it takes to undo a run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.directory.people_set import PeopleSet
from bridge.ids import PersonId, RoomId, RoomKey
from bridge.membership.audit import Entry
from bridge.membership.plan import EXCLUSIVE, NOT_ANY_MORE, plan_of
from bridge.membership.undo import Undoing, undo
from bridge.membership.values import ACTIONS, Action, Change, Current, CurrentRoom, Desired, DesiredRoom
from bridge.policy.schema import RoomKind

from .notation import user_id

MARI = user_id("mari")
NOTHING_PLANNED = plan_of((), {})


def entry(action: Action, room: str = "sales", *, reason: str = "", value: str = "", outcome: str = "done") -> Entry:
    return Entry(
        1, 7, datetime(2026, 3, 2, tzinfo=UTC), action, room, RoomId("!sales"), MARI, PersonId("mari"), value,
        "rooms.sales", reason, 1, "policy", outcome, None, None, "policy",
    )  # fmt: skip


def current(*members: str) -> Current:
    users = frozenset(map(user_id, members))
    key = RoomKey("sales")
    return Current({}, {key: CurrentRoom(key, RoomId("!sales"), RoomKind.CHAT, "Sales", "", (), None, users)})


def desired(*, exclusive: bool = False) -> Desired:
    key = RoomKey("sales")
    room = DesiredRoom(key, "sales", RoomKind.CHAT, "Sales", "", (), None, exclusive, PeopleSet.none, {})
    return Desired({}, {key: room})


def outcome(found: Undoing) -> str:
    (name,) = [name for name in ("given_back", "planned", "past", "again", "kept") if getattr(found, name)]
    return name


@pytest.mark.parametrize(
    ("reason", "wanted", "expected"),
    [
        (EXCLUSIVE, desired(), "given_back"),
        (EXCLUSIVE, desired(exclusive=True), "again"),
        (NOT_ANY_MORE, desired(), "again"),
        (NOT_ANY_MORE, Desired({}, {}), "given_back"),
    ],
)
def test_a_place_comes_back_where_the_policy_has_no_say(reason: str, wanted: Desired, expected: str) -> None:
    """A guest of a room that is exclusive no more, and anybody in a room without a rule; never against a rule."""
    found = undo(7, [entry(Action.REMOVE, reason=reason)], NOTHING_PLANNED, wanted, current())
    assert outcome(found) == expected


def test_what_the_plan_does_is_not_done_twice() -> None:
    """Where policy or directory were put back, their plan undoes."""
    join = Change(ACTIONS.index(Action.JOIN), "sales", MARI)
    assert outcome(undo(7, [entry(Action.REMOVE)], plan_of([join], {}), desired(), current())) == "planned"


def test_what_is_not_so_any_more_is_past() -> None:
    """Somebody is back, or out again, already."""
    assert outcome(undo(7, [entry(Action.REMOVE)], NOTHING_PLANNED, desired(), current("mari"))) == "past"
    assert outcome(undo(7, [entry(Action.JOIN)], NOTHING_PLANNED, desired(), current())) == "past"
    assert outcome(undo(7, [entry(Action.RAISE_POWER, value="50")], NOTHING_PLANNED, desired(), current())) == "past"


def test_what_failed_or_was_held_needs_no_undoing() -> None:
    """Only what a run has done counts."""
    entries = [entry(Action.REMOVE, outcome=each) for each in ("failed", "held", "interrupted", "begun")]
    assert undo(7, entries, NOTHING_PLANNED, desired(), current()) == Undoing()


def test_rooms_stay() -> None:
    """A room that was made holds what was said in it; a room that is not managed is out of reach."""
    for one in (entry(Action.CREATE_ROOM), entry(Action.CHANGE_ROOM), entry(Action.REMOVE, "!elsewhere")):
        assert outcome(undo(7, [one], NOTHING_PLANNED, desired(), current())) == "kept"
