"""A small company whose desk takes what sources send."""

from __future__ import annotations

import pytest

from bridge.announcements.sources.intake import Intake
from tests.integration.announcements.company import BOT, Muster, policy


@pytest.fixture
def intake(muster: Muster) -> Intake:
    """Who takes it in, with the company in the database."""
    assert muster
    return Intake(policy, BOT)
