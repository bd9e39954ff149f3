"""A small company whose desk takes what sources send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.announcements.sources.intake import Intake
from tests.integration.announcements.company import BOT, found, policy

if TYPE_CHECKING:
    from bridge.database import Pool


@pytest.fixture
async def intake(pool: Pool) -> Intake:
    """Who takes it in, with the company in the database."""
    await found(pool)
    return Intake(policy, BOT)
