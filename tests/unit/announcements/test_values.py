"""What the parts of announcing pass to one another."""

from __future__ import annotations

import json

import pytest

from bridge.announcements.values import Priority, Whom
from bridge.directory.selector import parse


@pytest.mark.parametrize("whom", [Whom(), Whom(("news", "drivers")), Whom(people=parse('department eq "Sales"'))])
def test_an_audience_is_stored_and_read_back(whom: Whom) -> None:
    """Rules by their ids, people by the selector as it was written."""
    assert Whom.of_json(json.loads(json.dumps(whom.as_json()))) == whom


def test_an_emergency_goes_first() -> None:
    """The lower number goes first."""
    assert sorted(Priority) == [Priority.EMERGENCY, Priority.URGENT, Priority.IMPORTANT, Priority.NORMAL]
