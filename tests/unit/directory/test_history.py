"""What was true of a person when, as known when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.history import HistoryEntry, state_at
from bridge.directory.person import Person
from bridge.ids import PersonId

FIRST = date(2027, 1, 1)
SPAN = 12


def entry(version: int, recorded: int, valid_from: int) -> HistoryEntry:
    moment = datetime(2027, 1, 1, 12, tzinfo=UTC) + timedelta(days=recorded)
    person = Person(PersonId("a"), "a", f"A{version}", active=True)
    return HistoryEntry(version, moment, "test", "changed", FIRST + timedelta(days=valid_from), person)


@st.composite
def histories(draw: st.DrawFn) -> list[HistoryEntry]:
    """States in the order of recording, each true from a day that is not after it."""
    recorded = sorted(draw(st.lists(st.integers(0, SPAN), max_size=6)))
    return [entry(number, day, draw(st.integers(0, day))) for number, day in enumerate(recorded)]


@given(histories(), st.integers(0, SPAN), st.none() | st.integers(0, SPAN))
def test_the_last_word_about_a_day_counts(history: list[HistoryEntry], day: int, known: int | None) -> None:
    """Writing each state over all days from its first on, in the order of recording, leaves what is returned."""
    as_known = None if known is None else FIRST + timedelta(days=known)
    timeline: dict[date, HistoryEntry] = {}
    for each in history:
        if as_known is None or each.recorded_at.date() <= as_known:
            for later in range(SPAN + 1):
                if FIRST + timedelta(days=later) >= each.valid_from:
                    timeline[FIRST + timedelta(days=later)] = each

    asked = FIRST + timedelta(days=day)
    assert state_at(history, asked, as_known=as_known) == timeline.get(asked)
    assert state_at(history[::-1], asked, as_known=as_known) == timeline.get(asked)


@given(histories(), st.integers(0, SPAN), st.integers(0, SPAN))
def test_what_was_known_then_never_changes(history: list[HistoryEntry], day: int, known: int) -> None:
    """Whatever is recorded afterwards, the answer for then stays."""
    asked, as_known = FIRST + timedelta(days=day), FIRST + timedelta(days=known)
    before = [each for each in history if each.recorded_at.date() <= as_known]

    assert state_at(history, asked, as_known=as_known) == state_at(before, asked, as_known=as_known)
