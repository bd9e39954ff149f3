"""What the directory called the people behind accounts at a moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import UserId
from bridge.membership.acquaintance import Acquaintance

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def called(
    db: Connection | Pool, users: Collection[UserId], moment: datetime, timezone: str
) -> dict[UserId, str]:
    """Return name and department of each, `Mari Tamm (Sales)`; whom the directory did not know by then is missing."""
    people = await Acquaintance(db, timezone)(users, moment)
    return {user: f"{one.name} ({one.department})" if one.department else one.name for user, one in people.items()}
