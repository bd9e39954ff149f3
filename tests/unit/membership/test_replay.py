"""What a policy would have done to HR's changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.history import HistoryEntry
from bridge.directory.person import Employment
from bridge.directory.selector import parse
from bridge.membership.replay import Replay, Stop, ends_of_days, replay
from bridge.membership.replay_text import as_json, as_text
from bridge.policy.schema import Brake, Policy

from . import notation

NOW = datetime(2026, 3, 11, tzinfo=UTC)
MOMENTS = ends_of_days(NOW, 10)
RULES: dict[str, Any] = {"rooms": {"department": {"for_each": "department"}, "all": {}}}


def rules(**brake: Any) -> Policy:
    return replace(notation.policy(RULES), brake=Brake(**brake))


def said(version: int, day: int, name: str, **what: Any) -> HistoryEntry:
    """Return what HR said of somebody some days after the first moment."""
    at = MOMENTS[0] + timedelta(days=day, hours=-1)
    return HistoryEntry(version, at, "hr", "changed", at.date(), notation.person(name, what))


BEFORE = [notation.person(f"p{number}", {"department": "Sales"}) for number in range(8)]


def test_moves_arrivals_and_leavers_are_counted_by_rule() -> None:
    """A mover loses one department and gains another, somebody new gains all, a leaver loses all."""
    entries = [
        said(1, 2, "p0", department="IT"),
        said(2, 3, "new", department="IT"),
        said(3, 4, "p1", department="Sales", active=False),
    ]
    found = replay(rules(), BEFORE, entries, MOMENTS)
    assert found == Replay({"department": 2, "all": 1, "accounts": 1}, {"department": 2, "all": 1, "accounts": 1}, ())


def test_days_on_which_the_brake_would_have_stopped_are_named() -> None:
    """Losses add up within the window, whatever the days are; what was stopped does not count for the next day."""
    entries = [said(number, day, f"p{number}", active=False) for number, day in enumerate([2, 2, 2, 5, 5, 8])]
    found = replay(rules(removals=2, floor=2), BEFORE, entries, MOMENTS)
    day = (MOMENTS[0] + timedelta(days=2)).date()
    assert found.stops == (
        Stop(
            day,
            3,
            (
                "3 people of 8 would lose something; the limit is 2.",
                "In all 3 people of 8 would lose their place or power; the limit is 2.",
                "In department/sales 3 people of 8 would lose their place or power; the limit is 2.",
            ),
        ),
    )


def test_whoever_leaves_a_protected_group_is_protected() -> None:
    """What the person was before the day counts too."""
    entries = [said(1, 2, "p0", department="IT")]
    policy = rules(protected=(parse('department eq "Sales"'),))
    assert [stop.people for stop in replay(policy, BEFORE, entries, MOMENTS).stops] == [1]


def test_days_that_come_count_like_words_of_hrs() -> None:
    """A last day that comes within the time is a loss on that day, without any change of HR's then."""
    leaving = replace(BEFORE[0], employments=(Employment(department="Sales", end=date(2026, 3, 5)),))
    found = replay(rules(), [leaving, *BEFORE[1:]], [], MOMENTS)
    assert found.removals == {"department": 1, "all": 1, "accounts": 1}


_SAID = st.fixed_dictionaries({"department": st.sampled_from(["Sales", "IT"])}, optional={"active": st.booleans()})


@given(st.lists(st.tuples(st.sampled_from([f"p{number}" for number in range(10)]), st.integers(1, 10), _SAID)))
def test_what_is_given_and_taken_is_the_difference_between_the_first_and_the_last_day(
    changes: list[tuple[str, int, dict[str, Any]]],
) -> None:
    """However HR's changes fall on the days, places given less places taken are those that there are more."""
    changes.sort(key=lambda change: change[1])
    entries = [said(number, day, name, **what) for number, (name, day, what) in enumerate(changes)]
    found = replay(rules(), BEFORE, entries, MOMENTS)
    last = {person.id: person for person in [*BEFORE, *(entry.person for entry in entries)]}
    working = sum(person.active for person in last.values())
    for rule in ("all", "department", "accounts"):
        assert found.joins.get(rule, 0) - found.removals.get(rule, 0) == working - len(BEFORE)


def test_the_table_stands_in_80_columns() -> None:
    """By rule, with both policies beside each other, then the days of the brake; JSON has the same."""
    old = Replay({"all": 1}, {}, ())
    new = Replay({"all": 1, "department": 20}, {"department": 18}, (Stop(date(2026, 3, 4), 41, ("Too many. " * 12,)),))
    text = as_text(old, new, 90, 57)
    assert text.startswith(
        "57 recorded changes of the last 90 days, day by day.\n\n"
        "rule                  joins         removals\n"
        "all                   1 → 1            0 → 0\n"
        "department           0 → 20           0 → 18\n"
    )
    assert "Brake, policy in force: would not have stopped anything.\n" in text
    assert "Brake, this policy: would have stopped 1 day.\n  2026-03-04  Too many." in text
    assert max(map(len, text.splitlines())) <= 80
    assert as_json(old, new, 90, 57)["new"] == {
        "joins": {"all": 1, "department": 20},
        "removals": {"department": 18},
        "stops": [{"day": "2026-03-04", "people": 41, "reasons": ["Too many. " * 12]}],
    }
    assert as_text(None, Replay({}, {}, ()), 9, 0) == (
        "0 recorded changes of the last 9 days, day by day.\n\nNobody would have gained or lost anything.\n\n"
        "Brake, this policy: would not have stopped anything.\n"
    )
