"""Who is reminded and whose manager is told, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.escalation import Due, Missing, Step, decide, earliest
from bridge.ids import UserId
from bridge.policy.acknowledge import Acknowledge, Escalation

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BO, CY, BOSS, CHIEF = (UserId(f"@{name}:x") for name in ("bo", "cy", "boss", "chief"))
RULE = Acknowledge(within=2 * DAY, remind=(DAY, DAY + 6 * HOUR), escalate=Escalation.MANAGER)


def always(_user: UserId, moment: datetime) -> datetime:
    """Everybody works at any time."""
    return moment


def by_day(_user: UserId, moment: datetime) -> datetime:
    """Everybody works from 8 to 18, every day."""
    if 8 <= moment.hour < 18:
        return moment
    return moment.replace(hour=8, minute=0) + (DAY if moment.hour >= 18 else timedelta(0))


def _bo(**more: datetime) -> Missing:
    return Missing(BO, NOON, (BOSS, CHIEF), {name.replace("_", "/", 1): at for name, at in more.items()})


def _told(due: Due) -> list[tuple[str, UserId | None]]:
    return [(step.name, step.told) for step in due.steps]


def test_nobody_is_reminded_before_the_time() -> None:
    """Within the first day nothing is said; it is known when the first reminder is due."""
    assert decide(RULE, [_bo()], NOON + DAY - HOUR, always) == Due((), NOON + DAY)


def test_somebody_missing_is_reminded() -> None:
    """After a day the person is told, and the next reminder is in sight."""
    assert decide(RULE, [_bo()], NOON + DAY, always) == Due((Step(BO, "remind/1", BO),), NOON + DAY + 6 * HOUR)


def test_a_reminder_that_was_said_is_not_said_again() -> None:
    """Whoever looks again finds it done."""
    assert decide(RULE, [_bo(remind_1=NOON + DAY)], NOON + DAY, always) == Due((), NOON + DAY + 6 * HOUR)


def test_of_several_overdue_reminders_one_is_said() -> None:
    """After an outage nobody is told the same thing twice in a row; what is passed over counts as done."""
    due = decide(RULE, [_bo()], NOON + DAY + 7 * HOUR, always)
    assert _told(due) == [("remind/1", None), ("remind/2", BO)]


def test_reminders_wait_for_working_hours() -> None:
    """Due at night, said in the morning."""
    late = Missing(BO, NOON + 9 * HOUR)
    morning = (NOON + 2 * DAY).replace(hour=8)
    assert decide(RULE, [late], NOON + DAY + 9 * HOUR, by_day) == Due((), morning)
    assert _told(decide(RULE, [late], morning, by_day)) == [("remind/1", None), ("remind/2", BO)]


def test_whoever_is_on_leave_is_left_alone() -> None:
    """Neither reminded nor told on; nothing is in sight until the leave is over."""
    assert decide(RULE, [_bo()], NOON + 9 * DAY, lambda user, at: None if user == BO else at) == Due((), None)


def test_the_manager_is_told_when_the_time_is_over() -> None:
    """After two days the next above hears of it, together with a reminder that is overdue."""
    done = _bo(remind_1=NOON, remind_2=NOON)
    assert _told(decide(RULE, [done], NOON + 2 * DAY, always)) == [(f"escalate/{BOSS}", BOSS)]


def test_then_the_next_up_the_line_is_told() -> None:
    """As long again after the manager was told, however late that was."""
    told = NOON + 3 * DAY
    person = Missing(BO, NOON, (BOSS, CHIEF), {"remind/1": NOON, "remind/2": NOON, f"escalate/{BOSS}": told})
    assert decide(RULE, [person], told + DAY, always) == Due((), told + 2 * DAY)
    assert _told(decide(RULE, [person], told + 2 * DAY, always)) == [(f"escalate/{CHIEF}", CHIEF)]


def test_at_the_top_it_ends() -> None:
    """When everybody above was told nothing more is due."""
    done = dict.fromkeys(("remind/1", "remind/2", f"escalate/{BOSS}", f"escalate/{CHIEF}"), NOON)
    assert decide(RULE, [Missing(BO, NOON, (BOSS, CHIEF), done)], NOON + 99 * DAY, always) == Due((), None)


def test_nobody_is_told_about_themselves() -> None:
    """Who manages each other, or oneself, hears only of others."""
    done = dict.fromkeys(("remind/1", "remind/2"), NOON)
    person = Missing(BO, NOON, (BO, BOSS, BO), done)
    assert _told(decide(RULE, [person], NOON + 9 * DAY, always)) == [(f"escalate/{BOSS}", BOSS)]
    assert decide(RULE, [Missing(BO, NOON, (BO,), done)], NOON + 9 * DAY, always) == Due((), None)


def test_a_manager_on_leave_is_passed_over() -> None:
    """The next one up the line is told instead."""
    done = dict.fromkeys(("remind/1", "remind/2"), NOON)
    person = Missing(BO, NOON, (BOSS, CHIEF), done)
    due = decide(RULE, [person], NOON + 2 * DAY, lambda user, at: None if user == BOSS else at)
    assert _told(due) == [(f"escalate/{CHIEF}", CHIEF)]


def test_a_new_manager_is_told_after_the_old_one() -> None:
    """Whoever was told and is not above any more still sets the time from which the next one counts."""
    done = {"remind/1": NOON, "remind/2": NOON, "escalate/@old:x": NOON + 3 * DAY}
    person = Missing(BO, NOON, (BOSS,), done)
    assert decide(RULE, [person], NOON + 4 * DAY, always) == Due((), NOON + 5 * DAY)


def test_those_who_got_it_at_about_the_same_time_are_one_list() -> None:
    """Two rooms that got it seconds apart are told of at once."""
    people = [Missing(BO, NOON + timedelta(seconds=3), (BOSS,)), Missing(CY, NOON + timedelta(seconds=40), (BOSS,))]
    rule = Acknowledge(within=2 * DAY, escalate=Escalation.MANAGER)
    moment = decide(rule, people, NOON, always).next
    assert moment == NOON + 2 * DAY + timedelta(minutes=15)
    assert [step.user_id for step in decide(rule, people, moment, always).steps] == [BO, CY]


def test_without_escalation_only_reminders_are_sent() -> None:
    """The policy says who hears of it."""
    rule = Acknowledge(within=2 * DAY, remind=(DAY,))
    assert _told(decide(rule, [_bo()], NOON + 99 * DAY, always)) == [("remind/1", BO)]


def test_nothing_is_due_for_new_people_before_the_shortest_time() -> None:
    """So nobody need look before then."""
    assert earliest(RULE, NOON) == NOON + DAY
    assert earliest(Acknowledge(within=HOUR), NOON) == NOON + HOUR


@given(
    st.lists(st.integers(1, 400), max_size=4, unique=True).map(sorted),
    st.integers(1, 200),
    st.lists(st.sampled_from([BO, CY, BOSS, CHIEF]), max_size=5),
    st.lists(st.integers(1, 100), min_size=1, max_size=30),
)
def test_however_often_one_looks_each_step_is_taken_once(
    remind: list[int], within: int, above: list[UserId], pauses: list[int]
) -> None:
    """Whatever the moments of looking: no step twice, nobody told about themselves, nothing before its time."""
    rule = Acknowledge(within * HOUR, tuple(each * HOUR for each in remind), Escalation.MANAGER)
    done: dict[str, datetime] = {}
    now = NOON
    for pause in pauses:
        now += pause * HOUR
        due = decide(rule, [Missing(BO, NOON, tuple(above), dict(done))], now, by_day)
        assert due.next is None or due.next > now
        for step in due.steps:
            assert step.name not in done
            assert not (step.name.startswith("escalate") and step.told == BO)
            assert now >= NOON + min(rule.within, *rule.remind, timedelta.max)
            done[step.name] = now
        said = [step for step in due.steps if step.told == BO]
        assert len(said) <= 1
