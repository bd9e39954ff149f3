"""What the directory called the people behind accounts at a moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.directory.local_day import LocalDays
from bridge.directory.past_store import load_states
from bridge.directory.person import values_of
from bridge.ids import UserId
from bridge.membership.past_store import read_holders

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def called(
    db: Connection | Pool, users: Collection[UserId], moment: datetime, timezone: str
) -> dict[UserId, str]:
    """Return name and department of each, `Mari Tamm (Sales)`; whom the directory did not know by then is missing."""
    holders = await read_holders(db, moment)
    known = {user: holders[user] for user in users if user in holders}
    states = await load_states(db, moment, known.values())
    days = LocalDays(moment, timezone)
    found: dict[UserId, str] = {}
    for user, person_id in known.items():
        if person_id in states:
            person = states[person_id].person
            department = next(iter(values_of(person, "department", days(person))), "")
            found[user] = f"{person.display_name} ({department})" if department else person.display_name
    return found
