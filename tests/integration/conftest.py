"""Integration tests run on a real PostgreSQL and leave no task behind."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
async def _checked_for_leaks(no_leaked_tasks: None) -> None:
    """Check every test of this folder."""
