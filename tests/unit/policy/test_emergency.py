"""What the policy says of emergencies."""

from __future__ import annotations

from datetime import timedelta

from bridge.directory.selector import parse
from bridge.policy.emergency import Emergency
from bridge.policy.loader import load

HEAD = "version: 1\ncompany: Nordwind\n"


def minutes(*numbers: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=number) for number in numbers)


def test_without_a_word_the_silent_are_asked_three_times() -> None:
    """Then second channels go out; nobody is called to help, whom nobody named."""
    assert load(HEAD, "policy.yaml").emergency == Emergency(repeat=minutes(2, 5, 10), channels=timedelta(minutes=10))
    assert load(HEAD + "emergency: {}", "policy.yaml").emergency == Emergency()


def test_the_line_begins_with_the_responders() -> None:
    """Second channels go out with the last repetition unless it says when."""
    text = (
        "emergency: {repeat: [1m, 3m], responders: title pr, next: ['department eq \"IT\"'], needed: 2, escalate: 1m}"
    )
    found = load(HEAD + text, "policy.yaml").emergency
    assert found.line == (parse("title pr"), parse('department eq "IT"'))
    assert (found.needed, found.escalate, found.channels) == (2, timedelta(minutes=1), timedelta(minutes=3))
    assert load(HEAD + "emergency: {repeat: [], channels: 4m}", "x").emergency.channels == timedelta(minutes=4)
