"""The order of acting: what waits for what, and what goes on at the same time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomKey
from bridge.membership.steps import Ready, Schedule, Step, steps_of
from bridge.membership.values import ACTIONS, Action, Change, DesiredRoom, Plan
from bridge.policy.schema import RoomKind

COMPANY, LOUNGE, TEAM = RoomKey("company"), RoomKey("a-lounge"), RoomKey("team")


def room(key: RoomKey, *parents: RoomKey, open_to: RoomKey | None = None) -> DesiredRoom:
    kind = RoomKind.SPACE if key == COMPANY else RoomKind.CHAT
    return DesiredRoom(key, key, kind, key, "", parents, open_to, False, PeopleSet.none, {})


ROOMS = {COMPANY: room(COMPANY), LOUNGE: room(LOUNGE, COMPANY, open_to=COMPANY), TEAM: room(TEAM)}
OPEN_TO = {key: wanted.open_to for key, wanted in ROOMS.items()}


def change(action: Action, room: str = "", user: str = "", value: str = "") -> Change:
    return Change(ACTIONS.index(action), room, user, value)


def steps(*changes: Change) -> tuple[Step, ...]:
    return steps_of(Plan(tuple(sorted(changes)), ROOMS), OPEN_TO)


def carried_out(schedule: Schedule, failing: frozenset[Change] = frozenset(), at_once: int = 1) -> list[Change]:
    """Run a schedule, oldest first, and return the changes that were given out."""
    running: list[Ready] = []
    given_out: list[Change] = []
    while schedule.left:
        while len(running) < at_once and (ready := schedule.take()) is not None:
            running.append(ready)
            given_out += ready.go
        over = running.pop(0)
        schedule.finish(over.index, succeeded=bool(over.go) and not failing & set(over.go))
    return given_out


def test_leavers_come_first() -> None:
    """Whoever leaves is shut out, and then taken out, before anybody is let in."""
    order = carried_out(
        Schedule(
            steps(
                change(Action.JOIN, TEAM, "@new:x"),
                change(Action.REMOVE, "!dm", "@old:x"),
                change(Action.REMOVE, TEAM, "@old:x"),
                change(Action.DISABLE_ACCOUNT, user="@old:x"),
            )
        )
    )

    assert [one.action for one in order] == [
        Action.DISABLE_ACCOUNT, Action.REMOVE, Action.REMOVE, Action.JOIN
    ]  # fmt: skip


def test_removal_goes_on_when_the_account_cannot_be_locked() -> None:
    """Leaving the rooms waits for the lock, and does not depend on it."""
    lock, remove = change(Action.DISABLE_ACCOUNT, user="@old:x"), change(Action.REMOVE, TEAM, "@old:x")

    assert carried_out(Schedule(steps(lock, remove)), frozenset({lock})) == [lock, remove]


def test_a_profile_needs_its_account_and_nothing_needs_the_profile() -> None:
    """Its fields are set when the account is made; one that is refused keeps nobody out of rooms."""
    made, join = change(Action.CREATE_ACCOUNT, user="@a:x"), change(Action.JOIN, TEAM, "@a:x")
    field = change(Action.CHANGE_PROFILE, user="@a:x", value="m.tz Europe/Tallinn")

    assert carried_out(Schedule(steps(made, field, join)), frozenset({made})) == [made]
    assert carried_out(Schedule(steps(made, field, join)), frozenset({field})) == [made, field, join]


def test_a_room_is_handed_over_before_it_is_left() -> None:
    """Nobody leaves a room that could not be handed over; that the account could not be locked stops neither."""
    lock = change(Action.DISABLE_ACCOUNT, user="@old:x")
    over = change(Action.HAND_OVER, "!dm", "@old:x", "@new:x")
    leaving = [change(Action.REMOVE, "!dm", user) for user in ("@old:x", "@other:x")]
    elsewhere = change(Action.REMOVE, TEAM, "@old:x")

    def taken(failing: frozenset[Change]) -> set[Change]:
        return set(carried_out(Schedule(steps(lock, over, *leaving, elsewhere)), failing))

    assert carried_out(Schedule(steps(lock, over, *leaving)))[:2] == [lock, over]
    assert taken(frozenset({over})) == {lock, over, elsewhere}
    assert taken(frozenset({lock})) == {lock, over, *leaving, elsewhere}


def test_accounts_are_closed_one_at_a_time_and_last() -> None:
    """None before the rooms are left, and not when one of them could not be."""
    users = ("@a:x", "@b:x", "@c:x")
    closing = [change(Action.DEACTIVATE_ACCOUNT, user=user) for user in users]
    stuck = change(Action.REMOVE, TEAM, "@b:x")
    plan = (stuck, change(Action.REMOVE, LOUNGE, "@a:x"), *closing)

    assert len({step.lane for step in steps(*plan) if step.changes[0] in closing}) == 1
    order = carried_out(Schedule(steps(*plan)), frozenset({stuck}), at_once=3)
    assert [one for one in order if one in closing] == [closing[2], closing[0]]


def test_who_moves_is_let_in_before_being_taken_out() -> None:
    """Nobody is without a department in between; that the new room cannot be joined does not stop the removal."""
    leave, join = change(Action.REMOVE, TEAM, "@a:x"), change(Action.JOIN, LOUNGE, "@a:x")

    assert carried_out(Schedule(steps(leave, join))) == [join, leave]
    assert carried_out(Schedule(steps(leave, join)), frozenset({join})) == [join, leave]


def test_a_space_comes_before_what_it_lists() -> None:
    """Spaces are made before their rooms, and joined before the rooms that are open to them."""
    order = carried_out(
        Schedule(
            steps(
                change(Action.CREATE_ROOM, LOUNGE),
                change(Action.CREATE_ROOM, COMPANY),
                change(Action.JOIN, LOUNGE, "@a:x"),
                change(Action.JOIN, COMPANY, "@a:x"),
            )
        )
    )

    assert [one.room for one in order] == [COMPANY, LOUNGE, COMPANY, LOUNGE]


def test_a_join_needs_account_room_and_space() -> None:
    """When the account cannot be made, no room is joined and no power given; others are not concerned."""
    account = change(Action.CREATE_ACCOUNT, user="@a:x")
    order = carried_out(
        Schedule(
            steps(
                account,
                change(Action.CREATE_ACCOUNT, user="@b:x"),
                *(change(Action.JOIN, key, user) for key in (COMPANY, LOUNGE) for user in ("@a:x", "@b:x")),
                change(Action.RAISE_POWER, LOUNGE, "@a:x", "50"),
                change(Action.RAISE_POWER, LOUNGE, "@b:x", "50"),
            )
        ),
        frozenset({account}),
    )

    assert {one.user_id for one in order if one.action is not Action.CREATE_ACCOUNT} == {"@b:x"}


def test_power_of_one_room_is_one_step() -> None:
    """All who rise in one room rise in one event, after they have joined; who sinks, before."""
    found = steps(
        *(change(Action.RAISE_POWER, TEAM, user, "50") for user in ("@a:x", "@b:x", "@c:x")),
        change(Action.JOIN, TEAM, "@c:x"),
        change(Action.LOWER_POWER, TEAM, "@d:x", "0"),
        change(Action.RAISE_POWER, COMPANY, "@a:x", "50"),
    )

    rising = [step for step in found if step.changes[0].action is Action.RAISE_POWER]
    assert [len(step.changes) for step in rising] == [1, 3]
    join = next(index for index, step in enumerate(found) if step.changes[0].action is Action.JOIN)
    assert rising[1].needs == (frozenset(), frozenset(), frozenset({join}))


def test_a_person_follows_into_rooms_while_the_space_still_fills() -> None:
    """Nobody waits for the whole company to be in the space: a second room fills right behind it."""
    people = [f"@{number:02}:x" for number in range(20)]
    schedule = Schedule(steps(*(change(Action.JOIN, key, user) for key in (COMPANY, LOUNGE) for user in people)))

    order = carried_out(schedule, at_once=2)

    assert order.index(change(Action.JOIN, LOUNGE, people[0])) < order.index(change(Action.JOIN, COMPANY, people[3]))


changes_of_plans = st.lists(
    st.builds(
        change,
        st.sampled_from([action for action in Action if action not in (Action.LOWER_POWER, Action.RAISE_POWER)]),
        st.sampled_from([COMPANY, LOUNGE, TEAM, RoomKey("!dm")]),
        st.sampled_from(["@a:x", "@b:x", "@c:x"]),
    ),
    max_size=30,
    unique=True,
)


@given(changes_of_plans, st.sets(st.integers(0, 29)), st.integers(1, 4))
def test_every_change_is_settled_once_and_lanes_are_queues(
    changes: list[Change], failing: set[int], at_once: int
) -> None:
    """Whatever fails, each change is given out or passed over exactly once, never two of one lane at a time, and
    nothing is given out before what it needs has succeeded."""
    found = steps(*changes)
    schedule = Schedule(found)
    running: list[tuple[int, bool]] = []
    succeeded: set[int] = set()
    settled: list[Change] = []
    while schedule.left:
        while len(running) < at_once and (ready := schedule.take()) is not None:
            assert found[ready.index].lane not in {found[index].lane for index, _ in running}
            for one in ready.go:
                assert found[ready.index].needs[found[ready.index].changes.index(one)] <= succeeded
            settled += ready.go + ready.passed_over
            running.append((ready.index, bool(ready.go)))
        index, going = running.pop(0)
        if going and index not in failing:
            succeeded.add(index)
        schedule.finish(index, succeeded=index in succeeded)

    assert sorted(settled) == sorted(changes)
