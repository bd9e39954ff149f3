"""A company at work, whose people talk to the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.selfservice.office import Office, furnish

if TYPE_CHECKING:
    from bridge.database import Pool


@pytest.fixture
async def office(pool: Pool) -> Office:
    """Everybody is in the rooms of the policy."""
    return await furnish(pool)
