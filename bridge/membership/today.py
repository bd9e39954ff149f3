"""Reading the people and rooms of today that a policy is checked against: `doubts` with the database behind it.

Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.directory.census import Census
from bridge.directory.local_day import LocalDays
from bridge.directory.store import load_people
from bridge.errors import DocumentError
from bridge.membership.doubts import Today
from bridge.membership.exemption_store import read_exemptions
from bridge.membership.place_store import read_places
from bridge.policy.loader import load
from bridge.policy.schema import RuleId
from bridge.policy.store import last_policy

if TYPE_CHECKING:
    from bridge.database import Pool


async def read_today(pool: Pool, now: datetime, *, timezone: str = "UTC", attributes: Sequence[str] = ()) -> Today:
    """Return everybody, the managed rooms that are there, and which ids the policy in force has."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        people = await load_people(connection)
        places = await read_places(connection)
        exemptions = await read_exemptions(connection, now.date())
        text = await last_policy(connection)
    rooms = {key: (place.kind, place.name) for key, place in places.items() if place.room_id is not None}
    in_force = _ids(text, attributes) if text is not None else None
    return Today(Census(people, LocalDays(now, timezone)), rooms, in_force, tuple(exemptions))


def _ids(text: str, attributes: Sequence[str]) -> frozenset[RuleId] | None:
    """Return the ids of a policy; None when it cannot be read any more."""
    try:
        policy = load(text, "the policy in force", attributes)
    except DocumentError:
        return None
    return frozenset({*policy.rooms, *policy.spaces, *policy.desks})
