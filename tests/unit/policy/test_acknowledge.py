"""What a desk says of acknowledging."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.document import read
from bridge.errors import DocumentError
from bridge.policy import acknowledge
from bridge.policy.acknowledge import Acknowledge, Escalation


def _read(text: str) -> Acknowledge:
    return read(text, "policy.yaml", acknowledge.read)


def test_everything_may_be_said() -> None:
    """Within how long, when to remind, and who hears of it."""
    said = _read("{within: 2d, remind: [1d, 36h], escalate: manager}")
    assert said == Acknowledge(timedelta(days=2), (timedelta(days=1), timedelta(hours=36)), Escalation.MANAGER)


def test_only_the_time_must_be_said() -> None:
    """Then nobody is reminded or told."""
    assert _read("within: 2d") == Acknowledge(timedelta(days=2))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("remind: [1d]", "`within` is missing"),
        ("within: 0s", "expected a duration of up to 365d, and not nothing"),
        ("within: 400d", "expected a duration of up to 365d"),
        ("{within: 2d, remind: [1d, 12h]}", "after the one before it"),
        ("{within: 2d, remind: [1d, 1d]}", "after the one before it"),
        ("{within: 2d, escalate: boss}", "expected manager or nobody"),
        ("{within: 2d, remnd: [1d]}", "unknown key `remnd`"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    """Each mistake with its place."""
    with pytest.raises(DocumentError, match=problem):
        _read(text)
