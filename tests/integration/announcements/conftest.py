"""A small company, its homeserver, and the part of Muster that announces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.announcements.company import FakeHomeserver, Muster, found

if TYPE_CHECKING:
    from bridge.database import Pool


@pytest.fixture
def homeserver() -> FakeHomeserver:
    """An empty homeserver."""
    return FakeHomeserver()


@pytest.fixture
async def muster(pool: Pool, homeserver: FakeHomeserver) -> Muster:
    """Muster, with the company in its database."""
    await found(pool)
    return Muster(pool, homeserver)
