"""Who is asked to come, and who is next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.on_call import Asked, Call, Terms, accepted, decide, reachable
from bridge.ids import UserId

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TERMS = Terms(needed=2, escalate=timedelta(minutes=5))
ANNA, BO, CY, DEE = (UserId(f"@{name}:company.example") for name in ("anna", "bo", "cy", "dee"))
LINE = [(ANNA, BO), (CY,), (DEE,)]


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_the_first_group_is_asked_at_once() -> None:
    """All of it, and the next is due after the time to answer."""
    assert decide(LINE, [], TERMS, NOW) == Call(ask=(ANNA, BO), next_at=after(5))


def test_nobody_is_asked_twice() -> None:
    """While the group has time, asking again changes nothing."""
    asked = [Asked(ANNA, NOW), Asked(BO, NOW)]
    assert decide(LINE, asked, TERMS, after(4)) == Call(next_at=after(5))


def test_silence_brings_the_next_group() -> None:
    """After the time to answer, and each group has its own."""
    asked = [Asked(ANNA, NOW, accepts=True), Asked(BO, NOW)]
    assert decide(LINE, asked, TERMS, after(5)) == Call(ask=(CY,), next_at=after(10))
    asked.append(Asked(CY, after(5)))
    assert decide(LINE, asked, TERMS, after(9)) == Call(next_at=after(10))
    assert decide(LINE, asked, TERMS, after(30)) == Call(ask=(DEE,))


def test_a_refusal_brings_the_next_in_line_at_once() -> None:
    """One for one, without waiting, and the clock of the group goes on."""
    asked = [Asked(ANNA, NOW, accepts=False), Asked(BO, NOW)]
    assert decide(LINE, asked, TERMS, after(1)) == Call(instead=(CY,), next_at=after(5))
    asked.append(Asked(CY, after(1), instead=True))
    assert decide(LINE, asked, TERMS, after(2)) == Call(next_at=after(5))
    asked[-1] = Asked(CY, after(1), instead=True, accepts=False)
    assert decide(LINE, asked, TERMS, after(2)) == Call(instead=(DEE,))


def test_with_enough_who_come_nobody_more_is_asked() -> None:
    """Also not for a refusal, and not later."""
    asked = [Asked(ANNA, NOW, accepts=True), Asked(BO, NOW, accepts=True), Asked(CY, NOW, accepts=False)]
    assert decide(LINE, asked, TERMS, after(60)) == Call()
    assert accepted(asked) == reachable(asked) == (ANNA, BO)


def test_who_accepted_and_then_refuses_is_replaced() -> None:
    """The newest answer counts."""
    asked = [Asked(ANNA, NOW, accepts=True), Asked(BO, NOW, accepts=False)]
    assert decide(LINE, asked, TERMS, after(1)).instead == (CY,)


def test_a_group_makes_up_for_the_refusals_before_it() -> None:
    """They do not bring one more each when the next group is asked anyway."""
    asked = [Asked(ANNA, NOW, accepts=False), Asked(BO, NOW, accepts=False), Asked(CY, after(5))]
    assert decide(LINE, asked, TERMS, after(6)) == Call(next_at=after(10))


def test_a_group_of_nobody_is_passed_over() -> None:
    """A selector that means nobody costs no time; a line of nobody asks nobody."""
    assert decide([(), (CY,)], [], TERMS, NOW) == Call(ask=(CY,))
    assert decide([(), ()], [], TERMS, NOW) == Call()


_people = st.sampled_from([ANNA, BO, CY, DEE])
_lines = st.lists(st.lists(_people, max_size=4), max_size=4)


@given(_lines, st.dictionaries(_people, st.sampled_from([True, False, None])), st.integers(1, 3))
def test_everybody_is_asked_in_the_end_unless_enough_come(
    line: list[list[UserId]], would: dict[UserId, bool | None], needed: int
) -> None:
    """Whatever people answer, deciding ends; who is not asked is not needed, and nobody is asked twice."""
    terms = Terms(needed, timedelta(minutes=5))
    asked: dict[UserId, Asked] = {}
    now: datetime | None = NOW
    while now is not None:
        call = decide(line, asked.values(), terms, now)
        assert not (set(call.ask) | set(call.instead)) & set(asked)
        assert len(set(call.ask + call.instead)) == len(call.ask + call.instead)
        for user in call.ask:
            asked[user] = Asked(user, now, accepts=would.get(user))
        for user in call.instead:
            asked[user] = Asked(user, now, instead=True, accepts=would.get(user))
        assert call.next_at is None or call.next_at > now
        now = now if call.ask or call.instead else call.next_at
    everybody = {user for group in line for user in group}
    assert set(asked) == everybody or len(accepted(asked.values())) >= needed
