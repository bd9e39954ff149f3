"""What is due with a report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.on_call import Terms
from bridge.concern.course import Ask, Report, due, is_taken, needs_room
from bridge.ids import UserId

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ANN, BEA, CID = (UserId(f"@{name}:x") for name in ("ann", "bea", "cid"))
REPORT = Report(1, "accident", True, "alias", ((ANN,), (BEA, CID)), Terms(1, 10 * MINUTE), NOW)


def ask(user: UserId, after: float = 0, *, takes: bool | None = None, joined: bool = True) -> Ask:
    """Return somebody who was asked so many minutes after the beginning."""
    return Ask(user, NOW + after * MINUTE, instead=False, takes=takes, joined=joined)


def test_the_first_group_is_asked_at_once() -> None:
    """And the next when it has had the time to answer."""
    decided = due(REPORT, [], NOW)
    assert decided.call.ask == (ANN,)
    assert decided.next_at == NOW + 10 * MINUTE
    assert due(REPORT, [ask(ANN)], NOW + 9 * MINUTE).call.ask == ()
    assert due(REPORT, [ask(ANN)], NOW + 10 * MINUTE).call.ask == (BEA, CID)


def test_nothing_is_due_once_it_is_taken_or_closed() -> None:
    """Also long afterwards."""
    later = NOW + timedelta(days=1)
    taken = due(REPORT, [ask(ANN, takes=True)], later)
    assert (taken.call.ask, taken.next_at, taken.in_vain) == ((), None, False)
    closed = due(replace(REPORT, closed_at=NOW), [ask(ANN)], later)
    assert (closed.call.ask, closed.next_at, closed.in_vain) == ((), None, False)


def test_it_is_in_vain_when_everybody_had_the_time_to_answer() -> None:
    """Not before, and at once when all have refused."""
    everybody = [ask(ANN), ask(BEA, 10), ask(CID, 10)]
    waiting = due(REPORT, everybody, NOW + 15 * MINUTE)
    assert (waiting.in_vain, waiting.next_at) == (False, NOW + 20 * MINUTE)
    over = due(REPORT, everybody, NOW + 20 * MINUTE)
    assert (over.in_vain, over.next_at) == (True, None)
    refused = [ask(ANN, takes=False), ask(BEA, 1, takes=False), ask(CID, 1, takes=False)]
    assert due(REPORT, refused, NOW + 2 * MINUTE).in_vain


def test_who_refuses_leaves_and_who_is_asked_comes() -> None:
    """Each once."""
    asks = [ask(ANN, takes=False), ask(BEA, joined=False), ask(CID, takes=False, joined=False)]
    assert needs_room(asks) == ([BEA], [ANN])


def test_enough_must_take_it() -> None:
    """As many as the policy says."""
    asks = [ask(ANN, takes=True), ask(BEA, takes=False)]
    assert is_taken(REPORT, asks)
    assert not is_taken(replace(REPORT, terms=Terms(2, MINUTE)), asks)


@given(st.lists(st.tuples(st.sampled_from([ANN, BEA, CID]), st.sampled_from([None, True, False])), max_size=3))
def test_an_open_report_is_taken_looked_at_again_or_told_to_be_in_vain(
    answers: list[tuple[UserId, bool | None]],
) -> None:
    """None is ever forgotten."""
    asks = list({user: ask(user, takes=takes) for user, takes in answers}.values())
    for minutes in (0, 5, 10, 20, 60):
        decided = due(REPORT, asks, NOW + minutes * MINUTE)
        called = decided.call.ask or decided.call.instead
        assert is_taken(REPORT, asks) or decided.next_at is not None or decided.in_vain or called
