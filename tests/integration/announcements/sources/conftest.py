"""A small company whose desk takes what sources send."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.announcements.sources.intake import Intake
from tests.integration.announcements.company import BOT, Muster, policy


@pytest.fixture
def intake(muster: Muster) -> Intake:
    """Who takes it in, for a desk that announces in rooms only, with the company in the database."""
    assert muster
    found = policy()
    rooms_only = replace(found, desks={"desk": replace(found.desks["desk"], people=None)})
    return Intake(lambda: rooms_only, BOT)
